"""The ladder is a semilattice, holds what it says, and bends nothing on the way up."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW, attribute_values, numbers
from tests.fixtures.schemas import LADDER, NUMBER_LADDER

from twinrow.change import AttributeValue
from twinrow.decode.attribute import Kind, kind_of
from twinrow.schema.column_type import MIDDLE, NUMBER_TOP, ColumnType, decode, encode, join, least, settled

rungs = st.sampled_from([*NUMBER_LADDER, MIDDLE])


@LAW
@given(rungs, rungs, rungs)
def test_join_is_commutative_associative_and_idempotent(a: ColumnType, b: ColumnType, c: ColumnType) -> None:
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(a, join(a, b)) == join(a, b)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (ColumnType("BIGINT"), ColumnType("DECIMAL", 38, 0), ColumnType("DECIMAL", 38, 0)),
        (ColumnType("BIGINT"), ColumnType("DECIMAL", 38, 9), ColumnType("DECIMAL", 38, 9)),
        (ColumnType("DECIMAL", 38, 0), ColumnType("DECIMAL", 38, 9), NUMBER_TOP),
        (ColumnType("DECIMAL", 38, 9), MIDDLE, ColumnType("DECIMAL", 38, 9)),
        (MIDDLE, ColumnType("DECIMAL", 38, 0), ColumnType("DECIMAL", 38, 0)),
        (ColumnType("BIGINT"), MIDDLE, MIDDLE),
        (NUMBER_TOP, ColumnType("BIGINT"), NUMBER_TOP),
        (ColumnType("JSON"), ColumnType("JSON"), ColumnType("JSON")),
    ],
)
def test_joins(a: ColumnType, b: ColumnType, expected: ColumnType) -> None:
    assert join(a, b) == expected


@LAW
@given(st.sampled_from(LADDER), st.sampled_from([*LADDER, ColumnType("DOUBLE"), ColumnType("DECIMAL", 12, 2)]))
def test_types_of_different_kinds_and_overrides_have_no_join(a: ColumnType, b: ColumnType) -> None:
    if a == b or (a in NUMBER_LADDER and b in NUMBER_LADDER):
        assert join(a, b) in LADDER
    else:
        with pytest.raises(ValueError, match="no join"):
            join(a, b)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", "BIGINT"), ("-9223372036854775808", "BIGINT"), ("9223372036854775807", "BIGINT"), ("1E+2", "BIGINT"),
        ("9223372036854775808", "38,0"), ("9" * 38, "38,0"), ("1" + "0" * 38, "65,27"), ("0.1", "38,9"),
        ("9" * 29 + ".999999999", "38,9"), ("9" * 30 + ".9", "65,27"), ("0.0000000001", "65,27"), ("1.50", "38,9"),
    ],
)  # fmt: skip
def test_the_least_type_of_a_number(number: str, expected: str) -> None:
    least_type = settled(least("N", {"N": number}))
    assert (least_type.name if least_type.name == "BIGINT" else f"{least_type.length},{least_type.scale}") == expected


@LAW
@given(numbers())
def test_the_least_type_holds_the_number_and_no_lower_one_does(number: str) -> None:
    value: AttributeValue = {"N": number}
    least_type = settled(least("N", value))
    holding = {ct for ct in NUMBER_LADDER if encode(ct, "N", value, "mysql").exact}
    if not holding:
        assert least_type == NUMBER_TOP
        return
    assert holding >= {ct for ct in NUMBER_LADDER if join(ct, least_type) == ct}
    # Integers of 20 to 29 digits fit both middle rungs; they stand on the one for integers.
    assert not {ct for ct in holding if join(ct, least_type) == least_type != ct}


@LAW
@given(numbers(), rungs, rungs)
def test_widening_keeps_exact_values_exact(number: str, a: ColumnType, b: ColumnType) -> None:
    value: AttributeValue = {"N": number}
    narrow, wide = encode(a, "N", value, "mysql"), encode(join(a, b), "N", value, "mysql")
    if narrow.exact:
        assert wide.exact
        assert wide.sql == narrow.sql
        assert decode(join(a, b), "N", narrow.sql) == value


@LAW
@given(attribute_values())
def test_every_kind_but_null_has_a_least_type(value: AttributeValue) -> None:
    kind = kind_of(value)
    if kind == "NULL":
        with pytest.raises(ValueError, match="NULL has no column type"):
            least(kind, value)
    else:
        assert settled(least(kind, value)) in LADDER


def test_each_kind_has_its_rung() -> None:
    examples: dict[Kind, AttributeValue] = {kind: {kind: "1" if kind == "N" else []} for kind in get_args(Kind)}
    names = {kind: least(kind, value).name for kind, value in examples.items() if kind != "NULL"}
    assert names == {
        "S": "MEDIUMTEXT", "N": "BIGINT", "B": "MEDIUMBLOB", "BOOL": "BOOLEAN", "M": "JSON", "L": "JSON",
        "SS": "JSON",
        "NS": "JSON", "BS": "JSON",
    }  # fmt: skip
