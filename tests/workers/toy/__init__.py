"""A toy engine: one caller gives turns to all tables in order. It is made of public protocols only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from twinrow import clock
from twinrow.mysql import MySQL
from twinrow.state.asked import DUE_KINDS, DueKind
from twinrow.sync.snapshot import ReadBy, read_here
from twinrow.sync.table_work import TableWork
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers.held import held

TURN_S = 0.05
"""Shorter than the work of a table needs, so that a table gets several turns."""


@dataclass
class OneCaller:
    """The place of all tables. It notes who got a turn."""

    began: float
    once: bool = True
    given: list[str] = field(default_factory=list)
    waits: list[tuple[str, str]] = field(default_factory=list)

    @property
    def on_waiting(self) -> Callable[[str, str], None]:
        return lambda table, reason: self.waits.append((table, reason))

    @property
    def on_described(self) -> Callable[[TableDescription], None]:
        return lambda description: None

    def holds(self, table: str) -> bool:  # noqa: ARG002 - of the protocol
        return True

    def due(self, table: str) -> set[DueKind]:  # noqa: ARG002 - of the protocol
        return set(DUE_KINDS)

    def readers(self, context: TableContext, description: TableDescription) -> ReadBy:  # noqa: ARG002 - as above
        return read_here


def copy_all(contexts: Sequence[TableContext], mysql: MySQL) -> OneCaller:
    """Copy the tables once, a turn each in order until every one is through."""
    place = OneCaller(clock.boot_time())
    with ExitStack() as leases:
        for context in contexts:
            leases.enter_context(held(context, mysql))
        waiting = [TableWork(context, place) for context in contexts]
        for work in waiting:
            work.begin()
        while waiting:
            work = waiting.pop(0)
            place.given.append(work.context.name)
            if work.turn(clock.monotonic() + TURN_S).through:
                work.finish()
            else:
                waiting.append(work)
    return place
