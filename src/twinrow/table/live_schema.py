"""The schema of one table as rows are written under it now, and the way to a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from twinrow import clock
from twinrow.change import Item
from twinrow.errors import Reason, SchemaBusy, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection, MySQLError
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
from twinrow.schema.table import KeyAttribute, TableSchema, from_json, to_json
from twinrow.sink import ddl, inspect
from twinrow.state import checkpoint, entity, lease, schema_log, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.catalogue import REST, Catalogue, of_one_table
from twinrow.table.table import Table
from twinrow.table.tenure import Tenure

DDL_RETRY_S: Final = 30.0
DDL_LOCK_NAME: Final = "CONCAT('twinrow ddl ', LEFT(SHA2(CONCAT(DATABASE(), '/', %s), 256), 32))"
"""Such locks are the whole server's, with 64 characters."""
DDL_S_MAX: Final = 86_400.0
"""A rebuild that was asked for by hand may take hours."""


WantedOf = Mapping[str, Wanted]
"""The columns that could not be had now, by entity; without a split under REST."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The changes that items ask of a schema: all of them, those that may be done now, and those put off."""

    wished: Evolution
    evolution: Evolution
    put_off: Wanted

    @property
    def entity(self) -> str:
        """Whose schema it is."""
        return self.wished.schema.entity


def put_off_of(asked: Iterable[Asked]) -> WantedOf:
    """The columns that were put off, by entity."""
    return {wish.entity: wish.put_off for wish in asked if wish.put_off}


class LiveSchema:
    """The catalogue of one DynamoDB table, learned from its items and changed under the lease.

    `rest` is the only table today; `of` finds the table of an item, so that there may be several.
    """

    def __init__(self, table: Table, tenure: Tenure) -> None:
        self._table = table
        self._tenure = tenure
        self._catalogue: Catalogue | None = None
        self._ddl_after = self._key_index_after = 0.0
        self._waits_for_rebuild = self._index_trouble = Reason()
        self._wants_person = False
        self._owes_key_index = self._has_indexes = False

    @property
    def catalogue(self) -> Catalogue:
        """The tables under which rows are written now. Raises Transient until it is loaded."""
        if self._catalogue is None:
            raise Transient("the schema is not loaded yet", where=f"table {self._table.name}")
        return self._catalogue

    @property
    def version(self) -> int:
        """The version of the catalogue, which changes with each of its tables."""
        return self.catalogue.version

    @property
    def rest(self) -> TableSchema:
        """The table of the items that no rule takes: today of all items."""
        return self.catalogue.rest

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The key attributes, the same in all tables."""
        return self.catalogue.keys

    def of(self, item: Item) -> TableSchema | None:
        """The table that holds the item's row; None where the item has no row."""
        return self.catalogue.of(item)

    @property
    def waits_for_rebuild(self) -> Reason:
        """Why values wait in extra for their column; empty: none wait."""
        return self._waits_for_rebuild

    @property
    def wants_person(self) -> bool:
        """Whether only a person can end that wait."""
        return self._wants_person

    @property
    def index_trouble(self) -> Reason:
        """Why the analysts' index on the key columns cannot be built; empty: it can, or it is there."""
        return self._index_trouble

    @property
    def owes_key_index(self) -> bool:
        """Whether that index is still to be built."""
        return self._owes_key_index

    def owe_key_index(self, *, owed: bool = True) -> None:
        """Whether that index is to be built, as the start or the end of the first copy finds."""
        self._owes_key_index = owed
        self._has_indexes |= owed

    def nothing_waits(self) -> None:
        """A look has found no value that waits in extra for its column."""
        self._waits_for_rebuild = Reason()

    def take(self, schema: TableSchema) -> None:
        """Rows are written under this schema from now on: a committed transaction has made it a table's."""
        known, split = self._catalogue, self._table.settings.split
        if split is None or known is None:
            self.take_all((schema,))
        else:
            self.take_all({**known.entities, schema.entity: schema}.values())

    def take_all(self, schemas: Iterable[TableSchema]) -> None:
        """The same for all tables of a copy at once, the rest first."""
        split = self._table.settings.split
        if split is None:
            (schema,) = schemas
            self._catalogue = of_one_table(schema)
            return
        from twinrow.table import spread

        self._catalogue = spread.catalogue_of(split, spread.of_entities(schemas))

    def load(self) -> None:
        """Take the schema from MySQL, where it is kept; the server's pages may be others than when it was made."""
        writer, split = self._tenure.open_writer(), self._table.settings.split
        if split is not None:
            from twinrow.table import spread

            schemas = spread.load(writer, self._table.name)
            if schemas:
                self.take_all(schemas)
            return
        registered = tables.load(writer, self._table.name)
        if registered is not None:
            self.take(replace(from_json(registered.table_schema), page_bytes=writer.page_bytes))

    def read_schema(self, text: str) -> TableSchema:
        """A schema of this copy as MySQL keeps it. Raises ValueError."""
        if self._table.settings.split is None:
            return from_json(text)
        from twinrow.entities.table import schema_from_json

        return schema_from_json(text)

    def learn(self, items: Iterable[Item]) -> WantedOf:
        """Evolve the schemas for these items before they are written; what could not be had now waits in extra.

        Whoever writes these items notes it as put off in the same transaction.
        """
        looked_at = list(items)
        if self.catalogue.is_split:
            self._make_tables(looked_at)
        found = {}
        for name, part in self.catalogue.grouped(looked_at).items():
            put_off = self._learn(name, part)
            if put_off:
                found[name] = put_off
        return found

    def _learn(self, name: str, items: Sequence[Item]) -> Wanted:
        asked = self._asked(name, lambda schema, taken: evolve(schema, items, taken))
        if not asked.evolution.steps:
            return asked.put_off
        self.change(asked.evolution)
        return wanted_by(evolve(self.catalogue.entities[name], items).steps)

    def _make_tables(self, items: Iterable[Item]) -> None:
        """Make the tables of `[tables.split]` for texts that are met for the first time."""
        catalogue = self.catalogue
        for item in items:
            value = catalogue.place(item).value
            if value is not None and self.catalogue.place(item).value == value:
                self._make_table(value)

    def _make_table(self, value: str) -> None:
        from twinrow.table import spread

        split = self._table.settings.split
        if split is None:
            return
        with self.ddl_session() as session:
            lease.check(session, self._tenure.lease, self.version)
            intent = checkpoint.load(session, self._table.name, "ddl").get("ddl")
            schema = spread.new_value(
                split, self.catalogue, value, entity.next_number(session, self._table.name),
                lambda into: bool(inspect.columns(session, into)),
                self.read_schema(intent.position) if intent is not None and intent.position else None,
            )  # fmt: skip
            checkpoint.save(self._tenure.open_writer(), self._table.name, {"ddl": Checkpoint(to_json(schema))})
            self.finish_table(session, schema)

    def finish_table(self, session: Connection, schema: TableSchema) -> None:
        """Make the table that an intent tells, unless it is there, and write its rows from now on."""
        schema = replace(schema, version=self.version + 1)
        ddl.create_if_absent(session, schema)
        with self._tenure.transaction() as tx:
            self.keep(tx, schema)
            lease.raise_schema_version(tx, self._tenure.lease, schema.version)
            checkpoint.forget(tx, self._table.name, "ddl")
        self.take(schema)
        self.owe_key_index(owed=self._has_indexes)  # not during a first copy, which would be slower

    def asked(self, items: Iterable[Item]) -> tuple[Asked, ...]:
        """The changes that these items ask of the schemas, for each entity of which there is an item."""
        return tuple(
            self._asked(name, lambda schema, taken, part=part: evolve(schema, part, taken))  # type: ignore[misc]
            for name, part in self.catalogue.grouped(items).items()
        )

    def asks_for_table(self, items: Iterable[Item]) -> bool:
        """Whether an item waits for a table that is still to be made."""
        catalogue = self.catalogue
        return catalogue.is_split and any(catalogue.place(item).value is not None for item in items)

    def asked_before(self, wanted: Wanted, name: str = REST) -> Asked:
        """The changes that items written earlier asked of a schema."""
        return self._asked(name, lambda schema, taken: evolve_to(schema, wanted, taken))

    def _asked(self, name: str, evolve_with: Callable[[TableSchema, Collection[str]], Evolution]) -> Asked:
        schema = self.catalogue.entities[name]
        evolution = self._versioned(evolve_with(schema, ()))
        if not evolution.steps:
            return Asked(evolution, evolution, {})
        if clock.monotonic() < self._ddl_after:
            return Asked(evolution, Evolution(schema, ()), wanted_by(evolution.steps))
        # rare enough to ask which columns users have added: their names are theirs
        known = {column.column for column in schema.columns}
        theirs = inspect.columns(self._tenure.open_writer(), schema.into).keys() - known
        evolution = self._versioned(evolve_with(schema, theirs))
        if any(isinstance(step, WidenColumn) for step in evolution.steps) and not self.may_rebuild():
            command = f"twinrow schema {self._table.name} --apply"
            self._waits_for_rebuild = Reason(f"values wait in extra for a rebuild: {command}", (command,))
            self._wants_person = True
            possible = without_widening(evolution)
            return Asked(evolution, possible, wanted_by(step for step in evolution.steps if step not in possible.steps))
        return Asked(evolution, evolution, {})

    def _versioned(self, evolution: Evolution) -> Evolution:
        """The evolution to the next version of the catalogue: a schema has the version of its last change."""
        if not self.catalogue.is_split or not evolution.steps or evolution.schema.version == self.version + 1:
            return evolution
        return replace(evolution, schema=replace(evolution.schema, version=self.version + 1))

    def may_rebuild(self) -> bool:
        """Whether the table is small enough to be rebuilt without a person's word."""
        return lease.row_count(self._tenure.open_writer(), self._table.name) <= self._table.settings.rebuild_rows_max

    def change(self, evolution: Evolution, *, forced: bool = False) -> None:
        """Intent noted, ALTER, then the version raised under the lease's lock with the history in one transaction.

        Nothing is altered by a process that was paused, which might narrow a column that its successor has widened:
        raises LeaseLost, and where only the schema moved on, that schema is taken. A change that cannot be had now (a
        reader that does not end, another session that changes the schema) is tried again later; values wait in extra
        meanwhile.
        """
        try:
            self._change(evolution, forced=forced)
        except SchemaBusy as busy:
            if forced:
                raise
            self.put_off(busy)

    def put_off(self, trouble: Transient) -> None:
        """A change of the schema cannot be had now, for this reason; the next try comes after DDL_RETRY_S."""
        self._ddl_after = clock.monotonic() + DDL_RETRY_S
        self.wait_for(trouble)

    def wait_for(self, trouble: Transient) -> None:
        """Values wait in extra for this reason."""
        self._waits_for_rebuild = reason_of(trouble)
        self._wants_person = isinstance(trouble, ddl.NeedsRebuild)

    def _change(self, evolution: Evolution, *, forced: bool) -> None:
        with self.ddl_session() as session:
            try:
                lease.check(session, self._tenure.lease, self.version)
            except SchemaMoved:
                if forced:
                    raise
                self.load()
                return
            writer, table = self._tenure.open_writer(), self._table.name
            checkpoint.save(writer, table, {"ddl": Checkpoint(to_json(evolution.schema))})
            try:
                ddl.apply(session, evolution.schema, list(evolution.steps), may_rebuild=forced or self.may_rebuild())
            except Transient as trouble:
                if forced and isinstance(trouble, SchemaBusy):  # what took the name is not ours to be taken up
                    checkpoint.forget(self._tenure.open_writer(), self._table.name, "ddl")
                if forced or not session.open:
                    raise
                self.put_off(trouble)
                evolution = without_widening(evolution)
                adds = [step.column for step in evolution.steps if isinstance(step, AddColumn)]
                if not adds or ddl.not_there(session, evolution.schema, adds):
                    checkpoint.forget(self._tenure.open_writer(), self._table.name, "ddl")
                    return
                # the new columns are there, only the wider ones are not: they are ours from now on, under their names
            else:
                self._waits_for_rebuild = Reason()
            self.enter(evolution)

    def enter(self, evolution: Evolution) -> None:
        """Take what the server's table has become as the schema from now on."""
        evolution = self._versioned(evolution)
        fail_point("before-schema-version")
        with self._tenure.transaction() as tx:
            at = float(tx.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
            descriptions = [ddl.describe(step, tx) for step in evolution.steps]
            schema_log.note(
                tx,
                self._table.name,
                [
                    schema_log.SchemaChange(evolution.schema.version, *description, step.why, at)
                    for description, step in zip(descriptions, evolution.steps, strict=True)
                ],
            )
            self.keep(tx, evolution.schema)
            lease.raise_schema_version(tx, self._tenure.lease, evolution.schema.version)
            checkpoint.forget(tx, self._table.name, "ddl")
        self.take(evolution.schema)

    def keep(self, tx: Connection, schema: TableSchema) -> None:
        """Write a schema down where `load` finds it."""
        if not schema.entity:
            tables.update(tx, self._table.name, table_schema=to_json(schema))
        if self._table.settings.split is not None:
            from twinrow.table import spread

            spread.save(tx, self._table.name, [schema])

    def build_key_index(self) -> None:
        """Build the analysts' index where it is owed; behind a reader that does not end it is tried again later."""
        if not self.owes_key_index or clock.monotonic() < self._key_index_after:
            return
        self._key_index_after = clock.monotonic() + DDL_RETRY_S
        try:
            with self.ddl_session() as session:
                for schema in self.catalogue.tables:
                    ddl.add_key_index(session, schema)
                if self._table.settings.split is not None:
                    from twinrow.table import spread

                    spread.add_indexes(session, self._table.settings.split, self.catalogue)
            self._index_trouble = Reason()
        except (SchemaBusy, TransactionRetry):
            return
        except MySQLError as error:  # nothing hangs on it: the next start tries it again
            self._index_trouble = Reason(f"the index on the key columns cannot be built: {error}", error.commands)
        self._owes_key_index = False

    @contextmanager
    def ddl_session(self) -> Iterator[Connection]:
        """A session for one change of the table: it may take long, and nobody else changes the table meanwhile.

        Idle (its process is paused, or gone with its host) it ends after the lease's time. Raises SchemaBusy.
        """
        session = self._table.mysql.connect(idle_s=self._table.mysql.lease_s, read_timeout_s=DDL_S_MAX)
        try:
            # by the name that the table has, which a setting may be about to change
            into = self._catalogue.rest.into if self._catalogue is not None else self._table.settings.into
            wanted = (into, DDL_LOCK_WAIT_S)
            if not session.query(f"SELECT GET_LOCK({DDL_LOCK_NAME}, %s)", wanted)[0][0]:
                raise SchemaBusy("another session changes the schema", where=f"table {self._table.name}")
            yield session
        finally:
            session.close()
