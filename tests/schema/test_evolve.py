"""Learning from items: the same types in whatever order, no wider than needed, and never more than a row holds."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import COSTLY_LAW, USERNAME_AND_TIME, items
from tests.fixtures.schemas import schemas_and_items, wide_names

from twinrow.change import AttributeValue, Item
from twinrow.decode.attribute import kind_of
from twinrow.schema.column_type import NUMBER_TOP, ColumnType, encode, join, parse_type, record_bytes, row_bytes
from twinrow.schema.evolve import (
    COLUMNS_MAX,
    ROW_BYTES_MAX,
    AddColumn,
    Evolution,
    WidenColumn,
    evolve,
    without_widening,
)
from twinrow.schema.naming import fold
from twinrow.schema.table import Column, Override, TableSchema, empty_schema, from_json, to_json

KEY: Item = {"username": {"S": "mia"}, "reviewed_at": {"S": "2024"}}


def start(*overrides: Override, own: frozenset[str] = frozenset()) -> TableSchema:
    return empty_schema("reviews", "reviews", USERNAME_AND_TIME, own, overrides, False)


def item(**attributes: AttributeValue) -> Item:
    return {**KEY, **attributes}


def types(schema: TableSchema) -> dict[str, tuple[str, ColumnType]]:
    return {column.attribute: (column.kind, column.type) for column in schema.columns}


def test_new_attributes_become_columns_in_one_step() -> None:
    evolution = evolve(
        start(), [item(b={"N": "1"}, a={"S": "x"}), item(c={"NULL": True}, d={"SS": ["x"]}, b={"N": "1.5"})]
    )
    assert [step.column.attribute for step in evolution.steps if isinstance(step, AddColumn)] == ["a", "b", "d"]
    assert evolution.schema.version == 2
    assert types(evolution.schema)["b"] == ("N", ColumnType("DECIMAL", 38, 9))
    assert [step.why for step in evolution.steps] == ["first seen, as S", "first seen, as N", "first seen, as SS"]


def test_nothing_new_is_no_step_and_the_same_schema() -> None:
    seen = [item(a={"N": "1"}, b={"NULL": True}), item(a={"S": "another kind"}), item(a={"NULL": True})]
    schema = evolve(start(), seen).schema
    again = evolve(schema, [*seen, item(a={"N": "-123456789012"})])
    assert again.schema is schema
    assert again.steps == ()


def test_wider_values_widen() -> None:
    schema = evolve(start(), [item(a={"N": "1"}, z={"N": "1"})]).schema
    evolution = evolve(schema, [item(a={"N": "0.5"}, b={"BOOL": True}, z={"N": "9" * 38})])
    assert [type(step) for step in evolution.steps] == [AddColumn, WidenColumn, WidenColumn]
    widen = evolution.steps[1]
    assert isinstance(widen, WidenColumn)
    assert (widen.before.type, widen.after.type) == (ColumnType("BIGINT"), ColumnType("DECIMAL", 38, 9))
    assert widen.why == "a number needs DECIMAL(38,9), more than BIGINT"
    assert evolution.schema.version == schema.version + 1
    assert types(evolution.schema)["z"] == ("N", ColumnType("DECIMAL", 38, 0))


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([["9223372036854775808", "0.5"]], ColumnType("DECIMAL", 38, 9)),
        ([["0.5", "-" + "9" * 29]], ColumnType("DECIMAL", 38, 9)),
        ([["0.5"], ["9" * 29]], ColumnType("DECIMAL", 38, 9)),
        ([["1", "9" * 20]], ColumnType("DECIMAL", 38, 0)),
        ([["1"], ["9" * 20]], ColumnType("DECIMAL", 38, 0)),
        ([["0.5", "9" * 30]], NUMBER_TOP),
        # what stands in the column may have 38 digits by now
        ([["9" * 20], ["0.5"]], NUMBER_TOP),
    ],
)
def test_fractions_stay_in_the_lower_decimal_while_all_fit(batches: list[list[str]], expected: ColumnType) -> None:
    schema = start()
    for numbers in batches:
        schema = evolve(schema, [item(n={"N": number}) for number in numbers]).schema
    assert schema.by_attribute["n"].type == expected


def test_without_widening_the_new_columns_come_all_the_same() -> None:
    schema = evolve(start(), [item(a={"N": "1"})]).schema
    both = evolve(schema, [item(a={"N": "0.5"}, b={"BOOL": True})])
    only_new = without_widening(both)
    assert types(only_new.schema) == {**types(schema), "b": ("BOOL", ColumnType("BOOLEAN"))}
    assert only_new.schema.version == schema.version + 1
    assert without_widening(evolve(schema, [item(a={"N": "0.5"})])) == Evolution(schema, ())
    assert without_widening(only_new) == only_new


def test_own_and_ignored_attributes_are_never_columns() -> None:
    schema = start(Override("secret", ignore=True), own=frozenset({"migrated", "mysql_id"}))
    assert evolve(schema, [item(secret={"S": "x"}, migrated={"S": "false"}, mysql_id={"N": "1"})]).steps == ()


def test_overridden_columns_take_the_first_kind_that_their_type_holds_and_never_widen() -> None:
    schema = start(
        Override("at", "visited", parse_type("DATETIME(3)", "epoch_ms")), Override("n", type=parse_type("INT"))
    )
    evolution = evolve(schema, [item(at={"L": []}, n={"N": "9" * 38}), item(at={"N": "1"}, n={"N": "0.5"})])
    columns = {column.attribute: column for column in evolution.schema.columns}
    assert columns["at"] == Column("at", "visited", "N", parse_type("DATETIME(3)", "epoch_ms"), False, True)
    assert columns["n"].type == ColumnType("INT")
    assert evolve(evolution.schema, [item(n={"N": "0.5"}, at={"L": []})]).steps == ()


STRAYS: list[tuple[ColumnType, AttributeValue, AttributeValue]] = [
    (parse_type("DECIMAL(12,2)"), {"S": "n/a"}, {"N": "2.5"}),
    (parse_type("DECIMAL(12,2)"), {"S": ""}, {"S": "12.50"}),
    (parse_type("INT"), {"S": "\ud800"}, {"N": "2"}),
    (parse_type("DATETIME(3)", "epoch_ms"), {"S": ""}, {"N": "1700000000000"}),
    (parse_type("DATETIME(3)", "epoch_ms"), {"S": ""}, {"S": "1700000000000"}),
    (parse_type("DATETIME(3)"), {"S": "no date"}, {"N": "1700000000"}),
    (parse_type("BOOLEAN"), {"S": "perhaps"}, {"BOOL": True}),
    (parse_type("BOOLEAN"), {"N": "7"}, {"N": "1"}),
]


@pytest.mark.parametrize(("override", "stray", "meant"), STRAYS)
def test_a_stray_value_takes_no_overridden_column_from_those_that_it_is_meant_for(
    override: ColumnType, stray: AttributeValue, meant: AttributeValue
) -> None:
    schema = start(Override("a", type=override))
    assert evolve(schema, [item(a=stray)]).steps == ()
    learned = evolve(schema, [item(a=stray), item(a=meant)]).schema
    assert learned.by_attribute["a"].kind in meant
    assert encode(override, learned.by_attribute["a"].kind, meant, "mysql").sql is not None


@pytest.mark.parametrize(
    ("override", "first"),
    [
        (parse_type("DECIMAL(12,2)"), {"S": "12.50"}),
        (parse_type("INT"), {"N": "9" * 38}),
        (parse_type("DATETIME(3)", "iso8601"), {"S": "no date"}),
        (parse_type("DATETIME(3)"), {"S": "2024-01-01"}),
        (parse_type("DATETIME(3)"), {"N": "1700000000"}),
        (parse_type("BOOLEAN"), {"N": "1"}),
        (parse_type("VARCHAR(2)"), {"S": "too long"}),
        (parse_type("JSON"), {"S": "x"}),
    ],
)
def test_an_overridden_column_belongs_to_the_kind_that_it_is_made_for(
    override: ColumnType, first: AttributeValue
) -> None:
    schema = evolve(start(Override("a", type=override)), [item(a=first), item(a={"BOOL": True})]).schema
    assert schema.by_attribute["a"].kind in first


@pytest.mark.parametrize("override", [None, parse_type("MEDIUMTEXT"), parse_type("JSON")])
def test_the_commoner_type_wins_whatever_comes_first(override: ColumnType | None) -> None:
    texts, numbers = [item(zip={"S": "01234"})] * 3, [item(zip={"N": "1234"}), item(zip={"N": "0.5"})]
    nothing = [item(zip={"NULL": True})] * 9
    overrides = (Override("zip", type=override),) if override else ()
    for seen in (texts + numbers + nothing, nothing + numbers + texts):
        assert types(evolve(start(*overrides), seen).schema)["zip"] == ("S", override or ColumnType("MEDIUMTEXT"))
    assert types(evolve(start(), [*texts[:1], *numbers]).schema)["zip"] == ("N", ColumnType("DECIMAL", 38, 9))
    tie = types(evolve(start(), [numbers[0], texts[0]]).schema)
    assert tie == types(evolve(start(), [texts[0], numbers[0]]).schema)


def test_names_keep_clear_of_overrides_and_of_columns_that_others_added() -> None:
    schema = start(Override("a", "Rating"))
    evolution = evolve(schema, [item(rating={"S": "x"}, note={"S": "x"})], taken=["NOTE"])
    assert {step.column.column.rpartition("_")[0] for step in evolution.steps if isinstance(step, AddColumn)} == {
        "rating",
        "note",
    }


def test_a_key_number_widens_and_a_key_text_does_not() -> None:
    schema = empty_schema(
        "t", "t", (USERNAME_AND_TIME[0], type(USERNAME_AND_TIME[0])("n", "N")), frozenset(), (), False
    )
    evolution = evolve(schema, [{"username": {"S": "x" * 2048}, "n": {"N": "0.5"}}])
    assert [column.type for column in evolution.schema.columns] == [
        ColumnType("VARCHAR", 2048),
        ColumnType("DECIMAL", 38, 9),
    ]
    assert all(column.key for column in evolution.schema.columns)


@COSTLY_LAW
@given(st.lists(items(), max_size=4), st.randoms(use_true_random=False))
def test_types_do_not_depend_on_the_order_of_items(seen: list[Item], random: object) -> None:
    shuffled = list(seen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one_batch = types(evolve(start(), seen).schema)
    another_order = types(evolve(start(), shuffled).schema)
    assert one_batch == another_order
    one_by_one = start()
    for each in shuffled:
        one_by_one = evolve(one_by_one, [each]).schema
    kinds_of: dict[str, set[str]] = {}
    for each in seen:
        for name, value in each.items():
            kinds_of.setdefault(name, set()).add(kind_of(value))
    for name, kinds in kinds_of.items():
        if len(kinds - {"NULL"}) == 1:
            assert one_batch.get(name) == types(one_by_one).get(name)


@COSTLY_LAW
@given(schemas_and_items())
def test_evolution_only_grows_and_comes_to_rest(made: tuple[TableSchema, list[Item]]) -> None:
    schema, seen = made
    evolution = evolve(schema, seen)
    assert evolve(evolution.schema, seen).steps == ()
    assert evolution == evolve(schema, seen)
    before, after = schema.columns, evolution.schema.columns
    assert [one.attribute for one in after][: len(before)] == [one.attribute for one in before]
    for old, new in zip(before, after, strict=False):
        assert (old.column, old.kind, old.key, old.overridden) == (new.column, new.kind, new.key, new.overridden)
        assert old.type == new.type or join(old.type, new.type) == new.type
    assert len({fold(one.column) for one in after}) == len(after)
    assert evolution.schema.version == schema.version + bool(evolution.steps)


@COSTLY_LAW
@given(st.lists(items(), min_size=1, max_size=3))
def test_numbers_on_the_ladder_are_exact_after_learning(seen: list[Item]) -> None:
    schema = evolve(start(), seen).schema
    for each in seen:
        for name, value in each.items():
            column = schema.by_attribute.get(name)
            if column is not None and column.type != NUMBER_TOP and kind_of(value) == column.kind == "N":
                assert encode(column.type, "N", value, "mysql").exact


def budget(schema: TableSchema) -> int:
    return sum(row_bytes(NUMBER_TOP if one.kind == "N" else one.type) for one in schema.columns)


def test_attributes_beyond_what_a_row_holds_stay_in_extra() -> None:
    wide: Item = {**KEY, **{name: {"S": "x"} for name in wide_names(1500)}}
    schema = evolve(start(), [wide]).schema
    assert 180 < len(schema.columns) < 200
    assert budget(schema) <= 8126
    flags = evolve(start(), [{**KEY, **{name: {"BOOL": True} for name in wide_names(1500)}}]).schema
    assert len(flags.columns) == COLUMNS_MAX
    numbers = evolve(start(), [{**KEY, **{name: {"N": "1"} for name in wide_names(1500)}}]).schema
    assert budget(numbers) <= 8126
    widened = evolve(numbers, [{**KEY, **{name: {"N": "9" * 38 + ".5"} for name in wide_names(1500)}}])
    assert {column.type for column in widened.schema.columns if column.kind == "N"} == {NUMBER_TOP}
    assert len(widened.schema.columns) == len(numbers.columns)
    assert sum(row_bytes(column.type) for column in widened.schema.columns) <= 8126


@pytest.mark.parametrize("page_bytes", sorted(ROW_BYTES_MAX))
def test_the_room_of_a_row_is_that_of_the_servers_pages(page_bytes: int) -> None:
    wide: Item = {**KEY, **{name: {"S": "x"} for name in wide_names(1500)}}
    schema = evolve(replace(start(), page_bytes=page_bytes), [wide]).schema
    assert 0.9 * ROW_BYTES_MAX[page_bytes] - 200 < budget(schema) <= ROW_BYTES_MAX[page_bytes]
    assert from_json(to_json(schema)) == schema


def test_a_schema_kept_before_pages_were_asked_for_is_one_of_16_kb() -> None:
    kept = json.loads(to_json(start()))
    del kept["page_bytes"]
    assert from_json(json.dumps(kept)).page_bytes == 16_384


def test_long_varchars_keep_within_the_servers_row_size() -> None:
    overrides = tuple(Override(f"a{number}", type=parse_type("VARCHAR(10000)")) for number in range(4))
    schema = evolve(start(*overrides), [item(**{f"a{number}": {"S": "x"} for number in range(4)})]).schema
    assert len(schema.columns) == 3
    assert sum(record_bytes(column.type) for column in schema.columns) < 65_535


def test_names_that_no_row_holds_become_no_column() -> None:
    assert evolve(start(), [item(**{"\ud800": {"S": "x"}})]).steps == ()


def test_a_batch_with_nothing_new_costs_next_to_nothing() -> None:
    seen = item(**{f"a{number}": {"S": "x"} for number in range(10)}, n={"N": "12"})
    schema = evolve(start(), [seen]).schema
    batch = [seen] * 10_000
    started = time.perf_counter()
    assert evolve(schema, batch).steps == ()
    assert (time.perf_counter() - started) / len(batch) < 50e-6
