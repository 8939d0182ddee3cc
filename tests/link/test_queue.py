"""The queue of links: order, bounds, distinct keys in a call, and what a reader of the index is told. No server."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.link.queue import CALLS_AT_ONCE_MAX, CALLS_AT_ONCE_MIN, FORGET_EVERY_S, STALE_S_MAX, LinkQueue
from twinrow.state.outbox import PendingLink

MARK = {"S": "false"}


def marked(number: int, generation: int = 1) -> PendingLink:
    return PendingLink(number.to_bytes(16, "big"), {}, generation, b"", 1, MARK)


def bare(number: int, generation: int = 1) -> PendingLink:
    return PendingLink(number.to_bytes(16, "big"), {}, generation, b"", 1, None)


def all_calls(queue: LinkQueue) -> list[list[PendingLink]]:
    """Every call that one worker makes until nothing waits."""
    queue.workers = 1
    calls = []
    while call := queue.next_call():
        calls.append(call)
        queue.landed(call)
    return calls


def test_marks_are_cleared_in_the_order_in_which_they_came_and_bare_links_go_after_them() -> None:
    """Else the oldest would wait for as long as a backlog lasts."""
    queue = LinkQueue()
    for first in range(0, 300, 50):
        queue.submit([*(marked(n) for n in range(first, first + 50)), bare(900 + first)])
    sent = [int.from_bytes(link.key_hash, "big") for call in all_calls(queue) for link in call]
    assert sent == [*range(300), *range(900, 1_200, 50)]


def test_a_marked_write_takes_the_place_of_the_bare_link_of_its_item() -> None:
    queue = LinkQueue()
    queue.submit([bare(1), bare(2)])
    queue.submit([marked(2, generation=2)])
    assert [link.generation for call in all_calls(queue) for link in call] == [2, 1]


def test_calls_are_begun_for_what_waits_and_filled_while_some_are_under_way() -> None:
    queue = LinkQueue(statements_max=10)
    assert queue.submit([bare(n) for n in range(12)]) == 2 == CALLS_AT_ONCE_MIN
    assert [len(queue.next_call()) for _ in range(2)] == [10, 2]
    assert queue.submit([bare(100)]) == 0, "one of the calls under way takes it along when it is through"
    assert queue.submit([bare(n) for n in range(200, 400)]) == CALLS_AT_ONCE_MAX - 2
    assert queue.calls() == CALLS_AT_ONCE_MAX + 21


def test_what_is_more_than_the_queue_holds_is_left_to_the_outbox_the_newest_first() -> None:
    queue = LinkQueue(waiting_max=3)
    queue.submit([bare(n) for n in range(5)])
    assert not queue.left_marks, "bare links come back when they are due"
    queue.submit([marked(n) for n in range(10, 15)])
    assert queue.left_marks
    assert queue.left_after == b""
    assert [link.key_hash[-1] for call in all_calls(queue) for link in call] == [10, 11, 12]
    assert queue.marks == 0
    queue.walked([marked(13)], is_last=False)
    assert queue.left_marks
    assert queue.left_after == marked(13).key_hash
    queue.walked([], is_last=True)
    assert not queue.left_marks


def test_a_mark_that_was_cleared_is_told_until_no_index_shows_it_any_more() -> None:
    queue = LinkQueue()
    queue.cleared([marked(1), bare(2)], at=10.0)
    view = queue.view(10.0, asked_at=9.9)
    assert view.cleared.keys() == {marked(1).key_hash}
    assert view.cleared_since(marked(1).key_hash, 9.9) is not None
    assert view.cleared_since(marked(1).key_hash, 10.0 + STALE_S_MAX - 0.01) is not None
    assert view.cleared_since(marked(1).key_hash, 10.0 + STALE_S_MAX) is None
    late = 10.0 + STALE_S_MAX + 2 * FORGET_EVERY_S
    assert queue.view(late, asked_at=9.0).cleared, "a query that was asked before is still under way"
    assert not queue.view(late + 2 * FORGET_EVERY_S, asked_at=late).cleared


def test_a_view_does_not_change_once_it_was_taken() -> None:
    queue = LinkQueue()
    queue.submit([marked(1)])
    view = queue.view(1.0, 1.0)
    call = queue.next_call()
    queue.cleared(call, 1.0)
    queue.landed(call)
    assert (view.in_flight, view.marks, len(view.cleared)) == (frozenset([marked(1).key_hash]), 1, 0)
    assert queue.view(1.0, 1.0).in_flight == frozenset()


def test_what_waits_is_dropped_and_what_is_under_way_goes_on() -> None:
    queue = LinkQueue(statements_max=2)
    queue.submit([marked(1), marked(2), marked(3), bare(4)])
    call = queue.next_call()
    queue.drop_waiting()
    assert queue.view(0.0, 0.0).in_flight == {marked(1).key_hash, marked(2).key_hash}
    assert queue.marks == 2
    queue.landed(call)
    assert queue.marks == 0
    assert queue.next_call() == []


links = st.builds(
    lambda number, generation, is_marked: (marked if is_marked else bare)(number, generation),
    st.integers(0, 6), st.integers(1, 3), st.booleans(),
)  # fmt: skip
acts = st.lists(st.one_of(st.lists(links, max_size=8), st.sampled_from(["next", "land", "drop"])), max_size=40)


@given(acts, st.integers(1, 10), st.integers(1, 4))
@pytest.mark.parametrize("check", ["distinct", "counted", "bounded"])
def test_whatever_happens(
    check: str, done: list[list[PendingLink] | str], waiting_max: int, statements_max: int
) -> None:
    queue = LinkQueue(waiting_max, statements_max)
    flying: list[list[PendingLink]] = []
    for act in done:
        if act == "next":
            queue.workers += 1
            call = queue.next_call()
            flying += [call] if call else []
            assert len({link.key_hash for link in call}) == len(call) <= statements_max
        elif act == "land" and flying:
            queue.landed(flying.pop(0))
        elif act == "drop":
            queue.drop_waiting()
        elif isinstance(act, list):
            queue.submit(act)
        if check == "counted":
            sent = Counter(link.key_hash for call in flying for link in call)
            view = queue.view(0.0, 0.0)
            assert sent.keys() <= view.in_flight <= queue.known()
            assert queue.marks >= sum(link.mark is not None for call in flying for link in call)
        if check == "bounded":
            assert len(queue.known()) <= waiting_max + sum(map(len, flying))
    queue.drop_waiting()
    for call in flying:
        queue.landed(call)
    assert (queue.marks, queue.known()) == (0, set())
