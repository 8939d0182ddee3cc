"""Fair shares: which free tables a process takes and which it gives up, beside processes with the same tables (pure).

Each member decides for itself, from what all members have noted in MySQL. Two that take the same table are told apart
by its lease; a table given up is held by nobody until somebody wins it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BUSY_TABLE_CHANGES_PER_S: Final = 100.0
"""A table with so many changes a second counts as two idle tables."""
GIVEN_UP_SHARE: Final = 10
"""A process gives up at most a table of so many at a time, and at least a single table."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process that lives: the weight of the tables that it holds, and whether it waits for more."""

    holder: str
    load: float
    waits: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table: its weight, and the group of tables with which it moves (its own name, where it moves alone)."""

    name: str
    weight: float
    group: str


def weight(changes_per_s: float) -> float:
    """The weight of a table in its process's load: 1 while it is idle. In steps: a small change moves nothing."""
    return 1.0 + changes_per_s // BUSY_TABLE_CHANGES_PER_S


def to_take(free: Sequence[Candidate], load: float, others: Sequence[Member], holder: str) -> list[str]:
    """The free tables that a process with this load takes.

    Each goes to the emptiest member that waits, the heaviest first: all members come to the same result.
    """
    loads = {member.holder: member.load for member in others if member.waits} | {holder: load}
    taken: list[str] = []
    for group in sorted(_groups(free), key=lambda group: (-_weight(group), group[0].group)):
        emptiest = min(loads, key=lambda member: (loads[member], member))
        loads[emptiest] += _weight(group)
        if emptiest == holder:
            taken += [table.name for table in group]
    return taken


def to_give(held: Sequence[Candidate], movable: Mapping[str, bool], load: float, others: Sequence[Member]) -> list[str]:
    """The tables that a process gives up now, the lightest first, until the emptiest member that waits is as full.

    A group moves when all of its tables are `movable`, and counts as a single table.
    """
    waiting = [other.load for other in others if other.waits]
    if not waiting:
        return []
    least, room = min(waiting), max(1, len(held) // GIVEN_UP_SHARE)
    groups = [group for group in _groups(held) if all(movable.get(table.name, False) for table in group)]
    given: list[str] = []
    for group in sorted(groups, key=lambda group: (_weight(group), group[0].name)):
        moves = _weight(group)
        if room <= 0 or load - moves < least + moves:
            break
        given += [table.name for table in group]
        load, least, room = load - moves, least + moves, room - len(group)
    return given


def _groups(tables: Sequence[Candidate]) -> list[list[Candidate]]:
    found: defaultdict[str, list[Candidate]] = defaultdict(list)
    for table in tables:
        found[table.group].append(table)
    return list(found.values())


def _weight(group: Sequence[Candidate]) -> float:
    return sum(table.weight for table in group)
