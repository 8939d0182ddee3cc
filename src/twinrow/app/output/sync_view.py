"""What a sync says while it runs: phases, news and troubles as log lines, long work's progress as lines or bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.observe.standing import STOPPED
from twinrow.app.observe.status import Status, TableStatus, span
from twinrow.app.observe.troubles import WAITS
from twinrow.app.output.progress import Bars
from twinrow.app.output.resumed import Resumed
from twinrow.app.typed import as_typed

if TYPE_CHECKING:
    from twinrow.workers.run import TableRun

SHORT_S = 1.0
"""What is through by then needs no progress, and no session to read it from."""
PULSE_EVERY_S = 10.0
"""How often --verbose says how a table stands."""


class SyncView:
    """The runs of one process, looked at now and then; all numbers are those of the status."""

    def __init__(self, log: Log, bars: Bars, *, once: bool) -> None:
        self._log = log
        self._bars = bars
        self._once = once
        self._began = clock.monotonic()
        self._runs: Mapping[str, TableRun] = {}
        self._phases: dict[str, str] = {}
        self._before: dict[str, TableStatus] = {}
        self._pulse_at = self._began
        self._resumed = Resumed()
        self._copied_first: set[str] = set()

    def watch(self, runs: Mapping[str, TableRun]) -> None:
        """These are what is looked at."""
        self._runs = runs
        self._log.many(len(runs))

    def waiting(self) -> dict[str, str]:
        """Why tables of this process wait at this moment."""
        return {name: run.waits for name, run in self._runs.items() if run.waits}

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
                self._log.of_table("info", "phase", name, f"phase {run.phase}")
        for one in status.tables if status is not None else ():
            self.draw(one)
            if not self._once:
                self._news(one, status.at if status is not None else 0.0)
            for trouble in one.troubles:
                # a reason is told by the table that waits; STOPPED is what this process is about to end
                is_said = trouble.text == one.reason or trouble.text.startswith(WAITS)
                if trouble.bad and not is_said and one.phase != STOPPED:
                    self._log.trouble(one.table, trouble.text, trouble.commands)
        if not self._once:
            self._who_goes_on(status)
        self._pulse(status)
        self._log.flush()

    def _who_goes_on(self, status: Status | None) -> None:
        """Of this process's tables by their runs: while MySQL is away there is no status."""
        reasons = {one.table: one.reason for one in status.tables} if status is not None else {}
        reasons |= {name: run.waits for name, run in self._runs.items()}
        for cause, tables in self._resumed.look(reasons, clock.monotonic()):
            if len(tables) == 1:
                self._log.event("info", "resumed", tables[0], "goes on")
            elif tables:
                self._log.event("info", "resumed", "", f"{len(tables)} tables go on that waited for: {cause}")

    def _news(self, one: TableStatus, at: float) -> None:
        """What has changed since the last look and is no trouble."""
        before = self._before.setdefault(one.table, one)
        self._before[one.table] = one
        if one.schema_version > before.schema_version:
            command = as_typed(f"twinrow schema {one.table}")
            self._log.of_table("info", "schema", one.table, f"schema version {one.schema_version} ({command})")
        if before.gaps and not one.gaps:
            self._log.of_table("info", "gap", one.table, "all gaps are mended")
        if one.reconciled_at is not None and one.reconciled_at != before.reconciled_at:
            began = span(at - one.reconciled_at)
            self._log.of_table("info", "reconcile", one.table, f"a reconcile is through, begun {began} ago")

    def _pulse(self, status: Status | None) -> None:
        """For --verbose: how each table stands."""
        if status is None or clock.monotonic() - self._pulse_at < PULSE_EVERY_S:
            return
        self._pulse_at = clock.monotonic()
        for one in status.tables:
            lag = "unknown" if one.lag_s is None else span(one.lag_s)
            self._log.event(
                "debug", "pulse", one.table,
                f"{one.phase}, {one.rows:,} rows, lag {lag}, {_rate(one.puts_per_s)} puts/s, "
                f"{_rate(one.deletes_per_s)} deletes/s, {_rate(one.links_per_s)} links/s, {one.unlinked:,} links owed, "
                f"{one.rechecks:,} rechecks, {_rate(one.read_units_per_s)} read units/s",
            )  # fmt: skip

    def _counts_are_ours(self, one: TableStatus) -> bool:
        """Whether this process has counted them, not an earlier one, or another that holds the table."""
        run = self._runs.get(one.table)
        return run is not None and run.counted_since is not None and run.counted_since == one.counted_since

    def draw(self, one: TableStatus) -> None:
        """How far a table is. An item counts once: as a row of a first copy, else as a change that was followed."""
        if one.phase == "SNAPSHOT" and one.running:
            self._copied_first.add(one.table)
            self._bars.tell(one.table, one.rows, one.items, one.phase)
        elif self._once and one.reconcile_share is not None:
            self._bars.tell(one.table, int(one.reconcile_share * one.rows), one.rows, "RECONCILE")
        elif self._once and one.table in self._copied_first:
            self._bars.tell(one.table, one.rows, one.items, one.phase)
        elif self._once and one.followed and self._counts_are_ours(one):
            self._bars.tell(one.table, one.followed, None, one.phase)
        elif not self._once:
            self._bars.end(one.table)


def _rate(per_s: float | None) -> str:
    return "unknown" if per_s is None else f"{per_s:,.1f}"
