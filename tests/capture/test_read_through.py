"""Up to which moment a shard was read: never later than the truth, whatever was read, and in which order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.capture import read_through
from twinrow.capture.shard_log import ShardPosition

NOW = 1_768_000_000.0


@dataclass(frozen=True)
class Met:
    sequence: str
    at: float
    size: int = 1


def _position(through_at: float | None, *, finished: bool = False, parents: tuple[str, ...] = ()) -> ShardPosition:
    return ShardPosition("1", finished, NOW, parents, "0", None, through_at)


@given(st.lists(st.sampled_from([0.0, NOW - 90_000, NOW - 60, NOW - 1, NOW + 9e6])))
def test_records_bring_it_to_the_last_time_that_can_be_believed(times: list[float]) -> None:
    """A shard read behind its end is read through only to its last record, though it was asked a moment ago."""
    found = read_through.after_records(NOW - 99_000, [Met("1", at) for at in times], NOW)
    believed = [at for at in times if at and at <= NOW]
    assert found == (believed[-1] if believed else NOW - 99_000)


@pytest.mark.parametrize(
    ("asked_at", "since", "expected"),
    [
        ([NOW], NOW, None),  # a single empty answer is not the end
        ([NOW - 1, NOW], NOW - 1, None),  # nor are two in a row
        ([NOW - 3, NOW - 2, NOW], NOW - 30, NOW - 5.0),
        ([NOW - 9, NOW - 8, NOW], NOW - 9, NOW - 9),
        ([NOW - 3, NOW - 2, NOW], NOW - 3, None),
    ],
)
def test_empty_answers_prove_the_end_only_over_some_seconds(
    asked_at: list[float], since: float, expected: float | None
) -> None:
    position = _position(None)
    found = read_through.idle(position, deque(asked_at, maxlen=3), since, 5.0, NOW)
    assert found == replace(position, through_at=expected)


def test_answers_after_the_last_listing_prove_nothing() -> None:
    """The stream may have been turned off since: it is silent about what is written then."""
    empty = deque([NOW - 9, NOW - 8, NOW], maxlen=3)
    assert read_through.idle(_position(None), empty, NOW - 9, 5.0, NOW - 60).through_at == NOW - 60
    assert read_through.idle(_position(None), empty, NOW - 9, 5.0, float("-inf")).through_at is None


def test_it_never_goes_back_while_a_shard_is_idle() -> None:
    assert read_through.idle(_position(NOW), [NOW - 20, NOW - 15, NOW - 10], NOW - 30, 5.0, NOW).through_at == NOW


def test_a_child_was_read_as_far_as_its_parents() -> None:
    known = {"a": _position(10.0), "b": _position(20.0), "c": _position(None)}
    assert read_through.of_child(("a", "b"), known, None) == 10.0
    assert read_through.of_child(("a", "c"), known, None) is None
    assert read_through.of_child(("a", "unseen"), known, None) is None
    assert read_through.of_child((), known, 7.0) == 7.0


def test_a_stream_was_read_as_far_as_the_shard_that_is_furthest_behind() -> None:
    known = {
        "old": _position(10.0, finished=True), "child": _position(50.0, parents=("old",)),
        "other": _position(30.0), "leaf": _position(40.0, finished=True),
    }  # fmt: skip
    assert read_through.of_stream(known) == 30.0
    assert read_through.of_stream({**known, "unknown": _position(None)}) is None
    assert read_through.of_stream({}) is None


def test_a_stream_read_to_its_end_was_turned_off_after_its_last_record() -> None:
    known = {"a": _position(10.0, finished=True), "b": _position(90.0, finished=True)}
    assert read_through.of_stream(known) == 90.0
