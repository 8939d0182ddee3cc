"""A table's schema: how it begins, what it refuses, and that it survives being kept as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.fixtures.items import COSTLY_LAW
from tests.fixtures.schemas import schemas_and_items

from twinrow.change import Item
from twinrow.schema.column_type import ColumnType, parse_type
from twinrow.schema.table import KeyAttribute, Override, TableSchema, empty_schema, from_json, to_json

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "N"))


def start(
    *overrides: Override,
    keys: tuple[KeyAttribute, ...] = KEYS,
    own: frozenset[str] = frozenset({"migrated", "mysql_id"}),
) -> TableSchema:
    return empty_schema("reviews", "reviews", keys, own, overrides, False)


def test_a_schema_begins_with_the_key() -> None:
    schema = start()
    assert schema.version == 1
    assert [(column.attribute, column.column, column.kind, column.type) for column in schema.columns] == [
        ("username", "username", "S", ColumnType("VARCHAR", 2048)),
        ("reviewed_at", "reviewed_at", "N", ColumnType("BIGINT")),
    ]
    assert all(column.key and not column.overridden for column in schema.columns)


@pytest.mark.parametrize(
    ("kinds", "types"),
    [
        ("SS", [ColumnType("VARCHAR", 2048), ColumnType("VARCHAR", 1024)]),
        ("BB", [ColumnType("VARBINARY", 2048), ColumnType("VARBINARY", 1024)]),
        ("N", [ColumnType("BIGINT")]),
    ],
)
def test_key_columns_hold_whatever_dynamodb_takes(kinds: str, types: list[ColumnType]) -> None:
    keys = tuple(KeyAttribute(f"k{number}", kind) for number, kind in enumerate(kinds))  # type: ignore[arg-type]
    assert [column.type for column in start(keys=keys).columns] == types


def test_keys_may_be_overridden_and_oddly_named() -> None:
    column = start(Override("reviewed_at", "at", parse_type("DATETIME(3)", "epoch_ms"))).columns[1]
    assert (column.column, column.type.name, column.overridden, column.key) == ("at", "DATETIME", True, True)
    names = [column.column for column in start(keys=(KeyAttribute("row_id", "S"), KeyAttribute("Row_ID", "S"))).columns]
    assert names[0].startswith("row_id_")
    assert names[1].startswith("Row_ID_")
    renamed = start(Override("username", "User")).columns[0]
    assert (renamed.column, renamed.overridden) == ("User", False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([Override("username", ignore=True)], "'username' is part of the key and cannot be ignored"),
        ([Override("mysql_id", "id")], "'mysql_id' is Twinrow's own and has no column"),
        ([Override("a"), Override("a")], "'a' is overridden twice"),
        ([Override("a", "Same"), Override("b", "same")], "'a' and 'b' would share the column 'same'"),
        ([Override("a", "row_id")], "the name is reserved"),
        ([Override("a", "_TWINROW_key")], "the name is reserved"),
        ([Override("a", "x" * 65)], "1 to 64 characters"),
        ([Override("a", "x ")], "white space at the end"),
        ([Override("a", "")], "1 to 64 characters"),
        ([Override("a", "😀")], "above U"),
    ],
)
def test_overrides_that_cannot_be_are_refused(overrides: list[Override], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        start(*overrides)


def test_keys_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="'username' is part of the key and cannot be Twinrow's own"):
        start(own=frozenset({"username"}))
    for keys in ((), (KEYS[0], KEYS[0]), (*KEYS, KeyAttribute("third", "S"))):
        with pytest.raises(ValueError, match="one or two key attributes"):
            start(keys=keys)


def test_ignoring_an_own_attribute_is_harmless() -> None:
    assert start(Override("mysql_id", ignore=True)).left_out == {"mysql_id", "migrated"}


@COSTLY_LAW
@given(schemas_and_items())
def test_a_schema_survives_json(made: tuple[TableSchema, list[Item]]) -> None:
    schema, _ = made
    again = from_json(to_json(schema))
    assert again == schema
    assert hash(again) == hash(schema)
    assert to_json(again) == to_json(schema)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"table":1}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a table's schema"):
        from_json(text)
