"""What a sync says while it runs: phases and troubles as log lines, a first copy's progress as lines or bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.progress import Bars
from twinrow.app.status import Status, TableStatus

if TYPE_CHECKING:
    from twinrow.workers.run import TableRun

SHORT_S = 1.0
"""What is through by then needs no progress, and no session to read it from."""


class SyncView:
    """The runs of one process, looked at now and then; all numbers are those of the status."""

    def __init__(self, log: Log, bars: Bars, *, once: bool) -> None:
        self._log = log
        self._bars = bars
        self._once = once
        self._began, self._began_at = clock.monotonic(), clock.now()
        self._runs: Mapping[str, TableRun] = {}
        self._phases: dict[str, str] = {}

    def watch(self, runs: Mapping[str, TableRun]) -> None:
        """These are what is looked at."""
        self._runs = runs

    def wants_status(self) -> bool:
        """Whether there is progress to show; else a status now and then is enough to log what is wrong."""
        if clock.monotonic() - self._began <= SHORT_S:
            return False
        return self._once or any(run.phase == "SNAPSHOT" for run in self._runs.values())

    def look(self, status: Status | None) -> None:
        """Say what is new."""
        for name, run in self._runs.items():
            if not self._once and run.phase and self._phases.get(name) != run.phase:
                self._phases[name] = run.phase
                self._log.event("info", "phase", name, f"phase {run.phase}")
        for one in status.tables if status is not None else ():
            self.draw(one)
            for trouble in one.troubles:
                if trouble.bad and trouble.text != one.reason:  # a reason is told by the table that waits
                    self._log.trouble(one.table, trouble.text, trouble.commands)

    def draw(self, one: TableStatus) -> None:
        """How far a table is."""
        if one.phase == "SNAPSHOT" and one.running:
            self._bars.tell(one.table, one.rows, one.items, one.phase)
        elif self._once and (one.counted_since or 0.0) >= self._began_at:  # else they are an earlier sync's counts
            self._bars.tell(one.table, one.changes, None, one.phase)
