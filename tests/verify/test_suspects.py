"""When a suspect is equal, and when the sync's own commit counts: laws of one suspect, without servers."""

from __future__ import annotations

from twinrow.sync.compare import ABSENT, Difference
from twinrow.verify.suspects import IMAGES_A_SUSPECT_MAX, AtLock, Moment, Running, Sight, Suspect

KEY = b"k" * 16
DIFFERENT = Difference("DIFFERENT", KEY, {}, 1)
MISSING = Difference("MISSING", KEY, {}, None)


def _at(seconds: float) -> Moment:
    return Moment(1_000_000.0 + seconds, seconds)


def _sight(image: bytes, row: bytes, shown: bytes | None, *found: Difference) -> Sight:
    return Sight(image, row, shown, found or (DIFFERENT,))


def _seen(*sights: Sight) -> Suspect:
    suspect = Suspect(KEY, {}, False)
    for second, one in enumerate(sights):
        suspect.see(one, _at(second))
    return suspect


def test_a_row_is_equal_to_any_image_seen_and_to_no_other() -> None:
    suspect = _seen(_sight(b"one", b"r1", b"zero"), _sight(b"two", b"r1", b"zero"))
    assert suspect.is_equal(_sight(b"three", b"r2", b"one"))
    assert not suspect.is_equal(_sight(b"three", b"r2", b"zero"))
    assert not suspect.is_equal(_sight(b"three", b"r2", None)), "no item gives such a row"
    assert suspect.is_equal(Sight(b"three", b"r2", None, ()))


def test_absence_is_an_image() -> None:
    gone_once = _seen(_sight(ABSENT, b"r1", b"zero"))
    assert gone_once.is_equal(_sight(b"again", b"", ABSENT, MISSING))
    always_there = _seen(_sight(b"one", b"", ABSENT, MISSING))
    assert not always_there.is_equal(_sight(b"two", b"", ABSENT, MISSING))


def test_the_images_of_an_item_are_bounded_and_the_latest_are_kept() -> None:
    suspect = Suspect(KEY, {}, False)
    for number in range(10 * IMAGES_A_SUSPECT_MAX):
        suspect.remember(b"%d" % number)
    assert len(suspect.images) == IMAGES_A_SUSPECT_MAX
    assert b"%d" % (10 * IMAGES_A_SUSPECT_MAX - 1) in suspect.images


def test_the_sync_s_own_commit_counts_only_where_row_item_and_generation_have_all_moved_on() -> None:
    suspect = _seen(_sight(b"one", b"r1", b"zero"))
    moved = _sight(b"two", b"r2", b"a newer one")
    assert not suspect.is_committed_since(moved, 8), "nobody looked under the lock yet"
    suspect.locked = AtLock(7, b"r1", b"one")
    assert suspect.is_committed_since(moved, 8)
    assert not suspect.is_committed_since(moved, 7), "no writing transaction: a hand wrote the row"
    assert not suspect.is_committed_since(_sight(b"two", b"r1", b"zero"), 8), "the row is as it was"
    assert not suspect.is_committed_since(_sight(b"one", b"r2", b"a newer one"), 8), "the item is as it was"
    assert not suspect.is_committed_since(_sight(b"two", b"r2", None), 8), "no item gives such a row"


def test_a_sync_that_runs_is_given_time_for_what_stands_still_and_no_longer_than_a_minute() -> None:
    still = _seen(_sight(b"one", b"r1", b"zero"), _sight(b"one", b"r1", b"zero"))
    behind = Running(True, _at(-1).boot, set(), 1)
    through = Running(True, _at(0.5).boot, set(), 1)
    rechecking = Running(True, _at(0.5).boot, {KEY}, 1)
    nobody = Running(False, 0.0, set(), 1)
    assert not nobody.had_time(still, _at(0.5))
    assert nobody.had_time(still, _at(1.0))
    assert through.had_time(still, _at(1.0))
    assert not rechecking.had_time(still, _at(1.0))
    assert not behind.had_time(still, _at(59.0))
    assert behind.had_time(still, _at(61.0))
