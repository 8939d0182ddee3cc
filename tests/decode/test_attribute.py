"""One byte form per value: equal for equal values, different for all others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW, attribute_values, items, nested, numbers, written_numbers

from twinrow.change import AttributeValue, Item
from twinrow.decode.attribute import canonical, canonical_number, canonical_value, digest, kind_of, same, same_value
from twinrow.decode.kind import LEVELS_MAX


@pytest.mark.parametrize(
    ("texts", "canonical_text"),
    [
        (["1", "1.0", "1E0", "01", "+1", "10e-1", "0.1e1"], "1E0"),
        (["0", "-0", "0.0", "0E9", "-0.00"], "0"),
        (["100", "1E+2", "1.00e2"], "1E2"),
        (["-1.5", "-15E-1", "-01.50"], "-15E-1"),
        (["9223372036854775807"], "9223372036854775807E0"),
    ],
)
def test_a_number_has_one_text(texts: list[str], canonical_text: str) -> None:
    assert {canonical_number(text) for text in texts} == {canonical_text}


@pytest.mark.parametrize(
    "text", ["", ".", "-", "e1", "1e", "NaN", "Infinity", "1_0", " 1", "1 ", "\uff11", "0x1", "1e9999999999"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a DynamoDB number"):
        canonical_number(text)


@LAW
@given(written_numbers(), written_numbers())
def test_numbers_are_equal_by_value_only(a: str, b: str) -> None:
    assert (canonical_number(a) == canonical_number(b)) == (Decimal(a) == Decimal(b))
    assert Decimal(canonical_number(a)) == Decimal(a)


@LAW
@given(numbers(), st.integers(0, 5))
def test_trailing_zeros_change_nothing(number: str, zeros: int) -> None:
    padded = number + ("" if "." in number else ".") + "0" * zeros
    assert canonical_number(padded) == canonical_number(number)


DIFFERENT: list[AttributeValue] = [
    {"S": ""}, {"S": "1"}, {"N": "1"}, {"B": ""}, {"B": "MQ=="}, {"BOOL": True}, {"BOOL": False}, {"NULL": True},
    {"L": []}, {"M": {}}, {"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, {"L": [{"S": "ab"}]},
    {"L": [{"L": [{"S": "a"}]}, {"S": "b"}]}, {"SS": ["a", "b"]}, {"SS": ["ab"]}, {"NS": ["1"]}, {"SS": ["1"]},
    {"BS": ["MQ=="]},
    {"M": {"a": {"S": "b"}}}, {"M": {"ab": {"S": ""}}}, {"M": {"S": {"S": "x"}}}, {"S": "a "}, {"S": "a"},
    {"S": "A"}, {"S": "ä"},
    {"S": "a\u0308"}, {"S": "\ud800"}, {"S": "\ud801"}, {"S": "1:S1:a"}, {"N": "9007199254740993"},
    {"N": "9007199254740992"},
    {"N": "0.1"}, {"N": "0.10000000000000000000000000000000000001"}, {"M": {"a": {"M": {}}}}, {"M": {"a": {"L": []}}},
]  # fmt: skip


def test_different_values_have_different_forms() -> None:
    forms = {canonical_value(value) for value in DIFFERENT}
    assert len(forms) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"NS": ["1", "2.50"]}, {"NS": ["2.5", "1E0"]}),
        ({"BS": ["AA==", "/w=="]}, {"BS": ["/w==", "AA=="]}),
        ({"M": {"a": {"N": "1"}, "b": {"SS": ["y", "x"]}}}, {"M": {"b": {"SS": ["x", "y"]}, "a": {"N": "1.0"}}}),
    ],
)
def test_what_means_the_same_is_the_same(a: AttributeValue, b: AttributeValue) -> None:
    assert same_value(a, b)
    assert same({"x": a}, {"x": b})
    assert digest({"x": a}, frozenset()) == digest({"x": b}, frozenset())


@LAW
@given(items(), items())
def test_same_is_equality_of_the_canonical_form(a: Item, b: Item) -> None:
    assert same(a, b) == (canonical(a) == canonical(b))
    assert same(a, dict(reversed(a.items())))


@LAW
@given(items(), attribute_values(), attribute_values())
def test_the_digest_sees_all_but_what_is_left_out(item: Item, before: AttributeValue, after: AttributeValue) -> None:
    without = frozenset({"mark"})
    assert digest({**item, "mark": before}, without) == digest({**item, "mark": after}, without)
    seen = digest({**item, "seen": before}, without), digest({**item, "seen": after}, without)
    assert (seen[0] == seen[1]) == same_value(before, after)


def test_digests_kept_in_mysql_stay_valid() -> None:
    item: Item = {
        "s": {"S": "ä"}, "n": {"N": "1.50"}, "b": {"B": "AAE="},
        "m": {"M": {"z": {"NULL": True}, "l": {"L": [{"BOOL": False}]}}},
        "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["10", "9"]}, "bs": {"BS": ["/w==", "AA=="]},
    }  # fmt: skip
    assert canonical(item) == (
        b"M7:k1:bB2:\x00\x01k2:bsbs2:B1:\x00B1:\xffk1:mM2:k1:lL1:Fk1:z0k1:nN5:15E-1k2:nsns2:N3:1E1N3:9E0"
        b"k1:sS2:\xc3\xa4k2:ssss2:S1:aS1:b"
    )
    assert digest(item, frozenset()).hex() == "9cf39d096fee03282d717b35bf16b112"


@pytest.mark.parametrize(
    "value",
    [{}, {"X": "1"}, {"S": "a", "N": "1"}, {"S": 1}, {"M": 1}, {"M": {"a": 1}}, {"L": [{}]}, {"B": "?"}, {"N": "x"}],
)
def test_what_is_no_value_is_refused(value: AttributeValue) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each has a message of its own
        canonical_value(value)


def test_levels_beyond_dynamodbs_are_refused_and_its_own_are_no_trouble() -> None:
    canonical({"x": nested({"S": "x"}, 32)})
    with pytest.raises(ValueError, match="nested deeper"):
        canonical({"x": nested({"S": "x"}, LEVELS_MAX + 1)})


def test_kinds_are_told() -> None:
    assert [kind_of(value) for value in [*DIFFERENT[:2], {"NULL": True}, {"BS": []}]] == ["S", "S", "NULL", "BS"]
