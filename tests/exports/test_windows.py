"""Windows over a loss: they hold it on any clock within a minute, touch without overlap, and are of a legal length."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.exports.windows import (
    CLOCK_MARGIN_S,
    WINDOW_S_MAX,
    WINDOW_S_MIN,
    Loss,
    Window,
    next_window,
    plan_after_export,
    plan_of_loss,
    why_not_covered,
)

moments = st.floats(1_700_000_000, 1_800_000_000)
lengths = st.one_of(st.floats(0, 2000), st.floats(0, 40 * 86_400))


def _are_contiguous(windows: tuple[Window, ...]) -> bool:
    return all(left.to_at == right.from_at for left, right in pairwise(windows))


def _are_legal(windows: tuple[Window, ...]) -> bool:
    return all(WINDOW_S_MIN <= one.to_at - one.from_at <= WINDOW_S_MAX for one in windows)


@given(moments, lengths, lengths)
def test_every_lost_change_is_in_a_window_on_any_clock(from_at: float, lost_s: float, applied_s: float) -> None:
    loss = Loss(from_at, from_at + lost_s, from_at + applied_s)
    plan = plan_of_loss(loss)
    assert plan.from_at <= loss.from_at - CLOCK_MARGIN_S
    assert plan.to_at >= max(loss.to_at, loss.applied_to) + 1 + CLOCK_MARGIN_S, "times of records are cut to a second"
    assert _are_contiguous(plan.windows)
    assert _are_legal(plan.windows)
    assert plan.recheck_since is not None
    assert plan.recheck_since < plan.from_at - CLOCK_MARGIN_S


@given(st.integers(1_700_000_000, 1_800_000_000), lengths)
def test_windows_after_an_export_start_exactly_at_its_moment(export_at: int, length_s: float) -> None:
    plan = plan_after_export(export_at, export_at + length_s)
    assert plan.from_at == export_at
    assert plan.to_at > export_at + length_s + CLOCK_MARGIN_S
    assert _are_contiguous(plan.windows)
    assert _are_legal(plan.windows)
    assert plan.recheck_since is None


def test_a_short_loss_gets_a_later_end_and_no_earlier_start() -> None:
    plan = plan_of_loss(Loss(1000.0, 1010.0, 1005.0))
    assert plan.windows == (Window(940, 1840),)
    assert plan.askable_at == 1900.0, "DynamoDB refuses a window that ends in the future"


def test_a_long_loss_is_cut_into_equal_parts() -> None:
    plan = plan_of_loss(Loss(100_000.0, 100_000.0 + 86_400, 0.0))
    assert [one.to_at - one.from_at for one in plan.windows] == [43_260, 43_261]


def test_a_loss_that_ends_before_it_begins_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="ends before"):
        plan_of_loss(Loss(100.0, 50.0, 60.0))


def test_exports_alone_take_a_window_when_its_pace_is_over() -> None:
    assert next_window(10_000, 10_000 + 3600 + CLOCK_MARGIN_S - 1, 3600) is None
    assert next_window(10_000, 10_000 + 3600 + CLOCK_MARGIN_S, 3600) == Window(10_000, 13_600)
    stopped_for_two_days = next_window(10_000, 10_000 + 2 * 86_400 + CLOCK_MARGIN_S, 3600)
    assert stopped_for_two_days == Window(10_000, 96_400)


def test_recovery_must_be_on_and_reach_back() -> None:
    plan = plan_of_loss(Loss(10_000.0, 11_000.0, 0.0))
    assert why_not_covered(plan, 9_940.0) == ""
    assert why_not_covered(plan, None) == "point-in-time recovery is off"
    assert why_not_covered(plan, 9_950.0) == "point-in-time recovery reaches back 10 s less than the loss"
