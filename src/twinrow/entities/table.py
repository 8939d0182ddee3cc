"""The MySQL tables of a split: the schema of each with the columns of its parts, and the form that is kept in MySQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import msgspec

from twinrow.change import Item
from twinrow.entities.columns import part_columns
from twinrow.entities.part import column_type
from twinrow.entities.route import Route, part_values, router
from twinrow.entities.settings import SplitKeys, from_json, to_json
from twinrow.entities.split import Around, Entity, Split, read_split
from twinrow.flavour import SqlValue
from twinrow.schema.table import DERIVED, Column, Override, TableSchema, empty_schema

REST_NUMBER: Final = 0
"""The number of the rest table. Those of the others are given in order, and never twice in a copy."""


@dataclass(frozen=True)
class SplitSettings:
    """A table's split as the configuration has it: `keys` as written, `split` read from them, overrides by entity."""

    split: Split
    keys: SplitKeys
    overrides: Mapping[str, tuple[Override, ...]]

    @cached_property
    def kept(self) -> str:
        """The text that is kept beside the copy: what its rows were split by."""
        return to_json(self.keys)

    def rule_of(self, entity: Entity) -> str:
        """The rule from which the parts of an entity's rows are made, "" for an entity without parts."""
        if not entity.parts:
            return ""
        config = next(config for config in self.keys.entities if config.name == entity.name)
        alone = msgspec.structs.replace(config, where=None, columns={}, index=[])
        return to_json(SplitKeys(separator=self.keys.separator, entities=[alone]))


@dataclass(frozen=True)
class EntitySchema(TableSchema):
    """The schema of a table of a split. `rule`: see `SplitSettings.rule_of`.

    `number` stands in the directory in the place of the name. `value`: the text that `[tables.split]` made it for.
    """

    entity: str = ""
    number: int = REST_NUMBER
    rule: str = ""
    value: str | None = None

    numbers_rows = False
    __hash__ = TableSchema.__hash__

    @property
    def derives(self) -> bool:
        """Whether the entity has parts."""
        return bool(self.rule)

    def derive(self, item: Item, values: list[SqlValue]) -> None:
        """Fill the parts' cells with what the item's key says; an item of another entity has none of them."""
        places, route = self._parts
        target, texts = route(item)
        if target.parts:
            for place, value in zip(places, part_values(target, texts)[0], strict=True):
                values[place] = value

    def part_cells(self, item: Item) -> tuple[SqlValue, ...]:
        """The cells of the derived columns alone, in the order of the columns."""
        values: list[SqlValue] = [None] * len(self.columns)
        self.derive(item, values)
        return tuple(value for value, column in zip(values, self.columns, strict=True) if column.derived)

    @cached_property
    def without_parts(self) -> TableSchema:
        """The schema of the columns that items fill by themselves."""
        kept = tuple(column for column in self.columns if not column.derived)
        return TableSchema(
            self.table,
            self.into,
            self.version,
            self.keys,
            kept,
            self.own,
            self.overrides,
            self.soft_deletes,
            self.page_bytes,
        )

    @cached_property
    def _parts(self) -> tuple[tuple[int, ...], Route]:
        places = {column.attribute: place for place, column in enumerate(self.columns)}
        (entity,) = read_rule(self.rule).entities
        split = read_rule(self.rule)
        return tuple(places[DERIVED + part.name] for part in entity.parts), router(split)

    @property
    def part_names(self) -> Iterator[tuple[str, str]]:
        """(part, column) of each part."""
        return ((column.attribute.removeprefix(DERIVED), column.column) for column in self.columns if column.derived)


def read_rule(rule: str) -> Split:
    """The split that has a single entity, as `SplitSettings.rule_of` wrote it."""
    return read_split(from_json(rule), Around(into="rest"), "the copy", reads_dynamodb=True)


def rest_schema(bare: TableSchema) -> EntitySchema:
    """The rest table of a split, from the schema that the table would have without a split."""
    return _entity_schema(bare, "", REST_NUMBER)


def entity_schema(settings: SplitSettings, entity: Entity, bare: TableSchema, number: int) -> EntitySchema:
    """The table of an entity before its first item: key and parts. `bare`: the table's schema without a split.

    Raises ValueError as `empty_schema`.
    """
    overrides = settings.overrides.get(entity.name, bare.overrides)
    named = {override.column for override in overrides if override.column is not None}
    parts = part_columns(entity.parts, named)
    columns = tuple(
        Column(DERIVED + part.part.name, part.column, "S", column_type(part.part.type), False, True) for part in parts
    )
    into = entity.into or entity.name
    keys = empty_schema(
        bare.table, into, bare.keys, bare.own, overrides, bare.soft_deletes, frozenset(part.column for part in parts)
    )
    made = TableSchema(
        bare.table, into, 1, bare.keys, keys.columns + columns, bare.own, overrides, bare.soft_deletes, bare.page_bytes
    )
    return _entity_schema(made, entity.name, number, settings.rule_of(entity))


def value_schema(bare: TableSchema, entity: str, value: str, into: str, number: int) -> EntitySchema:
    """The table that `[tables.split]` makes for a text, before its first item."""
    keys = empty_schema(bare.table, into, bare.keys, bare.own, bare.overrides, bare.soft_deletes)
    made = TableSchema(
        bare.table, into, 1, bare.keys, keys.columns, bare.own, bare.overrides, bare.soft_deletes, bare.page_bytes
    )
    return _entity_schema(made, entity, number, value=value)


def _entity_schema(
    schema: TableSchema, entity: str, number: int, rule: str = "", value: str | None = None
) -> EntitySchema:
    common: dict[str, Any] = {field.name: getattr(schema, field.name) for field in fields(TableSchema)}
    return EntitySchema(**common, entity=entity, number=number, rule=rule, value=value)


_decode: Final = msgspec.json.Decoder(EntitySchema).decode


def schema_from_json(text: str) -> EntitySchema:
    """Return the schema that `schema.table.to_json` wrote of a split's table. Raises ValueError for anything else."""
    try:
        return _decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a schema of a split's table: {error}") from error
