"""How long a first copy takes: the model says what bounds each way, and never promises more than a bound allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.app.setup.first_copy import ITEM_BYTES, size_bytes, ways

HOUR_S = 3600.0


@pytest.mark.parametrize(("text", "size"), [("1TB", 10**12), ("500 GB", 5 * 10**11), ("1.5mb", 1_500_000), ("12B", 12)])
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "TB", "1", "0GB", "-1GB", "1PB", "1 T B"])
def test_a_size_without_meaning_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        size_bytes(text)


def test_a_terabyte_of_small_items_is_bound_by_the_process_then_by_mysql_then_by_the_budget() -> None:
    alone, helped = ways(10**9, 10**9 * ITEM_BYTES, linked=False, budget_s=0.0)
    assert alone.bound == "the CPU of the process"
    assert 7 * HOUR_S < alone.seconds < 9 * HOUR_S
    assert helped.bound == "a single MySQL session"
    assert 6 * HOUR_S < helped.seconds < alone.seconds
    assert {way.bound for way in ways(10**9, 10**12, linked=False, budget_s=35 * HOUR_S)} == {"the capacity budget"}


def test_links_take_longer_than_the_rows() -> None:
    (linked,) = ways(10**6, 10**9, linked=True, budget_s=0.0)
    assert linked.seconds > 5 * ways(10**6, 10**9, linked=False, budget_s=0.0)[0].seconds


@given(st.integers(0, 10**10), st.integers(1, 400_000), st.booleans(), st.floats(0, 1e9))
def test_no_way_is_faster_than_the_budget_or_than_fewer_items(
    items: int, item_bytes: int, linked: bool, budget_s: float
) -> None:
    for way, smaller in zip(
        ways(items, items * item_bytes, linked=linked, budget_s=budget_s),
        ways(items // 2, items // 2 * item_bytes, linked=linked, budget_s=budget_s),
        strict=True,
    ):
        assert way.seconds >= round(budget_s, 1)
        assert way.seconds >= smaller.seconds
