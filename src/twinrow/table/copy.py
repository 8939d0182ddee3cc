"""One table being copied: its connections, lease, schema and budget, and the way to a new schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from twinrow import clock
from twinrow.budget import Budget
from twinrow.capacity import limits
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import LINK_TIMEOUT_S, DynamoDB
from twinrow.errors import LeaseLost, Reason, SchemaBusy, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQL, MySQLError
from twinrow.mysql_session import DDL_LOCK_WAIT_S
from twinrow.schema.evolve import (
    AddColumn,
    Evolution,
    Wanted,
    WidenColumn,
    evolve,
    evolve_to,
    wanted_by,
    without_widening,
)
from twinrow.schema.table import TableSchema, from_json, to_json
from twinrow.sink import ddl, inspect
from twinrow.state import checkpoint, lease, schema_log, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.lease import Lease
from twinrow.table.counters import Counters
from twinrow.table.id_memory import IdMemory
from twinrow.table.settings import Settings
from twinrow.table_description import TableDescription

DDL_RETRY_S = 30.0
DDL_LOCK_NAME = "CONCAT('twinrow ddl ', LEFT(SHA2(CONCAT(DATABASE(), '/', %s), 256), 32))"
"""Such locks are the whole server's, with 64 characters."""
DDL_S_MAX = 86_400.0
"""A rebuild that was asked for by hand may take hours."""
LEASE_MARGIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What items ask of the schema: all of it, the part that may be done now, and what is put off meanwhile."""

    wished: Evolution
    evolution: Evolution
    put_off: Wanted


class Copy:
    """The life of one table's copy in this process. One thread writes rows (`writer`), others settle links."""

    def __init__(
        self,
        settings: Settings,
        dynamodb: DynamoDB,
        mysql: MySQL,
        stop: Stop,
    ) -> None:
        self.settings = settings
        self.dynamodb = dynamodb
        self.mysql = mysql
        self.read_budget = Budget.unset()
        self.write_budget = Budget.unset()
        self.stop = stop
        self.counters = Counters()
        self.snapshotting = False
        self.first_copy = False
        self.held_until = 0.0
        self._lease: Lease | None = None
        self._schema: TableSchema | None = None
        self._writer: Connection | None = None
        self._ddl_after = 0.0
        self._ttl: tuple[str | None, ...] = ()
        self.waits_for_rebuild = Reason()
        self.wants_person = False  # that is what it waits for
        self.has_mixed = True  # values of another type than their column, until a look says that there are none
        self.owes_cells = True  # until a look says that nothing is put off
        self.generation = 0  # the highest that this process knows as committed
        self.owes_key_index = False
        self.sets_apart: bool | None = None  # whether any row has values in extra for want of room; None: not asked yet
        self.rows_unproved = False  # no UNIQUE index keeps a second row of an item out: see `duplicates`
        self.index_trouble = Reason()
        self._key_index_after = 0.0
        self.allow_global = False
        self.accept_tables: frozenset[str] = frozenset()  # ARNs and ids that a person takes for the table from now on
        self.took_table = False  # whether it took another table because of them
        self.accept_deletes: int | None = None  # so many deletes a person allows to the next pass
        self.workers: int | None = None
        self.ids = IdMemory()

    @property
    def table(self) -> str:
        """The DynamoDB table's name."""
        return self.settings.table

    def describe(self) -> TableDescription:
        """What DynamoDB says of the table. Sets both budgets by it; until then they let no request through."""
        description = self.dynamodb.describe(self.table)
        read, write = limits(self.settings.capacity, description)
        self.read_budget.limit(read)
        self.write_budget.limit(write)
        return description

    @property
    def lease(self) -> Lease:
        """The lease. Raises LeaseLost when none is held."""
        if self._lease is None:
            raise LeaseLost("no lease is held", where=f"table {self.table}")
        return self._lease

    @property
    def held(self) -> Lease | None:
        """The lease, or None."""
        return self._lease

    def hold(self, won: Lease, at: float) -> None:
        """Take note of a lease asked for at `at` (`clock.boot_time`) and won; a session of its own writes under it."""
        self.close()
        self._lease = won
        self.sets_apart = None
        self.held_until = at + won.lease_s

    def let_go(self) -> None:
        """Hold no lease any more; the session that wrote under it ends."""
        self._lease = None
        self.held_until = 0.0
        self.close()

    def beaten(self, at: float) -> None:
        """A heartbeat sent at `at` (`clock.boot_time`) got through."""
        if self._lease is not None:
            self.held_until = at + self._lease.lease_s

    def may_call(self) -> bool:
        """Whether the lease outlasts a link call sent now; else it is not sent: a successor could be ahead of it."""
        return self._lease is not None and clock.boot_time() + LINK_TIMEOUT_S + LEASE_MARGIN_S < self.held_until

    def may_write(self) -> bool:
        """Whether this process still believes that it holds the lease."""
        return self._lease is not None and clock.boot_time() < self.held_until

    @property
    def schema(self) -> TableSchema:
        """The schema under which rows are written now."""
        if self._schema is None:
            raise Transient("the schema is not loaded yet", where=f"table {self.table}")
        return self._schema

    @schema.setter
    def schema(self, schema: TableSchema) -> None:
        self._schema = schema

    @property
    def flavour(self) -> Flavour:
        """MySQL or MariaDB."""
        return self.writer.flavour

    @property
    def writer(self) -> Connection:
        """The writing session, opened anew after a loss; the lease tells a successor which one to end."""
        writer = self._writer
        if writer is not None and self.stale(writer):
            self.close()
            writer = None
        if writer is None or not writer.open:
            writer = self._writer = self.mysql.connect(idle_s=self.mysql.lease_s)
            if self._lease is not None:
                lease.claim(writer, self._lease)
        return writer

    def stale(self, session: Connection) -> bool:
        """Whether the server may have ended a session by now, because nobody had used it for too long."""
        return not session.in_transaction and clock.monotonic() - session.used_at > self.mysql.lease_s / 2

    def close(self) -> None:
        """Close the writing session."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def load_schema(self) -> None:
        """Take the schema from MySQL, where it is kept; the server's pages may be others than when it was made."""
        registered = tables.load(self.writer, self.table)
        if registered is not None:
            self._schema = replace(from_json(registered.table_schema), page_bytes=self.writer.page_bytes)

    def ttl_attribute(self) -> str | None:
        """The table's TTL attribute, asked for only where TTL deletes differ from others."""
        if self.settings.soft_deletes == self.settings.soft_ttl_deletes:
            return None
        if not self._ttl:
            self._ttl = (self.dynamodb.ttl_attribute(self.table),)
        return self._ttl[0]

    def learn(self, items: Iterable[Item]) -> Wanted:
        """Evolve the schema for these items before they are written; what could not be had now waits in extra.

        Whoever writes these items notes it as put off in the same transaction.
        """
        looked_at = list(items)
        asked = self.asked(looked_at)
        if not asked.evolution.steps:
            return asked.put_off
        self.change_schema(asked.evolution)
        return wanted_by(evolve(self.schema, looked_at).steps)

    def asked(self, items: Iterable[Item]) -> Asked:
        """What these items ask of the schema."""
        looked_at = list(items)
        return self._asked(lambda taken: evolve(self.schema, looked_at, taken))

    def asked_before(self, wanted: Wanted) -> Asked:
        """What items that were written earlier asked of the schema."""
        return self._asked(lambda taken: evolve_to(self.schema, wanted, taken))

    def _asked(self, evolve_with: Callable[[Collection[str]], Evolution]) -> Asked:
        evolution = evolve_with(())
        if not evolution.steps:
            return Asked(evolution, evolution, {})
        if clock.monotonic() < self._ddl_after:
            return Asked(evolution, Evolution(self.schema, ()), wanted_by(evolution.steps))
        # rare enough to ask which columns users have added: their names are theirs
        known = {column.column for column in self.schema.columns}
        theirs = inspect.columns(self.writer, self.settings.into).keys() - known
        evolution = evolve_with(theirs)
        if any(isinstance(step, WidenColumn) for step in evolution.steps) and not self.may_rebuild():
            command = f"twinrow schema {self.table} --apply"
            self.waits_for_rebuild = Reason(f"values wait in extra for a rebuild: {command}", (command,))
            self.wants_person = True
            possible = without_widening(evolution)
            return Asked(evolution, possible, wanted_by(one for one in evolution.steps if one not in possible.steps))
        return Asked(evolution, evolution, {})

    def may_rebuild(self) -> bool:
        """Whether the table is small enough to be rebuilt without a person's word."""
        return lease.row_count(self.writer, self.table) <= self.settings.rebuild_rows_max

    def change_schema(self, evolution: Evolution, *, forced: bool = False) -> None:
        """Intent noted, ALTER, then the version raised under the lease's lock with the history in one transaction.

        Nothing is altered by a process that was paused, which might narrow a column that its successor has widened:
        raises LeaseLost, and where only the schema moved on, that one is taken. What cannot be had now (a reader that
        does not end, another session that changes the schema) is tried again later; values wait in extra meanwhile.
        """
        try:
            self._change_schema(evolution, forced=forced)
        except SchemaBusy as busy:
            if forced:
                raise
            self._put_off(busy)

    def _put_off(self, trouble: Transient) -> None:
        self._ddl_after = clock.monotonic() + DDL_RETRY_S
        self.waits_for_rebuild = reason_of(trouble)
        self.wants_person = isinstance(trouble, ddl.NeedsRebuild)

    def _change_schema(self, evolution: Evolution, *, forced: bool) -> None:
        with self.ddl_session() as session:
            try:
                lease.check(session, self.lease, self.schema.version)
            except SchemaMoved:
                if forced:
                    raise
                self.load_schema()
                return
            checkpoint.save(self.writer, self.table, {"ddl": Checkpoint(to_json(evolution.schema))})
            try:
                ddl.apply(session, evolution.schema, list(evolution.steps), may_rebuild=forced or self.may_rebuild())
            except Transient as trouble:
                if forced and isinstance(trouble, SchemaBusy):  # what took the name is not ours to be taken up
                    checkpoint.forget(self.writer, self.table, "ddl")
                if forced or not session.open:
                    raise
                self._put_off(trouble)
                evolution = without_widening(evolution)
                adds = [step.column for step in evolution.steps if isinstance(step, AddColumn)]
                if not adds or ddl.not_there(session, evolution.schema, adds):
                    checkpoint.forget(self.writer, self.table, "ddl")
                    return
                # the new columns are there, only the wider ones are not: they are ours from now on, under their names
            else:
                self.waits_for_rebuild = Reason()
            self.enter_schema(evolution)

    def enter_schema(self, evolution: Evolution) -> None:
        """What the server's table has become is the schema from now on."""
        fail_point("before-schema-version")
        with self.writer.transaction() as tx:
            lease.lock(tx, self.lease, None)
            at = float(tx.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
            told = [ddl.describe(step, tx) for step in evolution.steps]
            schema_log.note(
                tx,
                self.table,
                [
                    schema_log.SchemaChange(evolution.schema.version, *one, step.why, at)
                    for one, step in zip(told, evolution.steps, strict=True)
                ],
            )
            tables.update(tx, self.table, table_schema=to_json(evolution.schema))
            lease.raise_schema_version(tx, self.lease, evolution.schema.version)
            checkpoint.forget(tx, self.table, "ddl")
        self._schema = evolution.schema

    def build_key_index(self) -> None:
        """Build the analysts' index where it is owed; behind a reader that does not end it is tried again later."""
        if not self.owes_key_index or clock.monotonic() < self._key_index_after:
            return
        self._key_index_after = clock.monotonic() + DDL_RETRY_S
        try:
            with self.ddl_session() as session:
                ddl.add_key_index(session, self.schema)
            self.index_trouble = Reason()
        except (SchemaBusy, TransactionRetry):
            return
        except MySQLError as error:  # nothing hangs on it: the next start tries it again
            self.index_trouble = Reason(f"the index on the key columns cannot be built: {error}", error.commands)
        self.owes_key_index = False

    @contextmanager
    def ddl_session(self) -> Iterator[Connection]:
        """A session for one change of the table: it may take long, and nobody else changes the table meanwhile.

        Idle (its process is paused, or gone with its host) it ends after the lease's time. Raises SchemaBusy.
        """
        session = self.mysql.connect(idle_s=self.mysql.lease_s, read_timeout_s=DDL_S_MAX)
        try:
            if not session.query(f"SELECT GET_LOCK({DDL_LOCK_NAME}, %s)", (self.settings.into, DDL_LOCK_WAIT_S))[0][0]:
                raise SchemaBusy("another session changes the schema", where=f"table {self.table}")
            yield session
        finally:
            session.close()
