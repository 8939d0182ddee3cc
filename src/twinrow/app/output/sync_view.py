"""The output of a running sync: phases, news and troubles as log lines, long work's progress as lines or bars."""

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
"""Work that has ended by then needs no progress, and no session to read it from."""
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

    @property
    def runs(self) -> Mapping[str, TableRun]:
        """What is looked at."""
        return self._runs

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
        for table in status.tables if status is not None else ():
            self.draw(table)
            if not self._once:
                self._news(table, status.at if status is not None else 0.0)
            for trouble in table.troubles:
                # the table that waits reports its reason; STOPPED is what this process is about to end
                is_said = trouble.text == table.reason or trouble.text.startswith(WAITS)
                if trouble.bad and not is_said and table.phase != STOPPED:
                    self._log.trouble(table.table, trouble.text, trouble.commands)
        if not self._once:
            self._who_goes_on(status)
        self._pulse(status)
        self._log.flush()

    def _who_goes_on(self, status: Status | None) -> None:
        """The tables of this process by their runs: while MySQL is away there is no status."""
        reasons = {table.table: table.reason for table in status.tables} if status is not None else {}
        reasons |= {name: run.waits for name, run in self._runs.items()}
        for cause, tables in self._resumed.look(reasons, clock.monotonic()):
            if len(tables) == 1:
                self._log.event("info", "resumed", tables[0], "goes on")
            elif tables:
                self._log.event("info", "resumed", "", f"{len(tables)} tables go on that waited for: {cause}")

    def _news(self, table: TableStatus, at: float) -> None:
        """The changes since the last look that are no trouble."""
        before = self._before.setdefault(table.table, table)
        self._before[table.table] = table
        if table.schema_version > before.schema_version:
            command = as_typed(f"twinrow schema {table.table}")
            self._log.of_table("info", "schema", table.table, f"schema version {table.schema_version} ({command})")
        if before.gaps and not table.gaps:
            self._log.of_table("info", "gap", table.table, "all gaps are mended")
        if table.reconciled_at is not None and table.reconciled_at != before.reconciled_at:
            began = span(at - table.reconciled_at)
            self._log.of_table("info", "reconcile", table.table, f"a reconcile is through, begun {began} ago")

    def _pulse(self, status: Status | None) -> None:
        """For --verbose: how each table stands."""
        if status is None or clock.monotonic() - self._pulse_at < PULSE_EVERY_S:
            return
        self._pulse_at = clock.monotonic()
        for table in status.tables:
            lag = "unknown" if table.lag_s is None else span(table.lag_s)
            self._log.event(
                "debug", "pulse", table.table,
                f"{table.phase}, {table.rows:,} rows, lag {lag}, {_rate(table.puts_per_s)} puts/s, "
                f"{_rate(table.deletes_per_s)} deletes/s, {_rate(table.links_per_s)} links/s, "
                f"{table.unlinked:,} pending links, "
                f"{table.rechecks:,} rechecks, {_rate(table.read_units_per_s)} read units/s",
            )  # fmt: skip

    def _counts_are_ours(self, table: TableStatus) -> bool:
        """Whether this process has counted them, not an earlier one, or another that holds the table."""
        run = self._runs.get(table.table)
        return run is not None and run.counted_since is not None and run.counted_since == table.counted_since

    def draw(self, table: TableStatus) -> None:
        """How far a table is. An item counts once: as a row of a first copy, else as a change that was followed."""
        if table.phase == "SNAPSHOT" and table.running:
            self._copied_first.add(table.table)
            self._bars.tell(table.table, table.rows, table.items, table.phase)
        elif self._once and table.reconcile_share is not None:
            self._bars.tell(table.table, int(table.reconcile_share * table.rows), table.rows, "RECONCILE")
        elif self._once and table.table in self._copied_first:
            self._bars.tell(table.table, table.rows, table.items, table.phase)
        elif self._once and table.followed and self._counts_are_ours(table):
            self._bars.tell(table.table, table.followed, None, table.phase)
        elif not self._once:
            self._bars.end(table.table)


def _rate(per_s: float | None) -> str:
    return "unknown" if per_s is None else f"{per_s:,.1f}"
