"""`twinrow status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.terminal import out_json, say
from twinrow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from twinrow.app.observe.status import Status
    from twinrow.config import TableConfig
    from twinrow.mysql import MySQL

WATCH_EVERY_S = 1.0
LAG_MAX_DEFAULT = "15m"
COLUMNS_PIPED = 160
"""Width of the table where there is no terminal to ask."""


def status(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="End with 3 also where a copy is not known to be within --lag-max.")
    ] = False,
    lag_max: Annotated[
        str | None,
        typer.Option(
            "--lag-max",
            metavar="DURATION",
            show_default=False,
            help=f"For --check: the largest lag, and age of the last good end.  [default: {LAG_MAX_DEFAULT}]",
        ),
    ] = None,
) -> None:
    """How far each table is: phase, rows, lag, backlog, links owed, dead letters, gaps.

    Works while a sync runs and while none does. Exit code 3 when dead letters, gaps, refused links or
    rows that MySQL does not take are known, or when nothing is known (no copy yet, a sync that died or was refused);
    1 when a table is BROKEN.
    With --check also 3 when the lag is larger than --lag-max, or the last good end of a sync is older.

    \b
    Example:
      twinrow status
      twinrow status reviews --json | jq '.tables[0].lag_s'
      twinrow status --check --lag-max 1h
    """
    from twinrow.app.wiring import mysql_of

    if watch and as_json:
        raise ConfigError("--watch shows a table, --json is one document", remedy="say one of the two")
    if watch and check:
        raise ConfigError("--watch goes on, --check ends with an exit code", remedy="say one of the two")
    lag_s_max = _lag_s_max(lag_max, check=check)
    loaded = load_config(config)
    chosen, mysql = loaded.chosen(tables or []), mysql_of(loaded)
    if watch:
        _watch(mysql, chosen)
        return
    found = _read(mysql, chosen)
    if as_json:
        out_json(found.document())
    else:
        from twinrow.app.observe.status_view import view

        _console().print(view(found))
    late = found.late(lag_s_max) if check else {}
    for table, why in late.items():
        say(f"{table}: {why}, --lag-max is {lag_max or LAG_MAX_DEFAULT}")
    raise typer.Exit(found.exit_code or (3 if late else 0))


def _lag_s_max(text: str | None, *, check: bool) -> float:
    from twinrow.config import duration_s

    if text is not None and not check:
        raise ConfigError("--lag-max is for --check", remedy="add --check")
    try:
        return duration_s(text or LAG_MAX_DEFAULT)
    except ValueError as error:
        raise ConfigError(f"--lag-max: {error}") from error


def _read(mysql: MySQL, chosen: Sequence[TableConfig]) -> Status:
    from twinrow.app.observe.status import collect
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

    from twinrow.app.observe.status_view import view
    from twinrow.app.signals import stop_on_signals
    from twinrow.errors import TwinrowError

    stop = stop_on_signals()
    with Live(console=_console(), auto_refresh=False, screen=False) as live:
        while not stop:
            try:
                live.update(view(_read(mysql, chosen)), refresh=True)
            except TwinrowError as trouble:
                live.update(Text(str(trouble), style="red"), refresh=True)
            stop.wait(WATCH_EVERY_S)
