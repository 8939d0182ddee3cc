"""The MySQL tables of one DynamoDB table, by entity: a single one without a split, which takes all items (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from twinrow.change import Item
from twinrow.schema.table import KeyAttribute, TableSchema

REST: Final = ""
"""The entity of the items that no rule takes; without rules that is every item."""


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """Where an item goes: to the table of `schema`; with None to no row, and with `letter` to a dead letter.

    `value`: the item waits for a table that is still to be made, for this text.
    """

    schema: TableSchema | None
    letter: str = ""
    value: str | None = None


RouteToPlace = Callable[[Item], ItemPlace]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The schemas by entity. All tables of a catalogue change under one version, which the lease's row keeps."""

    version: int
    entities: Mapping[str, TableSchema]
    route: RouteToPlace | None = None

    @property
    def is_split(self) -> bool:
        """Whether there may be several tables, so that a directory tells which of them has an item's row."""
        return self.route is not None

    @property
    def rest(self) -> TableSchema:
        """The table of the items that no rule takes."""
        return self.entities[REST]

    @property
    def tables(self) -> tuple[TableSchema, ...]:
        """The schemas of all tables, the rest first."""
        return tuple(self.entities.values())

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The key of the DynamoDB table, which all entities share."""
        return self.rest.keys

    def place(self, item: Item) -> ItemPlace:
        """Where an item goes."""
        return ItemPlace(self.rest) if self.route is None else self.route(item)

    def of(self, item: Item) -> TableSchema | None:
        """The schema of the table that holds the item's row; None where the item has no row."""
        return self.place(item).schema

    def grouped(self, items: Iterable[Item]) -> dict[str, list[Item]]:
        """The items by the entity whose table has their rows, without those that have none."""
        if self.route is None:
            return {REST: list(items)}
        found: dict[str, list[Item]] = {}
        for item in items:
            schema = self.route(item).schema
            if schema is not None:
                found.setdefault(schema.entity, []).append(item)
        return found


def of_one_table(schema: TableSchema) -> Catalogue:
    """The catalogue of a table without rules."""
    return Catalogue(schema.version, {REST: schema})
