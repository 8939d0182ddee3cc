"""Before a table's rows are touched: is it new, resumed or changed, and may it be copied at all?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twinrow.capture.pages import Page, PageSource
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import StartRefused
from twinrow.link import due
from twinrow.schema.evolve import AddColumn, Evolution, WidenColumn, evolve, part_of
from twinrow.schema.table import KeyAttribute, TableSchema, check_overrides, empty_schema, from_json, to_json
from twinrow.sink import by_hand, ddl, inspect, row_keys, statements
from twinrow.state import checkpoint, directory, entity, lease, tables
from twinrow.state.tables import Registered
from twinrow.sync import changed_settings, indexes, named_attributes, page_source, reshaping
from twinrow.sync.kind import kind_of
from twinrow.table import identity
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.table.table import Table
from twinrow.table_description import TableDescription
from twinrow.write import cells
from twinrow.write.foreign_ids import items_carry_ids


@dataclass(frozen=True, slots=True)
class Opened:
    """A table whose rows may be written from now on. `pages`: read already, of a new table only."""

    description: TableDescription
    source: PageSource
    pages: list[Page]


def open_table(
    context: TableContext, *, on_described: Callable[[TableDescription], None] = lambda _: None, mending: bool = False
) -> Opened:
    """Open a table under its lease: described, accepted, started, and each link of a former run to be rechecked.

    `on_described` gets the description before anything of the table is read; `mending`: see `start`.
    Raises StartRefused, Broken, LeaseLost, Transient.
    """
    description = context.table.describe()
    on_described(description)
    check_source(context.table, description)
    source, pages = start(context, description, mending=mending)
    due.recheck_unfinished(context.tenure.open_writer(), context.name)
    return Opened(description, source, pages)


def check_source(table: Table, description: TableDescription) -> None:
    """Raise StartRefused for what must be mended in DynamoDB first: no index, wrong mark type, replicas, stream off."""
    settings = table.settings
    if settings.linked and not table.settings.allow_global:
        _refuse_replicas(table, description)
    kind_of(settings).refuse(settings, description)


def _refuse_replicas(table: Table, description: TableDescription) -> None:
    """Raise StartRefused for a global table of either kind.

    Where nobody may ask for the old kind (2017.11.29), nothing is refused, and `check` warns.
    """
    told = "has replicas in other Regions"
    if not description.replicas:
        try:
            regions = table.dynamodb.global_table_regions(table.name)
        except DynamoDBError:
            return
        if table.dynamodb.region not in regions:  # a table of that name in other Regions is another table
            return
        told = f"is a global table of the old kind (2017.11.29, in {', '.join(sorted(regions))})"
    raise StartRefused(
        f"{told}, where last-writer-wins takes whole items", where=f"table {table.name}",
        remedy="set link = false, or allow_global_table_writes = true if one Region writes each item",
    )  # fmt: skip


def check_settings(settings: Settings, description: TableDescription) -> None:
    """Raise StartRefused for settings that contradict the table's key."""
    where = f"table {settings.table}"
    if settings.split is not None:
        from twinrow.entities.split import check_keys

        check_keys(settings.split.split, dict(description.keys), where)
    own_keys = settings.own & {name for name, _ in description.keys}
    if own_keys:
        what = "`link_attribute`" if settings.link_attribute in own_keys else "the mark"
        raise StartRefused(f"{what} {min(own_keys)!r} is a key attribute", where=where, remedy="name another")
    try:
        check_overrides(keys_of(description), settings.own, settings.overrides)
    except ValueError as error:
        raise StartRefused(str(error), where=where, remedy="mend the configuration") from error
    if settings.row_filter is not None:
        from twinrow.entities.row_filter import check_key_types

        check_key_types(settings.row_filter, dict(description.keys), where)


def start(
    context: TableContext, description: TableDescription, *, mending: bool = False
) -> tuple[PageSource, list[Page]]:
    """Make the table ready to be copied into; where its pages come from, and those read already (a new table only).

    `mending`: only rechecks are worked off. They need no index to find a row by (see `duplicates`), so a copy whose
    UNIQUE index is gone is let through: its second rows have to go before the index can come back.

    Raises StartRefused when somebody else's table is in the way, or a changed setting wants a command first.
    """
    check_settings(context.settings, description)
    registered = tables.load(context.tenure.open_writer(), context.name)
    if registered is None:
        return _begin(context, description)
    changed_settings.refuse_another_split(context.settings, registered)
    registered = _resplit(context, registered)
    if registered.phase == "NEW":
        if not inspect.columns(context.tenure.open_writer(), context.settings.into):
            return _begin(context, description)
        # killed between CREATE TABLE and the transaction that says so
        _enter_first(context, _kept_tables(context, registered), page_source.of_copy(context, description))
    resume_ddl(context)
    reshaping.resume(context)
    cells.note_rows_of_before(context)
    changed_settings.refuse(context, description, registered)
    changed_settings.adapt(context, description, registered)
    writer, catalogue = context.tenure.open_writer(), context.live.catalogue
    for schema in catalogue.tables:
        by_hand.stop_changed(writer, schema)
    # the second row of an item is found where there is a single table; in a split each must prove its rows
    unproved = mending and not catalogue.is_split and row_keys.unproved(writer, catalogue.rest.into) is not None
    for schema in catalogue.tables if not unproved else ():
        row_keys.refuse_unproved(writer, schema.into, context.name)
        row_keys.refuse_others_unique(writer, schema.into)
    context.state.begin(first_copy=registered.snapshot_done_at is None, rows_unproved=unproved)
    has_index = context.state.first_copy or (
        not catalogue.is_split and inspect.has_index(writer, catalogue.rest.into, statements.KEY_INDEX)
    )
    context.live.owe_key_index(owed=not has_index)
    return page_source.of_copy(context, description), []


def _resplit(context: TableContext, registered: Registered) -> Registered:
    """Take up other rules than those that the rows were written by; the copy as it is registered then."""
    split = context.settings.split
    if split is None or registered.settings.get("split") == split.kept:
        return registered
    from twinrow.sync import resplit

    resplit.adapt(context, split, registered)
    return tables.load(context.tenure.open_writer(), context.name) or registered


def new_schema(settings: Settings, description: TableDescription) -> TableSchema:
    """The schema before anything is learned: key columns only."""
    return empty_schema(
        settings.table, settings.into, keys_of(description), settings.own, settings.overrides, settings.soft_deletes
    )


def keys_of(description: TableDescription) -> tuple[KeyAttribute, ...]:
    """The key attributes as rows have them."""
    return tuple(KeyAttribute(name, kind, description.sealed) for name, kind in description.keys)  # type: ignore[arg-type]


def _begin(context: TableContext, description: TableDescription) -> tuple[PageSource, list[Page]]:
    settings = context.settings
    bare = replace(new_schema(settings, description), page_bytes=context.tenure.open_writer().page_bytes)
    begun = {known.into for known in entity.load(context.tenure.open_writer(), context.name)} if settings.split else ()
    for schema in _new_tables(settings, bare):
        if schema.into not in begun:  # a run that was killed may have made some of them
            _refuse_table_of_another(context, schema.into)
    kind_of(settings).begin(context, description)
    source = page_source.new(context, description)
    pages = [settings.wanted_of(page) for page in source.first(context.table.stop)]
    by_export = page_source.by_export(context)
    # an export is read later; ids that items carry must be seen before links are written over them
    looked = page_source.look(context, description) if by_export and settings.linked else pages
    _refuse_linked_items(settings, [settings.wanted_of(page) for page in looked])
    # what the first pages teach of an entity is learned when they are applied: its table is empty still
    schemas = _new_tables(settings, bare)
    if settings.split is None:
        schema = evolve(bare, (item for page in pages for item in page.items)).schema
        indexes.refuse(settings, schema)
        named_attributes.refuse_paths(settings, schema, (item for page in pages for item in page.items))
        schemas = (schema,)
    _register(context, description, schemas)
    with context.live.ddl_session() as session:
        if settings.split is not None:
            directory.create(session, context.name)
        for schema in reversed(schemas):  # the rest last: where it is there, all are
            ddl.create_if_absent(session, schema)
    _enter_first(context, schemas, source)
    context.state.begin(first_copy=True)
    return (page_source.of_copy(context, description) if by_export else source), pages


def _new_tables(settings: Settings, bare: TableSchema) -> tuple[TableSchema, ...]:
    """The tables of a copy that begins, the rest first."""
    if settings.split is None:
        return (bare,)
    from twinrow.table import spread

    return spread.new_tables(settings.split, bare)


def _kept_tables(context: TableContext, registered: Registered) -> tuple[TableSchema, ...]:
    """The tables of a copy that was killed while it began."""
    if context.settings.split is None:
        return (from_json(registered.table_schema),)
    from twinrow.table import spread

    return tuple(spread.load(context.tenure.open_writer(), context.name))


def _refuse_table_of_another(context: TableContext, into: str) -> None:
    """Raise StartRefused where a table of that name is there."""
    if not inspect.columns(context.tenure.open_writer(), into):
        return
    registered = next(
        (known for known in tables.load_all(context.tenure.open_writer()) if known.into_table == into), None
    )
    owner = f"is the copy of {registered.table_name}" if registered else "was not made by Twinrow"
    raise StartRefused(
        f"a table of that name {owner}",
        where=f"MySQL table {into}",
        remedy="set another `into`, or rename it",
    )


def _enter_first(context: TableContext, schemas: Sequence[TableSchema], source: PageSource) -> None:
    """The empty tables stand: from now on rows are written under these schemas."""
    with context.tenure.transaction() as tx:
        tables.update(tx, context.name, phase="SNAPSHOT", table_schema=to_json(schemas[0]))
        page_source.note(tx, context.name, source)
        cells.note_rules(tx, context.name)
        lease.raise_schema_version(tx, context.tenure.lease, max(schema.version for schema in schemas))
    context.live.take_all(schemas)


def _refuse_linked_items(settings: Settings, pages: list[Page]) -> None:
    if not settings.linked or settings.adopt_links:
        return
    if any(settings.link_of(item) is not None for page in pages for item in page.items):
        raise items_carry_ids(settings)


def _register(context: TableContext, description: TableDescription, schemas: Sequence[TableSchema]) -> None:
    tables.register(
        context.tenure.open_writer(), context.name, context.settings.into, description.table_id or description.arn,
        json.dumps(changed_settings.summary(context.settings)), to_json(schemas[0]), context.tenure.open_writer().now(),
    )  # fmt: skip
    identity.note(context.tenure.open_writer(), context.name, description)
    source_id = description.table_id or description.arn
    tables.update(  # a table that was begun and not made may have had other settings
        context.tenure.open_writer(), context.name, into_table=context.settings.into, source_id=source_id,
        table_schema=to_json(schemas[0]), config=json.dumps(changed_settings.summary(context.settings)),
    )  # fmt: skip
    if context.settings.split is not None:
        from twinrow.table import spread

        spread.register(context.tenure.open_writer(), context.name, context.settings.split, schemas)


def resume_ddl(context: TableContext) -> None:
    """Take the table's schema as it is now.

    A killed run may have left an intent: what of it the server has done is ours from now on, and no more is done.

    The values ask for the rest again, under the rules of a live table: an old intent is no reason for a rebuild.
    """
    context.live.load()
    intent = checkpoint.load(context.tenure.open_writer(), context.name, "ddl").get("ddl")
    if intent is None or not intent.position:
        return
    wanted = context.live.read_schema(intent.position)
    if wanted.entity not in context.live.catalogue.entities:
        with context.live.ddl_session() as session:
            context.live.finish_table(session, wanted)
        return
    schema = context.live.catalogue.entities[wanted.entity]
    with (
        context.live.ddl_session() as session
    ):  # an ALTER of the former process may still be running: this waits for it
        found = inspect.columns(session, schema.into)
        steps = steps_between(schema, wanted, "finished after an interruption")
        done = tuple(step for step in steps if ddl.is_done(step, found, context.tenure.flavour()))
        if wanted.version > schema.version and done:
            context.live.enter(part_of(schema, Evolution(wanted, steps), done))
        else:
            checkpoint.forget(context.tenure.open_writer(), context.name, "ddl")


def steps_between(before: TableSchema, after: TableSchema, why: str) -> tuple[AddColumn | WidenColumn, ...]:
    """The steps that make one schema into a later one."""
    known = before.by_attribute
    steps: list[AddColumn | WidenColumn] = []
    for column in after.columns:
        old = known.get(column.attribute)
        if old is None:
            steps.append(AddColumn(column, why))
        elif old.type != column.type:
            steps.append(WidenColumn(old, column, why))
    return tuple(steps)
