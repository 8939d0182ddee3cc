"""What rounds over a pending index prove. Without servers: an index that lags, links under way, refused queries."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.kinds.pending_index import rounds as rounds_module
from twinrow.kinds.pending_index.rounds import BUSY_ROUNDS_MAX, IDLE_S_MAX, IDLE_S_MIN, OTHERS, Rounds

KEYS = [bytes([n]) * 16 for n in range(6)]


@dataclass
class World:
    """Marks that an app sets, an index that shows all of them, and a poll that copies some of what it is shown."""

    rounds: Rounds
    now: float = 1_000.0
    waiting: dict[bytes, float] = field(default_factory=dict)
    """The moment of each mark that is set and not copied."""

    def write(self, key: bytes) -> None:
        self.now += 1
        self.waiting.setdefault(key, self.now)

    def round(self, left_out: set[bytes], written_beside: list[bytes], *, refused: bool) -> None:
        """A whole round; items of `left_out` are shown and not copied, those of `written_beside` come during it."""
        self.now += 1
        self.rounds.begin(self.now)
        there = list(self.waiting)
        for key in written_beside:
            self.write(key)
        if refused:
            self.rounds.refuse("throttled")
            there = there[: len(there) // 2]
        self.rounds.answered()
        self.rounds.show(len(there))
        self.rounds.leave_out([key for key in there if key in left_out])
        for key in there:
            if key not in left_out and key not in written_beside:
                del self.waiting[key]
        self.rounds.leave_out([key for key in there if key in written_beside and key not in left_out])
        self.rounds.end()


keys = st.sampled_from(KEYS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), keys),
        st.tuples(st.just("round"), st.sets(keys), st.lists(keys, max_size=2), st.booleans()),
        st.just(("put off",)),
        st.just(("abandon",)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("left_out_max", [2, 50_000], ids=["others-share-an-entry", "each-by-itself"])
@given(steps)
def test_no_mark_from_before_caught_up_at_waits(left_out_max: int, story: list[tuple[object, ...]]) -> None:
    """The promise that `status`, `verify` and `--once` rest on, whatever rounds leave out, and however they end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds_module, "LEFT_OUT_MAX", left_out_max)
        world = World(Rounds(once=False))
        for step in story:
            match step:
                case ("write", bytes(key)):
                    world.write(key)
                case ("round", set(left_out), list(beside), bool(refused)):
                    world.round(left_out, beside, refused=refused)
                case ("put off",):
                    world.rounds.put_off()
                case ("abandon",):
                    world.now += 1
                    world.rounds.begin(world.now)
                    world.rounds.abandon()
            caught_up_at = world.rounds.caught_up_at
            assert all(at > caught_up_at for at in world.waiting.values())
            assert world.rounds.oldest_at is None or world.rounds.oldest_at >= min(1_001.0, caught_up_at)


def ended(
    rounds: Rounds, *, shows: int = 0, fresh: int = 0, left_out: tuple[bytes, ...] = (), at: float = 10.0
) -> None:
    rounds.begin(at)
    rounds.answered()
    rounds.show(shows)
    rounds.take(fresh)
    rounds.leave_out(left_out)
    rounds.end()


def test_a_round_that_shows_nothing_is_the_proof() -> None:
    rounds = Rounds(once=False)
    assert rounds.caught_up_at == 0
    ended(rounds, at=10.0)
    assert (rounds.caught_up_at, rounds.oldest_at, rounds.backlog) == (10.0, None, 0)


def test_for_items_that_are_left_out_the_proof_of_before_stands() -> None:
    rounds = Rounds(once=False)
    ended(rounds, at=10.0)
    ended(rounds, shows=1, left_out=(KEYS[0],), at=20.0)
    assert (rounds.caught_up_at, rounds.oldest_at, rounds.backlog) == (10.0, 10.0, 1)
    ended(rounds, shows=2, left_out=(KEYS[0], KEYS[1]), at=30.0)
    assert (rounds.caught_up_at, rounds.backlog) == (10.0, 2)
    ended(rounds, shows=1, left_out=(KEYS[1],), at=40.0)
    assert rounds.caught_up_at == 20.0, "the second item was not there before"
    ended(rounds, at=50.0)
    assert (rounds.caught_up_at, rounds.oldest_at) == (50.0, None)


def test_a_refused_round_proves_nothing_and_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "back_off_s", float)
    rounds = Rounds(once=False)
    ended(rounds, at=10.0)
    pauses = []
    for at in (20.0, 30.0, 40.0):
        rounds.begin(at)
        rounds.refuse("DynamoDB throttles")
        rounds.end()
        assert (rounds.caught_up_at, rounds.trouble, rounds.backlog) == (10.0, "DynamoDB throttles", None)
        assert rounds.oldest_at == 20.0
        pauses.append(rounds.pause_s)
    assert pauses == [1, 2, 3]
    ended(rounds, at=50.0)
    assert (rounds.caught_up_at, rounds.trouble, rounds.oldest_at) == (50.0, "", None)


def test_a_refused_round_forgets_no_item_that_it_has_not_shown() -> None:
    rounds = Rounds(once=False)
    ended(rounds, at=10.0)
    ended(rounds, shows=1, left_out=(KEYS[0],), at=20.0)
    rounds.begin(30.0)
    rounds.refuse("DynamoDB throttles")
    rounds.end()
    ended(rounds, shows=1, left_out=(KEYS[0],), at=40.0)
    assert rounds.caught_up_at == 10.0


def test_more_items_than_are_kept_share_an_entry_and_their_number_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "LEFT_OUT_MAX", 1)
    rounds = Rounds(once=False)
    ended(rounds, at=10.0)
    ended(rounds, shows=2, left_out=(KEYS[0], KEYS[1]), at=20.0)
    assert (rounds.caught_up_at, rounds.backlog) == (10.0, None)
    assert OTHERS in rounds._left_out
    ended(rounds, shows=1, left_out=(KEYS[2],), at=30.0)
    assert rounds.caught_up_at == 10.0, "it may be one of the others"


def test_once_waits_for_an_empty_round_but_not_for_ever() -> None:
    rounds = Rounds(once=True)
    for n in range(BUSY_ROUNDS_MAX - 1):
        ended(rounds, shows=1, fresh=1, at=10.0 + n)
        assert rounds.caught_up_at == 0
    ended(rounds, shows=1, fresh=1, at=20.0)
    assert rounds.caught_up_at == 20.0, "the app never pauses"
    rounds = Rounds(once=True)
    ended(rounds, shows=1, fresh=1, at=10.0)
    ended(rounds, at=11.0)
    assert rounds.caught_up_at == 11.0


def test_an_idle_index_is_asked_less_and_less_and_again_at_once_after_new_items() -> None:
    rounds = Rounds(once=False)
    for n in range(20):
        ended(rounds, at=10.0 + n)
    assert rounds.pause_s == IDLE_S_MAX
    ended(rounds, shows=1, fresh=1, at=40.0)
    assert rounds.pause_s == IDLE_S_MIN
    assert rounds.fresh


def test_while_no_round_can_begin_the_age_of_what_waits_is_that_of_the_last_proof() -> None:
    rounds = Rounds(once=False)
    rounds.put_off()
    assert rounds.oldest_at is None, "nothing was read yet"
    ended(rounds, at=10.0)
    rounds.put_off()
    assert rounds.oldest_at == 10.0
