"""Conditions: what an attribute must be, types that do not mix, filters of rows, items that are odd."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities.reading import LAW

from twinrow.change import Item
from twinrow.entities.condition import careful, filter_of, read_condition
from twinrow.wanted import WantedConfig

EMPTY: dict[str, Any] = {}


def _holds(wanted: Any, item: Item, *, filtering: bool = True) -> bool:
    return filter_of(read_condition(wanted, filtering=filtering), "#")(item)


@pytest.mark.parametrize(
    ("wanted", "value", "holds"),
    [
        ("Order", {"S": "Order"}, True), ("Order", {"S": "order"}, False), ("Order", {"S": "Order "}, False),
        ("7", {"N": "7"}, False), ("7", {"S": "7"}, True), (7, {"S": "7"}, False), (7, {"N": "7"}, True),
        (7, {"N": "7.0"}, True), (7.0, {"N": "7"}, True), (7, {"N": "7E0"}, True), (0.1, {"N": "0.10"}, True),
        (70, {"N": "7E1"}, True), (-0.0, {"N": "0"}, True), (7, {"N": "8"}, False), (1e300, {"N": "1"}, False),
        (True, {"BOOL": True}, True), (True, {"BOOL": False}, False), (False, {"BOOL": False}, True),
        (True, {"S": "true"}, False), (True, {"N": "1"}, False), (1, {"BOOL": True}, False), ("", {"S": ""}, True),
        ("x", {"NULL": True}, False), ("x", {"M": {}}, False), ("x", {"SS": ["x"]}, False), ("x", {"B": "eA=="}, False),
        (["a", "b"], {"S": "b"}, True), (["a", "b"], {"S": "c"}, False), (["a", 7, True], {"N": "7"}, True),
        (["a", 7, True], {"BOOL": True}, True), (["a#{x}", "b#{x}"], {"S": "b#1"}, True),
        (["a#{x}", "b"], {"S": "b"}, True), (["a#{x}", "b"], {"S": "a#"}, False),
        (WantedConfig(exists=True), {"NULL": True}, True), (WantedConfig(exists=False), {"NULL": True}, False),
        (WantedConfig(other_than="DRAFT"), {"S": "DRAFT"}, False), (WantedConfig(other_than="DRAFT"), {"S": "x"}, True),
        (WantedConfig(other_than="7"), {"N": "7"}, True), (WantedConfig(other_than=[7, "a"]), {"N": "7.0"}, False),
        (WantedConfig(other_than="T#{x}"), {"S": "T#1"}, False), (WantedConfig(other_than="T#{x}"), {"S": "T#"}, True),
        (WantedConfig(low=1, high=3), {"N": "1"}, True), (WantedConfig(low=1, high=3), {"N": "3.0"}, False),
        (WantedConfig(low=1, high=3), {"N": "2.999"}, True), (WantedConfig(low=1), {"S": "2"}, False),
        (WantedConfig(low=1), {"N": "1E125"}, True), (WantedConfig(high=0), {"N": "-1E-130"}, True),
        (WantedConfig(low="a", high="b"), {"S": "a"}, True), (WantedConfig(low="a", high="b"), {"S": "b"}, False),
        (WantedConfig(low="a", high="b"), {"S": "aé"}, True), (WantedConfig(low="a"), {"N": "1"}, False),
        (WantedConfig(low="\uffff"), {"S": "\U0001f986"}, True), (WantedConfig(low=1, other_than=2), {"N": "2"}, False),
        (WantedConfig(low=1, other_than=2), {"N": "3"}, True), (WantedConfig(low=1), {"N": "one"}, False),
    ],
)  # fmt: skip
def test_what_an_attribute_must_be(wanted: Any, value: dict[str, Any], *, holds: bool) -> None:
    assert _holds({"a": wanted}, {"a": value}) is holds


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ("x", False), ("{x*}", False), (7, False), (False, False), (WantedConfig(exists=True), False),
        (WantedConfig(exists=False), True), (WantedConfig(other_than="x"), False), (WantedConfig(low=1), False),
    ],
)  # fmt: skip
def test_a_missing_attribute_matches_nothing_but_its_absence(wanted: Any, *, holds: bool) -> None:
    assert _holds({"a": wanted}, {"b": {"S": "x"}}) is holds


def test_all_attributes_must_match_and_any_of_several_tables() -> None:
    both = {"a": "1", "b": 2}
    assert _holds(both, {"a": {"S": "1"}, "b": {"N": "2"}})
    assert not _holds(both, {"a": {"S": "1"}})
    assert _holds([{"a": "1"}, {"b": 2}], {"b": {"N": "2"}})
    assert not _holds([{"a": "1"}, {"b": 2}], {"b": {"N": "3"}})


def test_the_same_part_must_hold_the_same_text() -> None:
    root = {"PK": "USER#{u}", "SK": "USER#{u}"}
    assert _holds(root, {"PK": {"S": "USER#1"}, "SK": {"S": "USER#1"}})
    assert not _holds(root, {"PK": {"S": "USER#1"}, "SK": {"S": "USER#2"}})
    assert _holds({"PK": "{u}#{u}"}, {"PK": {"S": "1#1"}})
    assert not _holds({"PK": "{u}#{u}"}, {"PK": {"S": "1#2"}})


def test_of_several_templates_one_that_fits_the_others_is_found() -> None:
    wanted = {"PK": ["U#{u}", "{x*}"], "SK": "{u}"}
    assert _holds(wanted, {"PK": {"S": "U#1"}, "SK": {"S": "2"}})


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (EMPTY, "is empty"), ([], "empty list"), ({"a": []}, "`a`: is an empty list"), ({"a": "{"}, "`a`: a {"),
        ({"a": float("nan")}, "no number"), ({"a": float("inf")}, "no number"), ({"a": WantedConfig()}, "says nothing"),
        ({"a": WantedConfig(low=2, high=2)}, "matches nothing"), ({"a": WantedConfig(low="a", high=1)}, "two types"),
        ({"a": WantedConfig(low=True)}, "texts that are not empty, or numbers"),
        ({"a": WantedConfig(low="")}, "not empty"),
        ({"a": WantedConfig(exists=False, low=1)}, "never holds"),
        ({f"a{n}": [f"x{m}#{{p}}" for m in range(9)] for n in range(3)}, "multiplied out"),
    ],
)  # fmt: skip
def test_what_is_no_condition(wanted: Any, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read_condition(wanted, filtering=True)


@pytest.mark.parametrize("wanted", [WantedConfig(other_than="x"), WantedConfig(low=1), WantedConfig(high=1)])
def test_what_an_item_is_is_not_told_by_ranges(wanted: WantedConfig) -> None:
    with pytest.raises(ValueError, match="`a`: `not`, `from` and `to` are for `where`"):
        read_condition({"a": wanted})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["S", "N", "BOOL", "x"]), inner),
    max_leaves=6,
)
ODD = st.dictionaries(st.sampled_from(["a", "b", "c"]), _JSON)
"""What no DynamoDB item looks like."""


@LAW
@given(ODD)
def test_what_is_no_item_is_looked_at_without_an_error(item: Any) -> None:
    every = [
        {"a": "x#{p}", "b": ["x", "y"]}, {"a": 7, "b": True}, {"a": WantedConfig(low=1), "b": WantedConfig(high="x")},
        {"a": WantedConfig(other_than=["x#{p}", 7]), "c": WantedConfig(exists=False)},
    ]  # fmt: skip
    _holds(every, careful(item))
