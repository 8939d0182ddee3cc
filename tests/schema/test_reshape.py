"""Changed overrides: what is renamed, what is filled anew, what must come from DynamoDB, and what rows are then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import COSTLY_LAW, USERNAME_AND_TIME
from tests.fixtures.schemas import overrides, schemas_and_items

from twinrow.change import Item
from twinrow.schema.column_type import ColumnType, parse_type
from twinrow.schema.evolve import evolve
from twinrow.schema.reshape import after, before_and_after, dropped, plan, same_overrides
from twinrow.schema.row import Unrepresentable, to_item, to_row
from twinrow.schema.table import Override, TableSchema, empty_schema, from_json, to_json

ITEM: Item = {
    "username": {"S": "mia"}, "reviewed_at": {"S": "2024"}, "price": {"N": "1.5"}, "at": {"N": "1700000000"},
    "zip": {"S": "x"}, "secret": {"S": "y"},
}  # fmt: skip


def learned(*chosen: Override) -> TableSchema:
    return evolve(empty_schema("reviews", "reviews", USERNAME_AND_TIME, frozenset(), chosen, False), [ITEM]).schema


def test_another_name_is_a_rename_and_nothing_else() -> None:
    change = plan(learned(), (Override("price", "cost"),))
    assert (change.renames, change.fetched, change.schema.reshape) == ((("price", "cost"),), (), None)
    assert change.schema.by_attribute["price"].column == "cost"
    back = plan(change.schema, ())
    assert back.renames == (("cost", "price"),)
    assert back.schema.columns == learned().columns


def test_another_type_waits_until_every_row_has_it() -> None:
    schema = learned(Override("zip", "code"))
    wanted = (Override("at", type=parse_type("DATETIME", "epoch_s"), widen=True), Override("zip", "code"))
    change = plan(schema, wanted)
    assert change.renames == ()
    assert change.schema.columns == schema.columns
    assert change.schema.overrides == (Override("zip", "code"),)
    done = after(change.schema)
    assert same_overrides(done.overrides, wanted)
    assert (done.by_attribute["at"].type, done.by_attribute["at"].widen) == (parse_type("DATETIME", "epoch_s"), True)
    assert [column.attribute for column in done.columns] == [column.attribute for column in schema.columns]
    assert done.version == change.schema.version + 1
    assert from_json(to_json(change.schema)) == change.schema


def test_what_is_ignored_goes_out_and_what_is_not_any_more_is_fetched() -> None:
    schema = learned(Override("gone", ignore=True))
    change = plan(schema, (Override("secret", ignore=True),))
    assert change.fetched == ("gone",)
    assert [column.attribute for column in dropped(change.schema)] == ["secret"]
    assert "secret" not in after(change.schema).by_attribute
    assert "secret" in after(change.schema).left_out


def test_without_its_override_a_column_is_as_learned_again_and_may_grow() -> None:
    schema = learned(Override("price", type=parse_type("DECIMAL(14,2)")))
    column = after(plan(schema, ()).schema).by_attribute["price"]
    assert (column.type, column.overridden) == (ColumnType("DECIMAL", 38, 9), False)


def test_an_override_of_the_type_that_a_column_has_shows_values_of_other_types() -> None:
    """The remedy for mixed types: the column stays MEDIUMTEXT, and its cells change."""
    change = plan(learned(), (Override("zip", type=parse_type("MEDIUMTEXT")),))
    assert change.schema.reshape is not None
    item: Item = {**ITEM, "zip": {"N": "12"}}
    row = to_row(change.schema, item, "mysql")
    before, new = before_and_after(change.schema)
    stored = [row.values[change.schema.columns.index(column)] for column in before.columns]
    rebuilt = to_row(new, to_item(before, stored, row.extra), "mysql", row.key)
    assert rebuilt.values == ("12",)
    assert rebuilt.extra == row.extra


def test_overrides_of_attributes_without_a_column_and_in_another_order_change_no_column() -> None:
    chosen = (Override("a", type=parse_type("INT")), Override("b", "c"))
    assert plan(learned(), chosen).schema.reshape is None
    assert plan(learned(), chosen).renames == ()
    assert same_overrides(chosen, tuple(reversed(chosen)))


@COSTLY_LAW
@given(st.data(), schemas_and_items())
def test_a_row_rebuilt_from_itself_is_the_row_of_its_item(
    data: st.DataObject, drawn: tuple[TableSchema, list[Item]]
) -> None:
    """Whatever the settings were and are: without this law a pass would bend rows."""
    schema, items = drawn
    chosen = tuple(one for one in data.draw(overrides(schema.keys, items)) if one.attribute not in schema.own)
    change = plan(schema, chosen)
    if change.schema.reshape is None:
        return
    start, new = change.schema, after(change.schema)
    before, narrow = before_and_after(start)
    for item in items:
        try:
            row = to_row(start, item, "mysql")
        except Unrepresentable:
            continue
        expected = to_row(new, {name: value for name, value in item.items() if name not in start.left_out}, "mysql")
        stored = [row.values[start.columns.index(column)] for column in before.columns]
        rebuilt = to_row(narrow, to_item(before, stored, row.extra), "mysql", row.key)
        cells = dict(zip((column.attribute for column in new.columns), expected.values, strict=True))
        assert rebuilt.values == tuple(cells[column.attribute] for column in narrow.columns)
        assert rebuilt.extra == expected.extra
