"""Which tables need somebody, in which order they are shown, and how they stand all together (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from twinrow.app.many import alike, named, without_name
from twinrow.app.observe.standing import STOPPED
from twinrow.app.observe.status import TableStatus, span
from twinrow.app.observe.troubles import Trouble, many


def rank(table: TableStatus) -> int:
    """How bad it stands: 0 is the worst, IN_STEP is well."""
    if table.phase == "BROKEN":
        return 0
    if table.phase == STOPPED:
        return 1
    if table.in_step is False:
        return 2
    if any(trouble.bad for trouble in table.troubles):
        return 3
    if not table.in_step:
        return NOT_KNOWN
    return COPYING if table.phase in FIRST_COPY else IN_STEP


NOT_KNOWN: Final = 4
COPYING: Final = 5
IN_STEP: Final = 6
FIRST_COPY: Final = ("SNAPSHOT", "CATCH_UP")
WORDS: Final = ("broken", "stopped", "not in step", "in trouble", "not known", "being copied", "in step")
"""The name for the tables of a rank."""


def worst_first(tables: Iterable[TableStatus]) -> list[TableStatus]:
    """The tables by rank, then by lag, the largest first; else in their order."""
    return sorted(tables, key=lambda table: (rank(table), -(table.lag_s or 0.0)))


def not_well(tables: Iterable[TableStatus]) -> list[TableStatus]:
    """The tables that need somebody, or of which nobody knows how they stand."""
    return [table for table in tables if rank(table) < COPYING]


def summary(tables: Sequence[TableStatus]) -> str:
    """All tables in a line: how many stand how, the largest lag, their rows."""
    ranks = [rank(table) for table in tables]
    parts = [f"{ranks.count(number):,} {word}" for number, word in enumerate(WORDS) if number in ranks]
    lags = [table.lag_s for table in tables if table.lag_s is not None]
    lag = f"lag up to {span(max(lags))}, " if lags else ""
    return f"{many(len(tables), 'table')}: {', '.join(parts)}; {lag}{sum(table.rows for table in tables):,} rows"


@dataclass(frozen=True, slots=True)
class SharedTrouble:
    """A trouble and the tables that have it; text and commands say TABLE where several have it."""

    bad: bool
    text: str
    commands: tuple[str, ...]
    tables: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The table, or how many tables, with the names of the first."""
        return named(self.tables)


def shared(tables: Iterable[TableStatus]) -> list[SharedTrouble]:
    """The troubles of the tables, each once: those that differ by the table's name and by numbers only are the same."""
    found: dict[tuple[bool, str, tuple[str, ...]], tuple[Trouble, list[str]]] = {}
    for table in tables:
        for trouble in table.troubles:
            commands = tuple(without_name(command, table.table) for command in trouble.commands)
            text = alike(trouble.text, table.table)
            found.setdefault((trouble.bad, text, commands), (trouble, []))[1].append(table.table)
    return [
        SharedTrouble(bad, first.text, first.commands, names)
        if len(names) == 1
        else SharedTrouble(bad, without_name(first.text, names[0]), commands, names)
        for (bad, _, commands), (first, names) in found.items()
    ]
