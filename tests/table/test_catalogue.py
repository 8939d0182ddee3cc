"""The MySQL tables of one DynamoDB table."""

from __future__ import annotations

from twinrow.change import Item
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema
from twinrow.table.catalogue import REST, Catalogue, ItemPlace, of_one_table

KEYS = (KeyAttribute("PK", "S"),)


def schema_of(into: str) -> TableSchema:
    return empty_schema("shop", into, KEYS, frozenset(), (), False)


def test_without_rules_every_item_has_its_row_in_the_one_table() -> None:
    catalogue = of_one_table(schema_of("shop"))
    assert catalogue.of({"PK": {"S": "ORDER#1"}}) is catalogue.rest
    assert (catalogue.version, catalogue.keys) == (1, KEYS)


def test_rules_lead_an_item_to_the_table_of_its_entity_to_the_rest_or_to_none() -> None:
    orders, rest = schema_of("orders"), schema_of("shop_rest")
    places = {"ORDER": ItemPlace(orders), "GUARD": ItemPlace(None)}

    def place_of(item: Item) -> ItemPlace:
        return places.get(str(item["PK"]["S"]).partition("#")[0], ItemPlace(rest))

    catalogue = Catalogue(3, {REST: rest, "order": orders}, place_of)
    assert catalogue.of({"PK": {"S": "ORDER#1"}}) is orders
    assert catalogue.of({"PK": {"S": "CUSTOMER#1"}}) is rest
    assert catalogue.of({"PK": {"S": "GUARD#1"}}) is None
