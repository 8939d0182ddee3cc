"""Twinrow from Python, for Airflow and notebooks: `twinrow.load("twinrow.toml").sync_once()`.

Nothing here prints or takes over signals. Every error is a `twinrow.TwinrowError` with `what`, `where`, `remedy` and
the `exit_code` that the command line would give.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinrow import clock
from twinrow.app import wiring
from twinrow.app.observe.status import Status, TableStatus, collect
from twinrow.app.verifying import look_at
from twinrow.clock import Stop
from twinrow.config import Config, TableConfig
from twinrow.errors import TwinrowError

if TYPE_CHECKING:
    from twinrow.table.context import TableContext
    from twinrow.verify.reading import Reader
    from twinrow.verify.verdict import Verdict
    from twinrow.workers.run import Outcome

JOIN_S = 0.5
"""A join without a time-out would keep Ctrl-C waiting."""


@dataclass(frozen=True, slots=True)
class TableSynced:
    """The result of `sync_once` for a table.

    `status` is how the table stands now (None when `error` is set), `left_to_holder` that a sync which runs elsewhere
    did the work; `error` is why the table failed or was refused.
    """

    table: str
    status: TableStatus | None
    left_to_holder: bool
    error: TwinrowError | None

    @property
    def in_step(self) -> bool:
        """Copied, and nothing parked, missed or refused."""
        return self.status is not None and self.status.in_step is True


@dataclass(frozen=True, slots=True)
class Synced:
    """The result of `sync_once`, and how many seconds it took."""

    tables: tuple[TableSynced, ...]
    seconds: float

    @property
    def in_step(self) -> bool:
        """Whether every table is."""
        return all(table.in_step for table in self.tables)


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdicts of `verify`, table by table."""

    tables: tuple[Verdict, ...]

    @property
    def in_step(self) -> bool:
        """Whether every item has its row, every row its item, all equal and linked, and nothing is parked."""
        return all(table.in_step for table in self.tables)


class SyncFailed(TwinrowError):
    """At least one table did not come to its end; `synced` has the results of all tables."""

    def __init__(self, synced: Synced) -> None:
        failed = [table for table in synced.tables if table.error is not None]
        super().__init__("; ".join(str(table.error) for table in failed))
        self.synced = synced
        self.exit_code = min(table.error.exit_code for table in failed if table.error is not None)


class Twinrow:
    """The copies that a configuration names. It holds no connection between calls and may be shared by threads."""

    def __init__(self, config: Config, warnings: Sequence[str] = ()) -> None:
        self.config = config
        self.warnings = tuple(warnings)

    def sync_once(
        self,
        *tables: str,
        adopt_links: bool = False,
        timeout_s: float | None = None,
        on_waiting: Callable[[str, str], None] = lambda table, reason: None,
    ) -> Synced:
        """Bring MySQL up to everything that was in DynamoDB at the call, and return.

        A trouble that passes is waited out; `on_waiting(table, reason)` is called, from other threads. All tables run
        side by side to their ends before anything is raised. Raises SyncFailed when a table failed or was refused,
        TwinrowError when `timeout_s` seconds were not enough (what is committed by then stays), ConfigError for an
        unknown table.
        """
        chosen, stop, began = self._there(tables), Stop(), clock.monotonic()
        outcomes = self._run(chosen, stop, adopt_links, timeout_s, on_waiting)
        well = [table for table in chosen if outcomes[table.name].error is None]
        found = {table.table: table for table in self._status(well).tables} if well else {}
        synced = Synced(
            tuple(
                TableSynced(name, found.get(name), outcome.left_to_holder, outcome.error)
                for name, outcome in outcomes.items()
            ),
            round(clock.monotonic() - began, 3),
        )
        if len(well) < len(chosen):
            raise SyncFailed(synced)
        return synced

    def verify(
        self, *tables: str, progress: Callable[[str, int, int], None] = lambda table, items, of: None
    ) -> Verified:
        """Compare every item with its row, table after table; the app may go on writing, and a sync may run.

        `progress(table, items read, items in all)` is called after each page; the last figure is DynamoDB's own, up to
        six hours old. Reads within the budget and writes nothing. Raises TwinrowError, for example for a table that
        was never copied.
        """
        return Verified(tuple(self._verify(table, progress) for table in self._there(tables)))

    def status(self, *tables: str) -> Status:
        """How far each table is, from MySQL alone: no request goes to DynamoDB. Raises TwinrowError."""
        config = self.config
        if config.patterns:
            from twinrow.app import discovery

            config, _ = discovery.with_tables_copied(config)
        return self._status(config.chosen(tables))

    def _there(self, names: Sequence[str]) -> tuple[TableConfig, ...]:
        """The tables of these names, all when there are none, also those that patterns stand for."""
        config = self.config
        if config.patterns:
            from twinrow.app import discovery

            config, _ = discovery.with_tables_there(config)
        return config.chosen(tuple(names))

    def _status(self, chosen: Sequence[TableConfig]) -> Status:
        with closing(wiring.connect(wiring.mysql_of(self.config))) as session:
            return collect(session, chosen)

    def _verify(self, table: TableConfig, progress: Callable[[str, int, int], None]) -> Verdict:
        from twinrow.verify.verify import verify_table

        def work(reader: Reader, context: TableContext) -> Verdict:
            return verify_table(reader, lambda items, of: progress(context.name, items, of))

        return look_at(self.config, table, Stop(), work)

    def _run(
        self,
        chosen: Sequence[TableConfig],
        stop: Stop,
        adopt_links: bool,
        timeout_s: float | None,
        on_waiting: Callable[[str, str], None],
    ) -> Mapping[str, Outcome]:
        from twinrow.workers.fleet import Listener, run_tables

        mysql = wiring.mysql_of(self.config)
        contexts = wiring.contexts_of(self.config, chosen, stop, adopt_links=adopt_links, mysql=mysql)
        outcomes: dict[str, Outcome] = {}

        def work() -> None:
            outcomes.update(run_tables(contexts, mysql, once=True, listener=Listener(on_waiting)))

        thread = threading.Thread(target=work, name="sync_once", daemon=True)
        thread.start()
        until = None if timeout_s is None else clock.monotonic() + timeout_s
        try:
            while thread.is_alive() and (until is None or clock.monotonic() < until):
                thread.join(JOIN_S if until is None else max(0.0, min(JOIN_S, until - clock.monotonic())))
            late = thread.is_alive()
        finally:
            stop.set()  # Ctrl-C in a notebook, or out of time: each table ends after the batch in hand
            thread.join()
        if late:
            raise TwinrowError(
                f"not through after {timeout_s:g} s", where=f"tables {', '.join(table.name for table in chosen)}",
                remedy="call it again: it goes on from what is committed",
            )  # fmt: skip
        return outcomes


def load(config: str | Path = "twinrow.toml") -> Twinrow:
    """The copies of a configuration file; nothing is sent yet. Raises ConfigError, which names key and place."""
    read, warnings = wiring.read_config(Path(config))
    return Twinrow(read, warnings)
