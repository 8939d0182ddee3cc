"""A split whose rules were changed: rows move to the tables of the new rules inside MySQL, while the capture goes on.

Each row rebuilds its item, so DynamoDB is not read. All that is written from the start on obeys the new rules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

from twinrow import clock
from twinrow.change import Change, Item
from twinrow.compare.items import Comparer, StoredRow
from twinrow.entities.changed import changed, unsplit
from twinrow.entities.settings import from_json
from twinrow.entities.split import Around, Split, read_split
from twinrow.entities.table import EntitySchema, SplitSettings, entity_schema, rest_schema
from twinrow.errors import SchemaMoved, StartRefused, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.schema.cell import same_stored
from twinrow.schema.naming import quote
from twinrow.schema.row import key_of
from twinrow.schema.table import TableSchema
from twinrow.schema.table import from_json as read_schema
from twinrow.sink import ddl, inspect
from twinrow.state import checkpoint, directory, entity, gap, lease, outbox, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.tables import Registered
from twinrow.table import spread
from twinrow.table.context import TableContext
from twinrow.write.apply import transact
from twinrow.write.batch import Batch
from twinrow.write.cells import LOCK_RETRY_S

PART: Final = "resplit"
"""The checkpoint of a pass under way: the number of the table and the last id that was looked at there."""
CAUSE: Final = "CONFIG_CHANGED"
ROWS_A_MOVE_MAX: Final = 1_000
"""Rows looked at in a step; those that move are a single transaction, and no other row is written meanwhile."""
ROWS_UNSAVED_MAX: Final = 20_000
"""A pass that is interrupted looks at so many rows once more. Rows that stay cost no transaction until then."""


def why_not(settings: SplitSettings | None, registered: Registered) -> str:
    """Why a start cannot apply the split of today to the rows of a copy; empty: it can, or nothing has changed."""
    before_text = registered.settings.get("split")
    if (settings.kept if settings is not None else None) == before_text:
        return ""
    if settings is None:
        return "the table was split when the copy was made"
    if registered.phase == "NEW":
        return "the first copy had begun under another split"
    before, after = _before(registered), _read(settings.kept, settings.split.into)
    difference = changed(before, after)
    if difference.renamed:
        name, old, _ = difference.renamed[0]
        return f"`into` of {name or 'the rest'} was {old!r} when the copy was made"
    for known in after.entities:
        earlier = before.entity(known.name)
        if earlier is not None and earlier.into is not None and {*earlier.parts} != {*known.parts}:
            return f"the parts of entity {known.name!r} were others when the copy was made"
    if before.by_value is not None and before.by_value != after.by_value:
        return "`split` was another when the copy was made"
    columns = {config.name: config.columns for config in from_json(before_text).entities} if before_text else {}
    for config in settings.keys.entities:
        if columns.get(config.name, config.columns) != config.columns:
            return f"`columns` of entity {config.name!r} were others when the copy was made"
    return ""


def _before(registered: Registered) -> Split:
    """The split by which the rows were written."""
    text = registered.settings.get("split")
    return unsplit(registered.into_table) if text is None else _read(text, registered.into_table)


def _read(text: str, into: str) -> Split:
    """A split as it is kept beside a copy; only so two of them can be compared."""
    return read_split(from_json(text), Around(into), "the copy", reads_dynamodb=True)


def adapt(context: TableContext, settings: SplitSettings, registered: Registered) -> None:
    """Make the tables of the new rules, and write rows by them from now on; the pass moves those that are there."""
    if registered.settings.get("split") == settings.kept:
        return
    writer, table = context.tenure.open_writer(), context.name
    known = _known(writer, registered)
    version = max(schema.version for schema in known.values()) + 1
    made = _new_schemas(settings, known, entity.next_number(writer, table))
    schemas = [_under(settings, schema, version) for schema in (*known.values(), *made)]
    with context.live.ddl_session() as session:
        if not registered.is_split:
            _fill_directory(session, table, registered.into_table)
        for schema in made:
            _make(session, schema)
    difference = changed(_before(registered), _read(settings.kept, settings.split.into))
    fail_point("before-resplit")
    with context.tenure.transaction() as tx:
        tables.update(tx, table, config=json.dumps({**registered.settings, "split": settings.kept}))
        for schema in schemas:
            context.live.keep(tx, schema)
        if not registered.is_split:
            entity.count(tx, table, {0: lease.row_count(tx, table)}, {})
        spread.enter_ignored(tx, table, settings)
        checkpoint.save(tx, table, {PART: Checkpoint("0:0")})
        lease.raise_schema_version(tx, context.tenure.lease, version)
        if difference.reasons:
            gap.record(tx, table, CAUSE, at=tx.now())
    context.live.take_all(schemas)


def _known(writer: Connection, registered: Registered) -> dict[str, EntitySchema]:
    """The tables of the copy, by entity."""
    if registered.is_split:
        return {schema.entity: schema for schema in spread.load(writer, registered.table_name)}
    rest = rest_schema(replace(read_schema(registered.table_schema), page_bytes=writer.page_bytes))
    return {rest.entity: rest}


def _new_schemas(settings: SplitSettings, known: dict[str, EntitySchema], number: int) -> list[EntitySchema]:
    """The tables of entities that had none."""
    lacking = [wanted for wanted in settings.split.entities if wanted.into is not None and wanted.name not in known]
    return [entity_schema(settings, new, known[""], max(number, 1) + place) for place, new in enumerate(lacking)]


def _under(settings: SplitSettings, schema: EntitySchema, version: int) -> EntitySchema:
    """A table's schema under the rules of today; that of a removed entity stays until its rows have moved."""
    of = settings.split.entity(schema.entity)
    return replace(schema, version=version, rule=settings.rule_of(of) if of is not None else schema.rule)


def _make(session: Connection, schema: EntitySchema) -> None:
    """Make an entity's table. Raises StartRefused where somebody's table has its name.

    A killed start may have made it: then it is Twinrow's own, and empty.
    """
    there = inspect.columns(session, schema.into)
    rows = session.query(f"SELECT 1 FROM {quote(schema.into)} LIMIT 1") if there else []
    if there and (rows or not inspect.is_ours(there)):
        raise StartRefused(
            "a table of that name is there", where=f"MySQL table {schema.into}",
            remedy=f"set another `into` of entity {schema.entity!r}, or rename it",
        )  # fmt: skip
    if there:
        session.execute(f"DROP TABLE {quote(schema.into)}")
    ddl.create(session, schema)


def _fill_directory(session: Connection, table: str, into: str) -> None:
    """Enter every row of the only table until now; ids that it has given once are not given again."""
    directory.drop(session, table)
    directory.create(session, table)
    directory.fill(session, table, into)


@dataclass(slots=True)
class _Walk:
    """The progress of a pass: the number of the table, the last id looked at there, the last that is durable."""

    number: int
    at: int
    saved: int = 0


class ResplitPass:
    """The pass over the tables of a split; `step` looks at some rows."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._try_at = 0.0
        self._walk: _Walk | None = None
        self.looked_at = 0
        known = checkpoint.load(context.tenure.open_writer(), context.name, PART).get(PART)
        if known is not None and known.position:
            number, _, after = known.position.partition(":")
            self._walk = _Walk(int(number), int(after))

    @property
    def through(self) -> bool:
        """Whether no row is left to be looked at."""
        return self._walk is None

    def step(self) -> bool:
        """Look at some rows, and move those that belong elsewhere; whether there was anything to do."""
        walk = self._walk
        if walk is None or clock.monotonic() < self._try_at:
            return False
        try:
            self._look(walk)
        except SchemaMoved:
            self._context.live.load()
        except TransactionRetry:  # a lock that somebody holds: these rows can wait, the capture comes first
            self._try_at = clock.monotonic() + LOCK_RETRY_S
            return False
        return True

    def _look(self, walk: _Walk) -> None:
        context = self._context
        by_number = {schema.number: schema for schema in context.live.catalogue.tables}
        schema = by_number.get(walk.number)
        if schema is None:
            self._next_table(walk, by_number)
            return
        rows = self._comparer(context.tenure.open_writer()).rows_after(schema, walk.at, ROWS_A_MOVE_MAX)
        self.looked_at += len(rows)
        last = rows[-1].row_id if rows else walk.at
        moves = [row.row_id for row in rows if not row.deleted and self._moves(row)]
        walk.saved += len(rows)
        if moves or walk.saved >= ROWS_UNSAVED_MAX:
            self._move(schema, moves, f"{walk.number}:{last}")
            walk.saved = 0
        walk.at = last
        if len(rows) < ROWS_A_MOVE_MAX:
            self._next_table(walk, by_number)

    def _next_table(self, walk: _Walk, by_number: dict[int, TableSchema]) -> None:
        later = [number for number in by_number if number > walk.number]
        if later:
            walk.number, walk.at, walk.saved = min(later), 0, ROWS_UNSAVED_MAX
            return
        fail_point("before-resplit-done")
        with self._context.tenure.transaction() as tx:
            checkpoint.forget(tx, self._context.name, PART)
        self._walk = None

    def _comparer(self, session: Connection) -> Comparer:
        return Comparer(session, self._context.live.catalogue, self._context.settings, set())

    def _moves(self, row: StoredRow) -> bool:
        """Whether a row belongs elsewhere; a row that was changed by hand gives no item, and is left to `verify`."""
        item = self._comparer(self._context.tenure.open_writer()).item_of(row)
        if not item:
            return False
        schema = self._context.live.of(item)
        return schema is None or schema.entity != row.entity or not _shows_parts(schema, row, item)

    def _move(self, schema: TableSchema, row_ids: list[int], position: str) -> None:
        """Write the items of these rows anew under the lock, with the position, in the same transaction."""

        def read(tx: Connection) -> Batch:
            comparer, keys = self._comparer(tx), self._context.live.keys
            items = {
                row.hash: (row, item)
                for row in comparer.rows_of(row_ids)
                if row.entity == schema.entity and (item := comparer.item_of(row))
            }
            # An item whose link is owed still is shown without it, so that the debt stands.
            owed = outbox.standing(tx, self._context.name, list(items)) if items else {}
            changes = [
                Change("PUT", "RECHECK", key_of(keys, item), self._linked(row, item, owes=key in owed), key_hash=key)
                for key, (row, item) in items.items()
            ]
            return Batch(changes, {PART: Checkpoint(position)})

        transact(self._context, read)
        fail_point("after-resplit")

    def _linked(self, row: StoredRow, item: Item, *, owes: bool) -> Item:
        settings = self._context.settings
        if not settings.linked or owes:
            return item
        return {**item, settings.link_attribute: {"N": str(row.row_id)}}


def _shows_parts(schema: TableSchema, row: StoredRow, item: Item) -> bool:
    """Whether the parts' cells of a row are those that the rules of today give."""
    if not schema.derives:
        return True
    expected = list(row.values)
    for place, column in enumerate(schema.columns):
        if column.derived:
            expected[place] = None
    schema.derive(item, expected)
    return all(
        same_stored(column.type, ours, stored, "mysql")
        for column, ours, stored in zip(schema.columns, expected, row.values, strict=True)
        if column.derived
    )
