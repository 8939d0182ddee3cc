"""The MySQL tables of one DynamoDB table, by entity: today a single one, which takes all items (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from twinrow.change import Item
from twinrow.schema.table import KeyAttribute, TableSchema

REST: Final = ""
"""The entity of the items that no rule takes; without rules that is every item."""

RouteToEntity = Callable[[Item], str | None]
"""Takes an item; gives its entity, or None where the item has no row."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The schemas by entity. All tables of a catalogue change under one version, which the lease's row keeps."""

    version: int
    entities: Mapping[str, TableSchema]
    route: RouteToEntity | None = None

    @property
    def rest(self) -> TableSchema:
        """The table of the items that no rule takes."""
        return self.entities[REST]

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The key of the DynamoDB table, which all entities share."""
        return self.rest.keys

    def of(self, item: Item) -> TableSchema | None:
        """The schema of the table that holds the item's row; None where the item has no row."""
        if self.route is None:
            return self.rest
        entity = self.route(item)
        return None if entity is None else self.entities[entity]


def of_one_table(schema: TableSchema) -> Catalogue:
    """The catalogue of a table without rules."""
    return Catalogue(schema.version, {REST: schema})
