"""Which shards may be read, from where, and what is lost: concluded from listings alone."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.capture import shard_tree
from twinrow.capture.shard_log import RETENTION_MARGIN_S, RETENTION_S, LogFacts, Shard, ShardPosition, Start
from twinrow.capture.shard_tree import (
    FORGET_AFTER_EXPIRY_S,
    PARENT_ABSENT_S,
    PARENT_HIDDEN_S,
    START_MARGIN_S,
    VANISHED_S,
    Listing,
    Plan,
    Seen,
)
from twinrow.clock import AHEAD_S_MAX

NOW = 1_700_000_000.0
HOUR = 3600.0
LIMIT = RETENTION_S - RETENTION_MARGIN_S


def shard_id(name: str, created_at: float = NOW - HOUR) -> str:
    return f"shardId-{int(created_at * 1000):020d}-{name}"


A, B, C, D = (shard_id(name) for name in "abcd")
OLD = shard_id("old", NOW - 30 * HOUR)


def listed(*shards: Shard, at: float = NOW, complete: bool = True) -> Listing:
    return Listing({one.id: one for one in shards}, complete, at)


def shard(name: str, parent: str | None = None, ends: str | None = None) -> Shard:
    return Shard(name, _parents(parent), "100", ends)


def _parents(parent: str | None) -> tuple[str, ...]:
    return () if parent is None else (parent,)


def known(parent: str | None = None, **values: object) -> ShardPosition:
    position = ShardPosition(None, False, NOW - 60, _parents(parent), "100")
    return replace(position, **values)  # type: ignore[arg-type]


def look(*listings: Listing, positions: dict[str, ShardPosition] | None = None) -> Seen:
    seen = Seen()
    for one in listings:
        seen = shard_tree.look(seen, one, positions or {})
    return seen


def plan(seen: Seen, positions: dict[str, ShardPosition] | None = None, at: float = NOW, **options: object) -> Plan:
    settings: dict[str, object] = {"started_at": NOW - 10 * 24 * HOUR} | options
    return shard_tree.plan(seen, positions or {}, at=at, **settings)  # type: ignore[arg-type]


def causes(found: Plan) -> list[tuple[str, str]]:
    return [(gap.shard, gap.cause) for gap, _ in found.gaps]


def test_a_new_copy_meets_every_shard_and_needs_nothing_older_than_itself() -> None:
    seen = look(listed(shard(A, ends="200"), shard(B, A), shard(C)))
    found = plan(seen, started_at=NOW - HOUR)
    assert found.register.keys() == {A, B, C}
    assert found.readable == {A: Start("TRIM_HORIZON", None), C: Start("TRIM_HORIZON", None)}
    assert found.waiting == {B}
    assert not found.gaps


def test_closed_shards_from_well_before_the_copy_are_not_read() -> None:
    child = shard_id("child", NOW - HOUR)
    found = plan(look(listed(shard(OLD, ends="200"), shard(child, OLD))), started_at=NOW)
    assert found.register[OLD].finished
    assert found.readable.keys() == {child}


def test_a_child_is_read_from_its_beginning_once_its_parent_is_finished() -> None:
    seen = look(listed(shard(A, ends="200"), shard(B, A)))
    assert plan(seen, {A: known(position="150"), B: known(A)}).readable == {A: Start("AFTER_SEQUENCE_NUMBER", "150")}
    finished = {A: known(position="190", finished=True), B: known(A)}
    assert plan(seen, finished).readable == {B: Start("AT_SEQUENCE_NUMBER", "100")}


def test_a_grandchild_waits_for_the_grandparent_even_when_the_parent_is_lost() -> None:
    seen = look(listed(shard(A, ends="200"), shard(C, B)))
    positions = {A: known(position="150"), B: known(A, finished=True), C: known(B)}
    assert plan(seen, positions).waiting == {C}


def test_a_shard_listed_before_its_parent_waits_for_it() -> None:
    positions = {D: known(position="1")}
    first = listed(shard(D), shard(B, A))
    later = listed(shard(D), shard(B, A), at=NOW + PARENT_ABSENT_S + 1)
    assert plan(look(first, positions=positions), positions).waiting == {B}
    # So young a child has a parent that still exists; listings are behind.
    assert plan(look(first, later, positions=positions), positions, at=NOW + 10).waiting == {B}
    both = listed(shard(D), shard(B, A), shard(A, ends="9"), at=NOW + 10)
    assert plan(look(first, later, both, positions=positions), positions, at=NOW + 10).readable.keys() == {A, D}


def test_a_parent_never_met_of_an_old_child_was_trimmed_long_ago() -> None:
    seen = look(listed(shard(OLD, A)))
    assert plan(seen, started_at=NOW).waiting == {OLD}
    seen = shard_tree.look(seen, listed(shard(OLD, A), at=NOW + PARENT_ABSENT_S), {})
    found = plan(seen, started_at=NOW)
    assert found.readable.keys() == {OLD}
    assert not found.gaps


def test_a_parent_that_came_and_went_unseen_is_a_gap() -> None:
    positions = {D: known(position="1", finished=True), B: known(A)}
    times = (NOW, NOW + PARENT_HIDDEN_S)
    found = plan(look(*(listed(shard(D), shard(B, A), at=at) for at in times), positions=positions), positions)
    assert causes(found) == [(A, "PARENT_LOST")]
    assert B in found.readable


def test_a_parent_that_appears_after_its_child_was_read_comes_too_late() -> None:
    positions = {A: known(), C: known(B, position="5")}
    seen = look(listed(shard(A), shard(B, A), shard(C, B)))
    found = plan(seen, positions)
    assert sorted(causes(found)) == [(A, "PARENT_LATE"), (B, "PARENT_LATE")]
    assert found.readable == {C: Start("AFTER_SEQUENCE_NUMBER", "5")}


class TestVanished:
    positions: ClassVar = {A: known(position="5"), D: known(position="1")}

    def seen(self, *listings: Listing) -> Seen:
        return look(*listings, positions=self.positions)

    def test_two_complete_listings_apart_and_a_refused_reading_prove_it(self) -> None:
        seen = self.seen(listed(shard(D)), listed(shard(D), at=NOW + VANISHED_S))
        assert not plan(seen, self.positions).gaps
        found = plan(seen, self.positions, unreadable={A})
        assert causes(found) == [(A, "SHARD_LOST")]
        assert found.gaps[0][1][A].finished

    @pytest.mark.parametrize(
        "later",
        [
            listed(shard(D), at=NOW + VANISHED_S - 1),
            listed(shard(D), at=NOW + VANISHED_S, complete=False),
            listed(at=NOW + VANISHED_S, complete=False),
            listed(shard(A), at=NOW + VANISHED_S),
            listed(shard(A), at=NOW + VANISHED_S, complete=False),
        ],
        ids=["too soon", "cut between pages", "cut before the first page", "there again", "there, then cut"],
    )
    def test_nothing_less_does(self, later: Listing) -> None:
        assert not plan(self.seen(listed(shard(D)), later), self.positions, unreadable={A}).gaps

    def test_a_sighting_between_the_listings_starts_the_time_anew(self) -> None:
        between = listed(shard(A), at=NOW + 30, complete=False)
        seen = self.seen(listed(shard(D)), between, listed(shard(D), at=NOW + VANISHED_S))
        assert not plan(seen, self.positions, unreadable={A}).gaps

    def test_a_vanished_shard_has_its_turn_after_its_parents(self) -> None:
        positions = {D: known(position="1"), A: known(D)}
        seen = look(listed(shard(D)), listed(shard(D), at=NOW + VANISHED_S), positions=positions)
        assert not plan(seen, positions, unreadable={A}).gaps


def test_nothing_read_for_the_retention_less_a_margin_is_one_gap() -> None:
    positions = {A: known(position="5"), B: known(position="7"), C: known(A)}
    seen = look(listed(shard(A), shard(B), shard(C, A)))
    assert not plan(seen, positions, at=NOW + LIMIT - 61).gaps
    found = plan(seen, positions, at=NOW + LIMIT)
    assert causes(found) == [("", "NOT_READ")]
    after = positions | dict(found.gaps[0][1])
    assert not plan(seen, after, at=NOW + LIMIT + 1).gaps
    assert found.readable[A] == Start("AFTER_SEQUENCE_NUMBER", "5")


def test_one_shard_left_alone_for_too_long_is_a_gap_of_its_own() -> None:
    positions = {A: known(position="5", read_at=NOW - LIMIT - 1), B: known(position="7")}
    assert causes(plan(look(listed(shard(A), shard(B))), positions)) == [(A, "NOT_READ")]


def test_trim_horizon_is_right_only_while_nothing_wanted_can_be_trimmed() -> None:
    fresh = known(horizon_at=NOW)
    assert shard_tree.start_of(fresh, NOW + LIMIT - 1) == Start("TRIM_HORIZON", None)
    assert shard_tree.start_of(fresh, NOW + LIMIT) == Start("AT_SEQUENCE_NUMBER", "100")
    assert not shard_tree.trim_loses(fresh, NOW - 99 * HOUR, NOW + LIMIT - 1)
    assert shard_tree.trim_loses(fresh, NOW - 99 * HOUR, NOW + LIMIT)
    assert not shard_tree.trim_loses(known(), NOW, NOW + LIMIT - 1)
    assert shard_tree.trim_loses(known(horizon_at=NOW, position="5"), NOW - 99 * HOUR, NOW + 1)


def test_finished_shards_are_forgotten_when_listings_can_no_longer_bring_them_back() -> None:
    gone = known(finished=True, position="9", read_at=NOW - RETENTION_S - FORGET_AFTER_EXPIRY_S - 1)
    positions = {A: gone, B: known(A, position="1")}
    seen = look(listed(shard(B, A)), listed(shard(B, A), at=NOW + VANISHED_S), positions=positions)
    assert plan(seen, positions).forget == {A}
    assert not plan(seen, {A: replace(gone, read_at=NOW - HOUR), B: positions[B]}).forget
    assert not plan(seen, {A: gone, B: known(A)}).forget, "a child that was not begun still asks for it"
    assert not plan(look(listed(shard(A), shard(B, A)), positions=positions), positions).forget


lineages = st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=8)


@given(lineages, st.sets(st.integers(0, 7)), st.booleans())
def test_no_plan_reads_a_shard_below_an_unfinished_one(
    lineage: list[tuple[int, bool, bool, bool]], hidden: set[int], complete: bool
) -> None:
    """`lineage`: each shard's parent (by number, if before it), and whether it is known, finished, begun."""
    ids = [shard_id(f"{number}") for number in range(len(lineage))]
    parents = [ids[up] if up < number else None for number, (up, *_) in enumerate(lineage)]
    shards = [shard(one, parent) for one, parent in zip(ids, parents, strict=True)]
    positions = {
        one: known(parent, finished=finished, position="5" if begun else None)
        for one, parent, (_, is_known, finished, begun) in zip(ids, parents, lineage, strict=True)
        if is_known
    }
    visible = [one for number, one in enumerate(shards) if number not in hidden]
    seen = look(listed(*visible, complete=complete), positions=positions)
    found = plan(seen, positions)
    after = positions | dict(found.register)
    for _, changed in found.gaps:
        after |= changed
    for one in found.readable:
        for above in shard_tree.above(after[one], after):
            assert after[above].finished, f"{one} is read before {above} has ended"
    unfinished = {one for one, position in after.items() if not position.finished}
    assert found.readable.keys() | found.waiting == unfinished
    assert not any(gap.cause == "SHARD_LOST" for gap, _ in found.gaps), "one listing proves nothing"


AHEAD = NOW + 6 * HOUR


def test_a_shard_read_at_a_time_that_is_yet_to_come_is_a_gap() -> None:
    """A clock that was wrong for a second wrote the time: nobody knows how long the shard was not read."""
    seen = look(listed(shard(A), shard(C)))
    positions = {A: known(position="150", read_at=AHEAD), C: known(position="160")}
    found = plan(seen, positions)
    assert causes(found) == [(A, "NOT_READ")]
    ((gap, after),) = found.gaps
    assert (gap.from_at, gap.to_at) == (None, NOW)
    assert after[A].read_at == after[A].horizon_at == NOW
    assert not plan(seen, positions | dict(after)).gaps, "it is told once"


def test_a_horizon_that_is_yet_to_come_is_a_gap() -> None:
    found = plan(look(listed(shard(A))), {A: known(horizon_at=AHEAD)})
    assert causes(found) == [(A, "NOT_READ")]


def test_the_children_of_a_shard_that_ended_at_no_known_time_are_waited_for_from_now_on() -> None:
    seen = look(listed(shard(A, ends="200")))
    positions = {A: known(position="200", finished=True, read_at=AHEAD)}
    found = plan(seen, positions)
    assert not found.gaps
    assert found.register[A].read_at == NOW
    later = look(listed(shard(A, ends="200"), at=NOW + shard_tree.CHILDLESS_S))
    assert not shard_tree.unsettled(later, found.register)


@given(
    read_at=st.floats(NOW - 48 * HOUR, NOW + 800 * 24 * HOUR),
    horizon_at=st.none() | st.floats(NOW - 48 * HOUR, NOW + 800 * 24 * HOUR),
    finished=st.booleans(),
    begun=st.booleans(),
)
def test_no_time_that_is_yet_to_come_survives_a_plan_or_hides_a_gap(
    read_at: float, horizon_at: float | None, finished: bool, begun: bool
) -> None:
    seen = look(listed(shard(A, ends="200" if finished else None)))
    before = known(position="150" if begun else None, finished=finished, read_at=read_at, horizon_at=horizon_at)
    found = plan(seen, {A: before})
    after = {A: before} | dict(found.register)
    for _, positions in found.gaps:
        after |= positions
    latest = max(after[A].read_at, after[A].horizon_at or 0.0)
    assert latest <= NOW + AHEAD_S_MAX
    unknown = max(read_at, horizon_at or 0.0) > NOW + AHEAD_S_MAX
    assert bool(found.gaps) >= (unknown and not finished)
    assert not plan(seen, after).gaps


KINESIS = LogFacts(7 * 24 * HOUR, ordered=False, tells_trims=False)
"""A log that keeps no order, and gives nothing from a position that has expired."""
WEEK = KINESIS.unread_s_max


def merged(name: str, *parents: str) -> Shard:
    return Shard(name, parents, "100")


def test_a_merged_shard_waits_for_both_its_parents() -> None:
    seen = look(listed(shard(A, ends="9"), shard(B, ends="9"), merged(C, A, B)))
    both = {A: known(), B: known(), C: replace(known(), parents=(A, B))}
    assert plan(seen, both).readable.keys() == {A, B}
    one_ended = both | {A: replace(both[A], finished=True)}
    assert plan(seen, one_ended).readable.keys() == {B}
    ended = one_ended | {B: replace(both[B], finished=True)}
    assert plan(seen, ended).readable.keys() == {C}


def test_without_an_order_parents_and_children_are_read_side_by_side() -> None:
    seen = look(listed(shard("1", ends="9"), shard("2", ends="9"), merged("3", "1", "2"), merged("4", "gone")))
    found = plan(seen, started_at=NOW - HOUR, facts=KINESIS)
    start = Start("AT_TIMESTAMP", None, NOW - HOUR - START_MARGIN_S)
    assert found.readable == dict.fromkeys(["1", "2", "3", "4"], start)
    assert not found.gaps
    assert not found.waiting


def test_a_child_met_later_is_read_from_its_beginning_and_no_late_parent_is_a_gap() -> None:
    seen = look(listed(shard("1"), merged("2", "1")))
    found = plan(seen, {"1": known(position="5"), "2": replace(known(position="8"), parents=("0",))}, facts=KINESIS)
    assert found.readable["1"] == Start("AFTER_SEQUENCE_NUMBER", "5")
    late = plan(look(listed(shard("0", ends="9"))), {"2": replace(known(position="8"), parents=("0",))}, facts=KINESIS)
    assert late.readable["0"] == Start("TRIM_HORIZON", None)
    assert not found.gaps + late.gaps


def test_a_position_that_has_expired_is_dropped_and_a_gap() -> None:
    """Kinesis reads on from it without an error, and never gives a record."""
    seen = look(listed(shard("1"), shard("2")))
    old = known(position="5", read_at=NOW - WEEK - 1)
    found = plan(seen, {"1": old, "2": known(position="6")}, facts=KINESIS)
    assert causes(found) == [("1", "NOT_READ")]
    ((gap, positions),) = found.gaps
    assert (gap.from_at, gap.to_at) == (NOW - WEEK - 1, NOW)
    assert positions["1"] == replace(old, position=None, horizon_at=NOW)
    assert found.readable == {
        "1": Start("AT_TIMESTAMP", None, NOW - START_MARGIN_S), "2": Start("AFTER_SEQUENCE_NUMBER", "6")
    }  # fmt: skip
    again = plan(seen, {"1": positions["1"], "2": known(position="6")}, at=NOW + HOUR, facts=KINESIS)
    assert not again.gaps, "the reconcile owes what came before the gap was found"
    assert causes(plan(seen, {"1": positions["1"], "2": known(read_at=NOW + WEEK)}, at=NOW + WEEK + 1, facts=KINESIS))


def test_after_a_stop_for_longer_than_the_retention_no_position_is_kept() -> None:
    positions = {
        "1": known(position="5", read_at=NOW - WEEK - 9), "2": known(read_at=NOW - WEEK - 9),
        "3": known(position="7", finished=True, read_at=NOW - WEEK - 20),
    }  # fmt: skip
    found = plan(look(listed(shard("1"), shard("2"), shard("3"))), positions, facts=KINESIS)
    assert causes(found) == [("", "NOT_READ")]
    assert {shard: one.position for shard, one in found.gaps[0][1].items()} == {"1": None, "2": None}
    assert set(found.readable.values()) == {Start("AT_TIMESTAMP", None, NOW - START_MARGIN_S)}


def test_a_child_counts_as_unread_for_as_long_as_its_parent() -> None:
    """It may have been there for so long, and its oldest records go first."""
    parent = known(position="5", read_at=NOW - WEEK + 60)
    seen = look(listed(shard("1"), merged("2", "1")))
    found = plan(seen, {"1": parent}, facts=KINESIS)
    assert found.register["2"].read_at == parent.read_at
    later = {"1": replace(parent, read_at=NOW), "2": found.register["2"]}
    assert causes(plan(seen, later, at=NOW + 61, facts=KINESIS)) == [("2", "NOT_READ")]


def test_finished_shards_are_remembered_for_longer_than_the_retention_of_their_log() -> None:
    gone = known(finished=True, position="9", read_at=NOW - RETENTION_S - FORGET_AFTER_EXPIRY_S - 1)
    seen = look(listed(shard("2"), at=NOW - VANISHED_S), listed(shard("2")), positions={"1": gone})
    assert not plan(seen, {"1": gone, "2": known()}, facts=KINESIS).forget
    older = replace(gone, read_at=NOW - KINESIS.retention_s - FORGET_AFTER_EXPIRY_S - 1)
    assert plan(seen, {"1": older, "2": known()}, facts=KINESIS).forget == {"1"}
