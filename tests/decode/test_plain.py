"""Plain JSON for SQL users, and the way back where it is told to exist."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from tests.fixtures.items import LAW, attribute_values, nested, written_numbers

from twinrow.change import AttributeValue
from twinrow.decode.attribute import kind_of, plain, reversible, typed
from twinrow.decode.kind import LEVELS_MAX
from twinrow.decode.number import canonical_number, exact_decimal, plain_number
from twinrow.decode.plain import settled


@LAW
@given(attribute_values())
def test_what_is_reversible_comes_back_identical(value: AttributeValue) -> None:
    through_json = json.loads(json.dumps(plain(value)))
    if reversible(value):
        assert typed(kind_of(value), through_json) == settled(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"M": {"a": {"N": "1"}, "b": {"L": [{"S": "x"}, {"NULL": True}, {"BOOL": True}]}}},
            {"a": 1, "b": ["x", None, True]},
        ),
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["10", "9", "1.5"]}, [1.5, 9, 10]),
        ({"BS": ["/w==", "AA=="]}, ["AA==", "/w=="]),
        ({"B": "AAE="}, "AAE="),
        ({"N": "0.00001"}, 1e-05),
        ({"N": "-9223372036854775808"}, -(2**63)),
        ({"L": []}, []),
    ],
)
def test_plain_and_back(value: AttributeValue, expected: object) -> None:
    assert plain(value) == expected
    assert reversible(value)


@pytest.mark.parametrize(
    "number",
    [
        "9223372036854775808", "-9223372036854775809", "0.30000000000000004", "1.50", "1E2", "-0", "1.0",
        "0.1234567890123456",
        "1234567.123456789",
        "123456789012345678901234567890", "1e-130",
    ],
)  # fmt: skip
def test_numbers_that_json_bends_are_known(number: str) -> None:
    assert not reversible({"L": [{"N": number}]})
    assert type(plain({"N": number})) in (int, float)


@pytest.mark.parametrize(
    "value", [{"L": [{"B": "AA=="}]}, {"M": {"a": {"SS": ["a"]}}}, {"L": [{"NS": ["1"]}]}, {"B": "AB=="}]
)
def test_what_json_has_no_type_for_is_known(value: AttributeValue) -> None:
    assert not reversible(value)


@LAW
@given(written_numbers())
def test_a_plain_number_is_the_integer_or_the_nearest_double(text: str) -> None:
    number = plain_number(text)
    if isinstance(number, int):
        assert number == exact_decimal(text)
    else:
        assert number == float(text)
    assert canonical_number(text) == canonical_number(str(exact_decimal(text)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("SS", "a"), ("NS", ["a"]), ("S", 1), ("N", "1"), ("M", []), ("L", {}), ("B", 1), ("BS", ["?"]), ("BOOL", 1)],
)
def test_what_is_no_plain_form_is_refused(kind: str, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each has a message of its own
        typed(kind, value)  # type: ignore[arg-type]


def test_levels_beyond_dynamodbs_are_refused() -> None:
    assert reversible(nested({"S": "x"}, 32))
    for walk in (plain, settled):
        with pytest.raises(ValueError, match="nested deeper"):
            walk(nested({"S": "x"}, LEVELS_MAX + 1))
