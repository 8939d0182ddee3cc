"""`status` as a table that a person reads at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinrow.app.observe.status import Status, TableStatus, span
from twinrow.app.typed import in_text

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

PHASE_STYLE = {"LIVE": "green", "BROKEN": "bold red", "STOPPED": "red", "NEW": "dim"}
UNKNOWN = "\N{EN DASH}"
NOT_RUNNING_STYLE = "dim"
"""Of a phase that was right when the last sync ended: nobody keeps it so."""


def view(status: Status) -> Group:
    """The table, and below it what to know of each table and what mends it."""
    from rich.console import Group
    from rich.text import Text

    lines: list[Table | Text] = [_table(status)]
    for one in status.tables:
        told = [*([one.reason] if one.reason else []), *one.notes]
        lines += [
            Text(f"{one.table}: {in_text(text)}", style="yellow" if text == one.reason else "dim") for text in told
        ]
        mend = [
            command for trouble in one.troubles if trouble.bad or one.phase == "NEW" for command in trouble.commands
        ]
        lines += [Text(f"{one.table}: → {command}", style="cyan") for command in dict.fromkeys(mend)]
    return Group(*lines)


def _table(status: Status) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("table", "capture", "phase"):
        table.add_column(name, overflow="fold")
    for name in ("rows", "lag", "backlog", "unlinked", "dead letters", "gaps"):
        table.add_column(name, justify="right")
    for one in status.tables:
        table.add_row(
            one.table, one.capture, Text(_phase(one), style=_style(one)), f"{one.rows:,}",
            UNKNOWN if one.lag_s is None else span(one.lag_s),
            UNKNOWN if one.backlog is None else f"{one.backlog:,}",
            _alarm(one.unlinked, one.links_refused), _alarm(one.dead_letters, one.dead_letters),
            _alarm(one.gaps, one.gaps),
        )  # fmt: skip
    return table


def _phase(one: TableStatus) -> str:
    if one.phase == "SNAPSHOT" and one.snapshot_share is not None:
        return f"SNAPSHOT {one.snapshot_share:.0%}"
    if one.reconcile_share is not None:
        return f"{one.phase}, reconcile {one.reconcile_share:.0%}"
    return one.phase


def _style(one: TableStatus) -> str:
    return NOT_RUNNING_STYLE if one.as_of is not None else PHASE_STYLE.get(one.phase, "yellow")


def _alarm(count: int, bad: int) -> str:
    return f"[red]{count:,}[/red]" if bad else f"{count:,}"
