"""The state that all tables of a process share: its leases, what is asked for all of them, and which go elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from twinrow import clock
from twinrow.state.asked import DUE_KINDS, Awaited, DueKind
from twinrow.sync.snapshot import ReadBy
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers import readers, shares
from twinrow.workers.shares import Candidate

RATE_S: Final = 10.0
"""The weight of a busy table is renewed after so long."""
NOT_FOLLOWED: Final = ("SCAN", "RECHECK")
"""Origins of changes that say nothing of how busy the app is."""


class CopiedTable(Protocol):
    """A table of this process (`workers.run.TableRun`)."""

    context: TableContext

    @property
    def phase(self) -> str:
        """The phase of the copy."""


@dataclass
class StandingBy:
    """A table that waits for its lease; `answer` is the last that MySQL said of it."""

    answer: Awaited | None = None


@dataclass
class ChangeRate:
    """How fast a counter rises, over RATE_S at least."""

    at: float = field(default_factory=clock.monotonic)
    count: int = 0
    per_s: float = 0.0

    def of(self, count: int) -> float:
        """The rate by the counter of this moment."""
        took_s = clock.monotonic() - self.at
        if took_s >= RATE_S:
            self.at, self.count, self.per_s = clock.monotonic(), count, (count - self.count) / took_s
        return self.per_s


@dataclass
class Shared:
    """The state that the table threads of a process share: leases for the heartbeat, and what is asked for all of them.

    `began` is when the process began its work, of `clock.boot_time`; each server's clock tells its time of that.
    `waiting`: the tables that stand by. `give_up`: those that are to go on in another process.
    """

    holder: str
    once: bool
    began: float
    leases: dict[str, TableContext] = field(default_factory=dict)
    waiting: dict[str, StandingBy] = field(default_factory=dict)
    on_waiting: Callable[[str, str], None] = lambda table, reason: None
    on_described: Callable[[TableDescription], None] = lambda description: None

    _due: dict[str, set[DueKind]] = field(default_factory=dict)
    give_up: set[str] = field(default_factory=set)
    _runs: dict[str, CopiedTable] = field(default_factory=dict)
    _rates: dict[str, ChangeRate] = field(default_factory=dict)

    def due(self, table: str) -> set[DueKind]:
        """The kinds of work that may wait in MySQL; the work takes out what it has looked for in vain."""
        return self._due.setdefault(table, set(DUE_KINDS))

    def adds(self, run: CopiedTable) -> None:
        """A table is copied by this process, or waits to be."""
        self._runs[run.context.name] = run

    def forgets(self, table: str) -> None:
        """A table is no longer of this process."""
        self._runs.pop(table, None)

    @property
    def names(self) -> list[str]:
        """The tables of this process, those that ended included."""
        return list(self._runs)

    def ring(self, table: str) -> None:
        """There is news for a table."""
        run = self._runs.get(table)
        if run is not None:
            run.context.table.bell.ring()

    def may_move(self, table: str) -> bool:
        """Whether a table may go on in another process: not in its first copy."""
        run = self._runs.get(table)
        return run is not None and run.phase == "LIVE"

    def candidate(self, table: str) -> Candidate:
        """A table with its weight, for the share of each process."""
        run = self._runs.get(table)
        if run is None:
            return Candidate(table, shares.weight(0.0), table)
        kinesis = run.context.settings.kinesis
        counts = run.context.counters.now().applied
        followed = sum(count for (_, origin), count in counts.items() if origin not in NOT_FOLLOWED)
        rate = self._rates.setdefault(table, ChangeRate()).of(followed)
        return Candidate(table, shares.weight(rate), kinesis.arn if kinesis is not None else table)

    def holds(self, table: str) -> bool:
        """Whether this process holds the table's lease, as far as its heartbeat knows."""
        return table in self.leases

    def readers(self, context: TableContext, description: TableDescription) -> ReadBy:
        """Processes where that helps, else threads of this process."""
        return readers.readers_of(context, description)
