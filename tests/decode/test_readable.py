"""What can be read as an item, at every depth: every item, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import items

from twinrow.change import Item
from twinrow.decode.attribute import digest, exact_digest
from twinrow.decode.readable import unreadable
from twinrow.schema.table import KeyAttribute

KEYS = (KeyAttribute("k", "S"),)
ODD: list[Any] = [
    {}, {"X": "a"}, {"S": "a", "N": "1"}, {"S": "a", "NULL": True}, {"S": 5}, {"N": "five"}, {"N": 5}, {"N": "."},
    {"BOOL": "yes"}, {"B": "?"}, {"SS": ["a", 5]}, {"SS": "ab"}, {"NS": ["1", "one"]}, {"BS": ["?"]}, {"M": []},
    {"M": {"in": {}}}, {"L": {}}, {"L": "ab"}, {"L": [{"M": {"in": {}}}]}, "S", ["S"], None, 5,
]  # fmt: skip


@given(item=items(KEYS))
def test_every_item_can_be_read(item: Item) -> None:
    assert unreadable(item, ()) == ""
    assert digest(item, frozenset()) == exact_digest(item, frozenset())


@given(item=items(KEYS), data=st.data())
def test_an_item_with_an_odd_value_at_any_depth_cannot(item: Item, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(ODD))
    for nested in data.draw(st.lists(st.sampled_from(["M", "L"]), max_size=5)):
        value = {nested: {"in": value} if nested == "M" else [{"S": "a"}, value]}
    bad = {**copy.deepcopy(item), "odd": value}
    assert unreadable(bad, ())
    assert unreadable(bad, {"odd"}) == ""
    assert digest(bad, frozenset()) == digest(bad, frozenset())
    assert digest(bad, frozenset({"odd"})) == digest(item, frozenset({"odd"}))
    with pytest.raises(ValueError, match=r"."):
        exact_digest(bad, frozenset())
