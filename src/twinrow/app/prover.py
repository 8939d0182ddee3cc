"""`verify_every`: the proof of each table, run by the sync that holds it, within that table's read budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.observe.status import Status, TableStatus
from twinrow.app.observe.troubles import many
from twinrow.app.observe.watch import StatusSource
from twinrow.app.verifying import SIDES, look_at
from twinrow.clock import Stop
from twinrow.errors import TwinrowError, fault_text

if TYPE_CHECKING:
    from twinrow.config import Config
    from twinrow.table.context import TableContext
    from twinrow.verify.reading import Reader
    from twinrow.verify.verdict import Verdict
    from twinrow.workers.run import TableRun

LOOK_EVERY_S = 10.0
TRY_AGAIN_S = 900.0
"""A proof that could not be made (DynamoDB throttles, MySQL is away) is tried again after so long."""


def due(table: TableStatus, every_s: float, at: float) -> bool:
    """Whether a table wants its proof at the moment `at` (MySQL's clock): it is LIVE, and its last is too old."""
    if table.running is False or table.phase != "LIVE" or not table.known:
        return False
    last = table.verified["at"] if table.verified else None
    return last is None or at - last >= every_s or last > at


class Prover:
    """A thread from `with` to its end, which proves table after table; `every_s` are those that want it."""

    def __init__(
        self, config: Config, every_s: Mapping[str, float], source: StatusSource,
        runs: Callable[[], Mapping[str, TableRun]], log: Log,
    ) -> None:  # fmt: skip
        self._asked = config, every_s
        self._source = source
        self._runs = runs
        self._log = log
        self._tried: dict[str, float] = {}
        self._over = Stop()
        self._thread = threading.Thread(target=self._run, name="prover", daemon=True)

    def follow(self, config: Config, every_s: Mapping[str, float]) -> None:
        """From now on these tables want their proof."""
        self._asked = config, every_s

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            status = self._source.latest().status
            for name in self._due(status) if status is not None else ():
                if self._over:
                    return
                self._prove(name)

    def _due(self, status: Status) -> list[str]:
        """The tables of this process that want their proof, the longest wait first."""
        runs, now, every_s = self._runs(), clock.monotonic(), self._asked[1]
        wanted = [
            table
            for table in status.tables
            if table.table in every_s
            and table.table in runs
            and runs[table.table].holds  # else the process that holds it proves it
            and runs[table.table].phase == "LIVE"
            and due(table, every_s[table.table], status.at)
            and now - self._tried.get(table.table, -TRY_AGAIN_S) >= TRY_AGAIN_S
        ]
        return [table.table for table in sorted(wanted, key=lambda table: (table.verified or {}).get("at", 0.0))]

    def _prove(self, name: str) -> None:
        """Verify a table; what is found is kept for `status`."""
        self._tried[name] = clock.monotonic()
        config, run = self._asked[0], self._runs().get(name)
        table = next((table for table in config.tables if table.name == name), None)
        if run is None or table is None:
            return
        try:
            verdict = look_at(config, table, self._over, _verify, run.context)
        except TwinrowError as trouble:
            if not self._over:
                self._log.event("warning", "verify", name, f"verify was not possible, tried again later: {trouble}")
            return
        except Exception as fault:  # noqa: BLE001 - the proof of the other tables goes on; the fault is logged
            self._log.event("error", "verify", name, f"verify ended by a {fault_text(fault)} (please report it)")
            return
        if not self._over:
            self._say(verdict)

    def _say(self, verdict: Verdict) -> None:
        differences = sum(getattr(verdict, side) for side in SIDES)
        found = many(differences, "difference") if differences else "no difference"
        self._log.event(
            "warning" if differences else "info", "verify", verdict.table,
            f"verify: {verdict.items:,} items, {verdict.rows:,} rows: {found}, {verdict.seconds:.1f} s",
        )  # fmt: skip


def _verify(reader: Reader, _context: TableContext) -> Verdict:
    from twinrow.verify.verify import verify_table

    return verify_table(reader, lambda items, of: None)
