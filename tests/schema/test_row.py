"""Items as rows and back, whatever the schema: digit for digit, byte for byte."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import COSTLY_LAW, LAW, USERNAME_AND_TIME, in_order, items, key_attributes, keys
from tests.fixtures.schemas import overrides_and_mixed_items, schemas_and_items
from tests.schema.test_cell import after_mysql

from twinrow.change import AttributeValue, Item
from twinrow.decode.attribute import same
from twinrow.flavour import SqlValue
from twinrow.schema.cell import encode, prints_all
from twinrow.schema.column_type import parse_type
from twinrow.schema.evolve import evolve
from twinrow.schema.row import (
    Row,
    Unrepresentable,
    differing,
    fingerprint,
    key_of,
    rebuilt_cells,
    to_item,
    to_row,
)
from twinrow.schema.table import KeyAttribute, Override, TableSchema, empty_schema

KEY: Item = {"username": {"S": "mia"}, "reviewed_at": {"S": "2024"}}


def learned(
    *seen: Item, overrides: tuple[Override, ...] = (), own: frozenset[str] = frozenset({"mysql_id"})
) -> TableSchema:
    return evolve(empty_schema("reviews", "reviews", USERNAME_AND_TIME, own, overrides, False), seen).schema


def stored_by_mysql(schema: TableSchema, row: Row) -> list[SqlValue]:
    return [after_mysql(column.type, value) for column, value in zip(schema.columns, row.values, strict=True)]


@COSTLY_LAW
@given(schemas_and_items())
def test_the_row_alone_gives_the_item_back(made: tuple[TableSchema, list[Item]]) -> None:
    schema, found = made
    for item in found:
        row = to_row(schema, item, "mysql")
        assert row == to_row(schema, item, "mariadb")
        expected = in_order({name: value for name, value in item.items() if name not in schema.left_out})
        assert in_order(to_item(schema, row.values, row.extra)) == expected
        assert in_order(to_item(schema, stored_by_mysql(schema, row), row.extra)) == expected


@COSTLY_LAW
@given(schemas_and_items())
def test_extra_holds_what_no_column_does_and_nothing_else(made: tuple[TableSchema, list[Item]]) -> None:
    schema, found = made
    for item in found:
        row = to_row(schema, item, "mysql")
        extra = json.loads(row.extra) if row.extra is not None else {}
        assert extra != {} or row.extra is None
        without_extra = to_item(schema, row.values, None)
        for name, value in in_order(item).items():
            if name in schema.left_out:
                assert name not in extra
            elif name in extra or name not in schema.by_attribute:
                assert extra[name] == value
            else:
                assert without_extra[name] == value


@COSTLY_LAW
@given(schemas_and_items())
def test_a_row_differs_from_itself_in_nothing(made: tuple[TableSchema, list[Item]]) -> None:
    schema, found = made
    for item in found:
        row = to_row(schema, item, "mysql")
        assert differing(schema, row, stored_by_mysql(schema, row), row.extra, "mysql") == ()


@LAW
@given(overrides_and_mixed_items())
def test_an_override_shows_every_value_that_its_type_can_print(made: tuple[TableSchema, list[Item]]) -> None:
    """The cell is that of a column of the value's own type; the item comes back from extra all the same."""
    schema, found = made
    column = schema.by_attribute.get("zip")
    for item in found:
        row, value = to_row(schema, item, "mysql"), item["zip"]
        assert row == to_row(schema, item, "mariadb")
        assert in_order(to_item(schema, stored_by_mysql(schema, row), row.extra)) == in_order(item)
        if column is None:
            continue
        (kind,) = value
        cell = row.values[schema.columns.index(column)]
        own = None if kind == "NULL" else encode(column.type, kind, value, "mysql").sql  # type: ignore[arg-type]
        assert cell == (own if column.overridden or column.kind == kind else None)
        can_print = column.overridden and prints_all(column.type)
        assert row.unshown == (("zip",) if cell is None and kind not in ("NULL", column.kind) and not can_print else ())


@LAW
@given(overrides_and_mixed_items())
def test_a_row_is_rebuilt_from_its_extra_as_it_would_be_written_today(made: tuple[TableSchema, list[Item]]) -> None:
    schema, found = made
    for item in found:
        row = to_row(schema, item, "mysql")
        if row.extra is None or "zip" not in schema.by_attribute:
            continue
        assert rebuilt_cells(schema, row.values, row.extra, "mysql") is None
        place = schema.columns.index(schema.by_attribute["zip"])
        left_behind = [None if number == place else cell for number, cell in enumerate(row.values)]
        rebuilt = rebuilt_cells(schema, left_behind, row.extra, "mysql")
        cell = row.values[place]
        assert rebuilt == (None if cell is None else ({schema.columns[place].column: cell}, row.extra))


@COSTLY_LAW
@given(schemas_and_items(), st.data())
def test_rows_of_different_items_differ(made: tuple[TableSchema, list[Item]], data: st.DataObject) -> None:
    schema, found = made
    a, b = data.draw(st.sampled_from(found)), data.draw(st.sampled_from(found))
    kept = [{name: value for name, value in item.items() if name not in schema.left_out} for item in (a, b)]
    ours, theirs = to_row(schema, a, "mysql"), to_row(schema, b, "mysql")
    found_differences = differing(schema, ours, stored_by_mysql(schema, theirs), theirs.extra, "mysql")
    assert (found_differences == ()) == same(*kept)
    assert (ours == theirs) == same(*kept)


@LAW
@given(st.data())
def test_fingerprints_are_equal_for_equal_keys_only(data: st.DataObject) -> None:
    attributes = data.draw(key_attributes())
    a, b = data.draw(keys(attributes)), data.draw(keys(attributes))
    assert (fingerprint(attributes, a) == fingerprint(attributes, b)) == same(a, b)
    assert fingerprint(attributes, a) == fingerprint(attributes, {"z": {"S": "x"}, **a})
    assert key_of(attributes, {"z": {"S": "x"}, **a}) == a


def key_text(hash_key: str, range_key: str) -> Item:
    return {"username": {"S": hash_key}, "reviewed_at": {"S": range_key}}


def test_fingerprints_tell_alike_keys_apart() -> None:
    texts = ["a", "A", "a ", "a\0", "ä", "a\u0308", "ab", "😀", "1:S1:a", "", "a" * 2048, "\ud800"]
    prints = {fingerprint(USERNAME_AND_TIME, key_text(a, b)) for a in texts for b in texts}
    assert len(prints) == len(texts) ** 2
    number = (KeyAttribute("n", "N"),)
    same_number = {fingerprint(number, {"n": {"N": text}}) for text in ("1", "1.0", "1E0", "10e-1")}
    assert len(same_number) == 1
    far = {
        fingerprint(number, {"n": {"N": text}})
        for text in ("9007199254740993", "9007199254740992", "1E-130", "9.9E125", "-1E-130")
    }
    assert len(far) == 5


def test_fingerprints_kept_in_mysql_stay_valid() -> None:
    keys_of_all_kinds = (KeyAttribute("n", "N"), KeyAttribute("b", "B"))
    assert fingerprint(USERNAME_AND_TIME, KEY).hex() == "5a9400d2842e324f0d8d2391cc178a6c"
    assert (
        fingerprint(keys_of_all_kinds, {"n": {"N": "1.50"}, "b": {"B": "AAE="}}).hex()
        == "138bb1de691df2f492d63ead2d783a08"
    )


@pytest.mark.parametrize("item", [{}, {"username": {"S": "x"}}, {**KEY, "reviewed_at": {"N": "1"}}])
def test_an_item_without_its_key_is_refused(item: Item) -> None:
    with pytest.raises(ValueError, match=r"no key attribute 'reviewed_at'|no key attribute 'username'"):
        fingerprint(USERNAME_AND_TIME, item)
    with pytest.raises(Unrepresentable, match=r"no key attribute"):
        to_row(learned(), item, "mysql")


def test_a_missing_key_attribute_is_named() -> None:
    with pytest.raises(ValueError, match="'reviewed_at'"):
        key_of(USERNAME_AND_TIME, {"username": {"S": "x"}})


@pytest.mark.parametrize(
    "attributes",
    [
        {"text": {"S": "\ud800"}},
        {"new": {"S": "a\udfff"}},
        {"\ud800": {"S": "x"}},
        {"map": {"M": {"\ud800": {"S": "x"}}}},
        {"map": {"M": {"a": {"L": [{"S": "\ud800"}]}}}},
        {"set": {"SS": ["\ud800"]}},
        {"username": {"S": "\ud800"}},
        {"number": {"N": "one"}},
        {"number": {"N": 1}},
        {"binary": {"B": "?"}},
        {"new": {"X": "?"}},
    ],
)
def test_what_no_row_can_hold_is_told(attributes: dict[str, AttributeValue]) -> None:
    seen: dict[str, AttributeValue] = {
        "text": {"S": ""},
        "map": {"M": {}},
        "set": {"SS": [""]},
        "number": {"N": "1"},
        "binary": {"B": ""},
    }
    with pytest.raises(Unrepresentable):
        to_row(learned({**KEY, **seen}), {**KEY, **attributes}, "mysql")


def test_a_row() -> None:
    item: Item = {
        **KEY, "rating": {"N": "4.5"}, "tags": {"SS": ["b", "a"]}, "gone": {"NULL": True}, "mysql_id": {"N": "7"},
        "exact": {"L": [{"N": "0.1234567890123456789"}]}, "empty": {"S": ""}, "new": {"B": "AAE="},
    }  # fmt: skip
    schema = learned({name: value for name, value in item.items() if name != "new"})
    row = to_row(schema, item, "mysql")
    assert {column.attribute: value for column, value in zip(schema.columns, row.values, strict=True)} == {
        "username": "mia", "reviewed_at": "2024", "rating": Decimal("4.5"), "tags": '["a","b"]', "empty": "",
        "exact": "[0.12345678901234568]",
    }  # fmt: skip
    assert row.extra == (
        '{"exact":{"L":[{"N":"0.1234567890123456789"}]},"gone":{"NULL":true},"new":{"B":"AAE="}}'
    )  # fmt: skip
    assert row.key == fingerprint(USERNAME_AND_TIME, item)


def test_the_order_inside_a_set_means_nothing_anywhere() -> None:
    a: Item = {**KEY, "s": {"SS": ["b", "a"]}, "m": {"L": [{"NS": ["10", "9"]}]}, "other": {"BS": ["/w==", "AA=="]}}
    b: Item = {**KEY, "s": {"SS": ["a", "b"]}, "m": {"L": [{"NS": ["9", "10"]}]}, "other": {"BS": ["AA==", "/w=="]}}
    schema = learned({**KEY, "s": a["s"], "m": a["m"], "other": {"S": "of another kind"}})
    assert to_row(schema, a, "mysql") == to_row(schema, b, "mysql")


def test_a_column_changed_by_hand_is_found_even_where_extra_holds_the_value() -> None:
    override = Override("price", type=parse_type("DECIMAL(5,2)"))
    item: Item = {**KEY, "price": {"N": "1.005"}}
    schema = learned(item, overrides=(override,))
    row = to_row(schema, item, "mysql")
    assert row.extra == '{"price":{"N":"1.005"}}'
    by_hand = [*row.values[:2], Decimal("9.99")]
    assert differing(schema, row, by_hand, row.extra, "mysql") == ("price",)
    assert to_item(schema, by_hand, row.extra) == item


@pytest.mark.parametrize(
    ("stored", "names"),
    [
        (None, ("price",)),
        ('{"price":{"N":"1.006"}}', ("price",)),
        ('{"other":{"S":""},"price":{"N":"1.005"}}', ("other",)),
        ('{"price": {"N":"1.005"}}', ("_twinrow_extra",)),
        ("not JSON", ("_twinrow_extra",)),
        ("[]", ("_twinrow_extra",)),
    ],
)
def test_differences_in_extra_are_named(stored: str | None, names: tuple[str, ...]) -> None:
    item: Item = {**KEY, "price": {"N": "1.005"}}
    schema = learned(item, overrides=(Override("price", type=parse_type("DECIMAL(5,2)")),))
    row = to_row(schema, item, "mysql")
    assert differing(schema, row, [*row.values[:2], Decimal("1.00")], stored, "mysql") == names


def test_own_attributes_left_in_extra_by_an_older_configuration_are_not_given_back() -> None:
    assert to_item(learned(), ["mia", "2024"], '{"mysql_id":{"N":"7"},"x":{"S":"y"}}') == {**KEY, "x": {"S": "y"}}
    with pytest.raises(ValueError, match="not an object of DynamoDB values"):
        to_item(learned(), ["mia", "2024"], '["x"]')


@LAW
@given(items(), items())
def test_values_of_another_kind_wait_in_extra(a: Item, b: Item) -> None:
    schema = learned(a)
    row = to_row(schema, b, "mysql")
    for column, value in zip(schema.columns, row.values, strict=True):
        if column.attribute in b and column.kind not in b[column.attribute]:
            assert value is None
            assert row.extra is not None
            assert column.attribute in json.loads(row.extra)
