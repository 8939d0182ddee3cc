"""`twinrow status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.terminal import out_json
from twinrow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from twinrow.app.status import Status
    from twinrow.config import TableConfig
    from twinrow.mysql import MySQL

WATCH_EVERY_S = 1.0
COLUMNS_PIPED = 160
"""Width of the table where there is no terminal to ask."""


def status(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")] = False,
) -> None:
    """How far each table is: phase, rows, lag, backlog, links owed, dead letters, gaps.

    Works while a sync runs and while none does. Exit code 3 when dead letters, gaps or refused links are
    known, 1 when a table is BROKEN.

    \b
    Example:
      twinrow status
      twinrow status reviews --json | jq '.tables[0].lag_s'
    """
    from twinrow.app.wiring import mysql_of

    if watch and as_json:
        raise ConfigError("--watch shows a table, --json is one document", remedy="say one of the two")
    loaded = load_config(config)
    chosen, mysql = loaded.chosen(tables or []), mysql_of(loaded)
    if watch:
        _watch(mysql, chosen)
        return
    found = _read(mysql, chosen)
    if as_json:
        out_json(found.document())
    else:
        from twinrow.app.status_view import view

        _console().print(view(found))
    raise typer.Exit(found.exit_code)


def _read(mysql: MySQL, chosen: Sequence[TableConfig]) -> Status:
    from twinrow.app.status import collect
    from twinrow.app.wiring import connect

    session = connect(mysql)
    try:
        return collect(session, chosen)
    finally:
        session.close()


def _console() -> Console:
    import sys

    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else COLUMNS_PIPED, highlight=False)


def _watch(mysql: MySQL, chosen: Sequence[TableConfig]) -> None:
    """Until Ctrl-C; a server that does not answer is shown, and asked again."""
    from rich.live import Live
    from rich.text import Text

    from twinrow.app.signals import stop_on_signals
    from twinrow.app.status_view import view
    from twinrow.errors import TwinrowError

    stop = stop_on_signals()
    with Live(console=_console(), auto_refresh=False, screen=False) as live:
        while not stop:
            try:
                live.update(view(_read(mysql, chosen)), refresh=True)
            except TwinrowError as trouble:
                live.update(Text(str(trouble), style="red"), refresh=True)
            stop.wait(WATCH_EVERY_S)
