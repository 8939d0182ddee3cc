"""A column of an override that says `widen` grows, and bends no value that stood in it, nor the text of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW, USERNAME_AND_TIME, attribute_values, numbers
from tests.fixtures.schemas import MIXED

from twinrow.change import AttributeValue
from twinrow.schema.column_type import NUMBER_TOP, ColumnType, decode, encode, parse_type
from twinrow.schema.evolve import WidenColumn, evolve
from twinrow.schema.table import Column, Override, TableSchema, empty_schema, from_json, to_json
from twinrow.schema.widening import TEXT_TOP, both, grows, may_grow, top, widened

VALUES = attribute_values() | st.sampled_from(MIXED)


def column_of(ct: ColumnType, kind: str = "N", *, widen: bool = True) -> Column:
    return Column("a", "a", "S" if kind == "S" else "N", ct, False, True, widen)


def schema_of(ct: ColumnType, *, widen: bool = True) -> TableSchema:
    chosen = (Override("a", type=ct, widen=widen),)
    return empty_schema("reviews", "reviews", USERNAME_AND_TIME, frozenset(), chosen, False)


def item(value: AttributeValue) -> dict[str, AttributeValue]:
    return {"username": {"S": "mia"}, "reviewed_at": {"S": "2024"}, "a": value}


GROWING = [
    (kind, parse_type(text, source))
    for kind, text, source in [
        *(
            ("N", text, None)
            for text in ("TINYINT", "INT UNSIGNED", "BIGINT UNSIGNED", "DECIMAL(1,1)", "DECIMAL(14,2)")
        ),
        *(("N", text, None) for text in ("DECIMAL(20,0)", "DECIMAL(38,20)", "DECIMAL(30,9)")),
        *(("S", text, None) for text in ("VARCHAR(1)", "VARCHAR(191)", "TINYTEXT", "TEXT")),
        *(("N", f"DATETIME({digits})", "epoch_s") for digits in (0, 2, 3)),
        ("N", "DATETIME(3)", "epoch_ms"),
    ]
]
OF_KIND = {
    "N": numbers().map(lambda text: {"N": text}) | st.integers(0, 300).map(lambda n: {"N": f"{n}"})
    | st.decimals(0, 4_000_000_000, places=4).map(lambda n: {"N": f"{n.normalize():f}"}),
    "S": st.text(max_size=300).map(lambda text: {"S": text}),
}  # fmt: skip


@LAW
@given(st.data(), st.sampled_from(GROWING), VALUES)
def test_a_wider_column_stands_for_every_value_that_stood_in_it(
    data: st.DataObject, growing: tuple[str, ColumnType], other: AttributeValue
) -> None:
    kind, ct = growing
    column = column_of(ct, kind)
    assert grows(column)
    first, second = data.draw(OF_KIND[kind]), data.draw(OF_KIND[kind] | st.just(other))
    wide = widened(column, second)
    before = encode(ct, column.kind, first, "mysql")
    if before.exact:
        after = encode(wide, column.kind, first, "mysql")
        assert after.exact
        assert decode(wide, column.kind, after.sql) == first
    assert both(ct, wide) == both(wide, ct)
    assert both(wide, top(column)) == top(column)


@pytest.mark.parametrize(
    ("ct", "value", "wide"),
    [
        ("DECIMAL(14,2)", {"N": "0.25"}, "DECIMAL(14,2)"),
        ("DECIMAL(14,2)", {"N": "0.255"}, "DECIMAL(38,9)"),
        ("DECIMAL(14,2)", {"N": "9" * 31}, "DECIMAL(65,27)"),
        ("DECIMAL(14,2)", {"N": "9" * 20}, "DECIMAL(38,9)"),
        ("DECIMAL(35,0)", {"N": "0.5"}, "DECIMAL(65,27)"),
        ("INT", {"N": "3000000000"}, "BIGINT"),
        ("INT", {"N": "0.5"}, "DECIMAL(38,9)"),
        ("VARCHAR(5)", {"S": "sixsix"}, "MEDIUMTEXT"),
        ("VARCHAR(5)", {"S": "fives"}, "VARCHAR(5)"),
        ("VARCHAR(5)", {"N": "1234567"}, "VARCHAR(5)"),
    ],
)
def test_what_does_not_fit_widens_by_the_ladder(ct: str, value: AttributeValue, wide: str) -> None:
    column = column_of(parse_type(ct), "S" if ct.startswith("VARCHAR") else "N")
    assert widened(column, value) == parse_type(wide)


@pytest.mark.parametrize(
    ("source", "value", "digits"),
    [("epoch_s", "1700000000.5", 3), ("epoch_s", "1700000000.000001", 6), ("epoch_ms", "1700000000000", 0)],
)
def test_a_time_that_is_a_number_gets_more_digits_of_a_second(source: str, value: str, digits: int) -> None:
    column = column_of(parse_type("DATETIME", source))
    assert widened(column, {"N": value}) == parse_type(f"DATETIME({digits})", source)


@pytest.mark.parametrize("ct", [parse_type("DATETIME(3)", "iso8601"), parse_type("DATE"), parse_type("DOUBLE")])
def test_a_column_whose_cells_would_stand_for_other_values_does_not_grow(ct: ColumnType) -> None:
    assert not may_grow(ct)
    assert not grows(column_of(ct))


def test_an_override_grows_only_where_it_says_so() -> None:
    wanted = parse_type("DECIMAL(14,2)")
    fixed = evolve(schema_of(wanted, widen=False), [item({"N": "0.5"})]).schema
    assert evolve(fixed, [item({"N": "0.123"})]).steps == ()
    growing = evolve(schema_of(wanted), [item({"N": "0.5"})]).schema
    assert growing.by_attribute["a"].type == wanted
    (step,) = evolve(growing, [item({"N": "0.123"})]).steps
    assert isinstance(step, WidenColumn)
    assert step.after.type == ColumnType("DECIMAL", 38, 9)
    assert step.why == "a number needs DECIMAL(38,9), more than DECIMAL(14,2)"
    again = evolve(growing, [item({"N": "0.123"})]).schema
    assert evolve(from_json(to_json(again)), [item({"N": "9" * 38})]).schema.by_attribute["a"].type == NUMBER_TOP


def test_a_short_text_grows_by_a_small_number_too() -> None:
    """Numbers of few digits are passed over for the columns that are learned, never for those of an override."""
    growing = evolve(schema_of(parse_type("TINYINT")), [item({"N": "1"})]).schema
    (step,) = evolve(growing, [item({"N": "300"})]).steps
    assert isinstance(step, WidenColumn)
    assert step.after.type == ColumnType("BIGINT")
    assert top(column_of(parse_type("VARCHAR(191)"), "S")) == TEXT_TOP
