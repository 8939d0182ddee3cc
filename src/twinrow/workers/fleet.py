"""The tables of this process side by side, a thread each; one heartbeat and one question for all. They come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from twinrow import clock
from twinrow.clock import Stop
from twinrow.errors import fault_of
from twinrow.mysql import MySQL
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers.asks import ask
from twinrow.workers.local import heartbeat, holder_name
from twinrow.workers.run import Outcome, TableRun
from twinrow.workers.shared import Shared


@dataclass(frozen=True, slots=True)
class Listener:
    """Callbacks that only listen, from any thread.

    `on_waiting`: a table, and why it waits. `on_runs`: the runs of all tables, each time that they change.
    `on_described`: a table's description, before anything of it is read. `on_end`: a table's end.
    """

    on_waiting: Callable[[str, str], None] = lambda table, reason: None
    on_runs: Callable[[Mapping[str, TableRun]], None] = lambda runs: None
    on_described: Callable[[TableDescription], None] = lambda description: None
    on_end: Callable[[str, Outcome], None] = lambda table, outcome: None


class Fleet:
    """Tables that are copied from `add` until their stop is set (or `once`); a broken table never stops the others.

    `outcomes` says of each table how its last run ended. At the end of the `with` every table must have ended.
    """

    def __init__(self, mysql: MySQL, listener: Listener, *, once: bool) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._mysql = mysql
        self._listener = listener
        self._shared = Shared(
            holder_name(), once, clock.boot_time(), on_waiting=listener.on_waiting, on_described=listener.on_described
        )
        self._change = threading.Condition()
        self._alive: dict[str, TableRun] = {}
        self._runs: dict[str, TableRun] = {}
        self._over = Stop()
        self._beside = [
            threading.Thread(target=work, args=(self._shared, mysql, self._over), name=name, daemon=True)
            for work, name in ((heartbeat, "heartbeat"), (ask, "asks"))
        ]

    def __enter__(self) -> Self:
        for thread in self._beside:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._beside:
            thread.join()
        self._mysql.pool.close()

    @property
    def running(self) -> frozenset[str]:
        """The tables whose run has not ended."""
        with self._change:
            return frozenset(self._alive)

    def add(self, contexts: Sequence[TableContext]) -> None:
        """Begin to copy tables. Raises ValueError when a table of the name still runs."""
        runs = {context.name: TableRun(context, self._shared) for context in contexts}
        with self._change:
            if twice := self._alive.keys() & runs.keys():
                raise ValueError(f"still copied: {', '.join(sorted(twice))}")
            self._alive |= runs
            self._runs |= runs
            shown = dict(self._runs)
        self._listener.on_runs(shown)
        for name, run in runs.items():
            threading.Thread(target=self._work, args=(run,), name=f"table-{name}", daemon=True).start()

    def end(self, names: Collection[str]) -> None:
        """Ask tables to end after the batch in hand; the others do not notice. `running` says when they have."""
        with self._change:
            asked = [run for name, run in self._alive.items() if name in names]
        for run in asked:
            run.context.table.stop.set()

    def forget(self, names: Collection[str]) -> None:
        """Tables that have ended are shown no more, and how they ended does not count."""
        with self._change:
            over = set(names) - self._alive.keys()
            self._runs = {name: run for name, run in self._runs.items() if name not in over}
            for name in over:
                self.outcomes.pop(name, None)
                self._shared.forgets(name)
            shown = dict(self._runs)
        self._listener.on_runs(shown)

    def join(self) -> None:
        """Wait until no table runs."""
        with self._change:
            self._change.wait_for(lambda: not self._alive)

    def _work(self, run: TableRun) -> None:
        name = run.context.name
        try:
            outcome = run.run()
        except Exception as error:  # noqa: BLE001 - a table's fault must not stop the others; it is reported as its end
            outcome = Outcome(error=fault_of(error, name))
        try:
            self._listener.on_end(name, outcome)
        finally:
            with self._change:
                self.outcomes[name] = outcome
                del self._alive[name]
                self._change.notify_all()


def run_tables(
    contexts: Sequence[TableContext], mysql: MySQL, *, once: bool, listener: Listener | None = None
) -> dict[str, Outcome]:
    """Copy the tables until their stop is set (or once); how each ended. A broken table never stops the others."""
    with Fleet(mysql, listener or Listener(), once=once) as fleet:
        fleet.add(contexts)
        fleet.join()
        return fleet.outcomes
