"""`twinrow status`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.terminal import out_json, say
from twinrow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinrow.app.observe.status import Status
    from twinrow.config import TableConfig
    from twinrow.mysql import MySQL

WATCH_EVERY_S = 1.0
LAG_MAX_DEFAULT = "15m"
PROMPT_LINES = 2
"""The lines below the output: the shell's prompt, and the line that the terminal scrolls up by."""


def status(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    only_bad: Annotated[
        bool,
        typer.Option("--only-bad", help="Only tables that need somebody, or whose state is not known."),
    ] = False,
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
    """Show the state of each table, the worst first: phase, rows, lag, backlog, pending links, dead letters, gaps.

    A terminal shows as many tables as it has lines; a pipe, and --only-bad, show all of them.
    Works while a sync runs and while none does. Exit code 3 when dead letters, gaps, refused links or
    rows that MySQL does not take are known, or when nothing is known (no copy yet, a sync that died or was refused);
    1 when a table is BROKEN.
    With --check also 3 when the lag is larger than --lag-max, or the last good end of a sync is older.

    \b
    Example:
      twinrow status
      twinrow status reviews --json | jq '.tables[0].lag_s'
      twinrow status --only-bad
      twinrow status --check --lag-max 1h
    """
    from twinrow.app.wiring import mysql_of

    if watch and as_json:
        raise ConfigError("--watch shows a table, --json is one document", remedy="use only one of the two")
    if watch and check:
        raise ConfigError("--watch goes on, --check ends with an exit code", remedy="use only one of the two")
    lag_s_max = _lag_s_max(lag_max, check=check)
    loaded = load_config(config)
    chosen, mysql = loaded.chosen(tables or []), mysql_of(loaded)
    if watch:
        _watch(mysql, chosen, only_bad=only_bad)
        return
    found = _read(mysql, chosen)
    if as_json:
        from twinrow.app.observe.worst_first import not_well

        shown = replace(found, tables=tuple(not_well(found.tables))) if only_bad else found
        out_json(shown.document())
    else:
        _show(found, only_bad=only_bad)
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


def _show(found: Status, *, only_bad: bool) -> None:
    from rich.console import Console

    from twinrow.app.observe.status_view import Room, view

    console = Console(highlight=False)
    at_terminal = console.is_terminal
    lines = console.height - PROMPT_LINES if at_terminal and not only_bad else None
    # in a pipe each line is whole, for grep; at a terminal long reasons wrap at words, table rows never
    for line in view(found, Room(console.width if at_terminal else None, lines), only_bad=only_bad):
        console.print(line, soft_wrap=not at_terminal)


def _watch(mysql: MySQL, chosen: Sequence[TableConfig], *, only_bad: bool) -> None:
    """Until Ctrl-C; a server that does not answer is shown, and asked again."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from twinrow.app.observe.status_view import Room, view
    from twinrow.app.signals import stop_on_signals
    from twinrow.errors import TwinrowError

    stop, console = stop_on_signals(), Console(highlight=False)
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while not stop:
            try:
                room = Room(console.width, console.height - 1)
                live.update(Group(*view(_read(mysql, chosen), room, only_bad=only_bad)), refresh=True)
            except TwinrowError as trouble:
                live.update(Text(str(trouble), style="red"), refresh=True)
            stop.wait(WATCH_EVERY_S)
