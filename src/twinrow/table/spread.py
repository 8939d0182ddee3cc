"""The catalogue of a split: its tables as MySQL keeps them, and the way from an item to its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from twinrow.change import Item
from twinrow.entities.columns import PartColumn, indexes, value_table
from twinrow.entities.route import NO_MATCH, Target, router
from twinrow.entities.table import (
    EntitySchema,
    SplitSettings,
    entity_schema,
    rest_schema,
    schema_from_json,
    value_schema,
)
from twinrow.mysql import Connection
from twinrow.schema.table import DERIVED, TableSchema, to_json
from twinrow.sink import ddl
from twinrow.state import entity
from twinrow.table.catalogue import REST, Catalogue, ItemPlace

VALUE_CHARACTERS_MAX = 190
"""A longer text gets no table of its own: it is no kind of item, and the name of its entity would not fit anywhere."""
NO_ROW = ItemPlace(None)
LETTER = ItemPlace(None, NO_MATCH)


def new_tables(settings: SplitSettings, bare: TableSchema) -> tuple[EntitySchema, ...]:
    """The tables of a copy that begins, the rest first. Raises ValueError as `empty_schema`."""
    with_rows = [known for known in settings.split.entities if known.into is not None]
    return (
        rest_schema(bare),
        *(entity_schema(settings, known, bare, number) for number, known in enumerate(with_rows, 1)),
    )


def catalogue_of(settings: SplitSettings, schemas: Iterable[EntitySchema]) -> Catalogue:
    """The catalogue of these tables."""
    tables = {schema.entity: schema for schema in schemas}
    by_value = {schema.value: schema for schema in tables.values() if schema.value is not None}
    route = router(settings.split, {value: schema.into for value, schema in by_value.items()})
    places: dict[int, ItemPlace] = {}
    targets: list[Target] = []

    def place_of(target: Target) -> ItemPlace:
        if target.fate == "row":
            return ItemPlace(by_value[target.entity] if target.by_value else tables[target.entity])
        return LETTER if target.fate == "letter" else NO_ROW

    def place(item: Item) -> ItemPlace:
        target = route(item)[0]
        found = places.get(id(target))
        if found is not None:
            return found
        if target.fate == "new":  # made for this item alone, so it is not remembered
            return ItemPlace(tables[REST], value=target.entity) if _may_be(target.entity) else ItemPlace(tables[REST])
        targets.append(target)  # lives as long as its number stands in `places`
        places[id(target)] = place_of(target)
        return places[id(target)]

    return Catalogue(max(schema.version for schema in tables.values()), tables, place)


def _may_be(value: str) -> bool:
    """Whether a text gets a table of its own."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return len(value) <= VALUE_CHARACTERS_MAX


def of_entities(schemas: Iterable[TableSchema]) -> list[EntitySchema]:
    """These schemas, each of a table of a split."""
    return [schema for schema in schemas if isinstance(schema, EntitySchema)]


def load(connection: Connection, table: str) -> list[EntitySchema]:
    """The tables as MySQL keeps them, the rest first; none where the copy has not begun."""
    kept = [known.table_schema for known in entity.load(connection, table) if known.table_schema is not None]
    return [replace(schema_from_json(text), page_bytes=connection.page_bytes) for text in kept]


def save(tx: Connection, table: str, schemas: Iterable[TableSchema]) -> None:
    """Enter these tables of a copy, or their new schemas."""
    for schema in of_entities(schemas):
        entity.save(tx, table, schema.number, schema.entity, schema.into, to_json(schema))


def register(connection: Connection, table: str, settings: SplitSettings, schemas: Sequence[TableSchema]) -> None:
    """Enter the tables of a copy that begins, and the entities whose items are ignored, which have none."""
    entity.forget(connection, table)
    save(connection, table, schemas)
    enter_ignored(connection, table, settings)


def enter_ignored(connection: Connection, table: str, settings: SplitSettings) -> None:
    """Enter the entities whose items are ignored, in the place of those that were."""
    entity.forget_ignored(connection, table)
    number = entity.next_number(connection, table)
    for place, name in enumerate(known.name for known in settings.split.entities if known.into is None):
        entity.save(connection, table, number + place, name, None, None)


def new_value(
    settings: SplitSettings,
    catalogue: Catalogue,
    value: str,
    number: int,
    is_there: Callable[[str], bool],
    intent: TableSchema | None,
) -> TableSchema:
    """The table for a text that is met for the first time; `is_there`: whether the server has a table of that name.

    `intent`: the table that a run has begun to make, which may be there already.
    """
    by_value = settings.split.by_value
    if by_value is None:
        raise ValueError("this split makes no tables by value")
    name = f"{by_value.attribute}={value}"
    if intent is not None and intent.entity == name:
        return intent
    taken = [known.into for known in catalogue.tables]
    into = value_table(by_value, value, taken)
    while is_there(into):
        taken.append(into)
        into = value_table(by_value, value, taken)
    return value_schema(catalogue.rest, name, value, into, number)


def add_indexes(session: Connection, settings: SplitSettings, catalogue: Catalogue) -> None:
    """Build the indexes on parts and on the columns that `index` names, where they are not there yet."""
    for known in settings.split.entities:
        schema = catalogue.entities.get(known.name) if known.into is not None else None
        if schema is None:
            continue
        named = {column.attribute: column.column for column in schema.columns}
        parts = [PartColumn(part, named[DERIVED + part.name]) for part in known.parts if DERIVED + part.name in named]
        wanted, _ = indexes(
            settings.split, known, parts, {column.attribute: column.column for column in schema.columns}
        )
        for index in wanted:
            ddl.add_index(session, schema, index.name, index.column)
