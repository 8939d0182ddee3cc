"""When a suspect is equal, and when the sync's own commit counts: laws of one suspect, without servers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from twinrow.compare.items import ABSENT, Difference
from twinrow.verify import suspects
from twinrow.verify.suspects import IMAGES_A_SUSPECT_MAX, AtLock, Moment, ObservedKey, Running, Sight, Suspects
from twinrow.verify.verdict import Verdict

KEY = b"k" * 16
DIFFERENT = Difference("DIFFERENT", KEY, {}, 1)
MISSING = Difference("MISSING", KEY, {}, None)


def _at(seconds: float) -> Moment:
    return Moment(1_000_000.0 + seconds, seconds)


def _sight(image: bytes, row: bytes, shown: bytes | None, *found: Difference) -> Sight:
    return Sight(image, row, shown, found or (DIFFERENT,))


def _seen(*sights: Sight) -> ObservedKey:
    suspect = ObservedKey(KEY, {}, False)
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
    suspect = ObservedKey(KEY, {}, False)
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
    behind = Running(True, _at(-1).boot, set())
    through = Running(True, _at(0.5).boot, set())
    rechecking = Running(True, _at(0.5).boot, {KEY})
    nobody = Running(False, 0.0, set())
    assert not nobody.had_time(still, _at(0.5))
    assert nobody.had_time(still, _at(1.0))
    assert through.had_time(still, _at(1.0))
    assert not rechecking.had_time(still, _at(1.0))
    assert not behind.had_time(still, _at(59.0))
    assert behind.had_time(still, _at(61.0))


LAG_S = 20.0
CHANGED_AT = 2.0
LOOK_S = 3.0
ROWS_READ_AFTER_S = 0.5


class _Slow:
    """A sync that is LAG_S behind and well, and looks that last LOOK_S; the item changed in the first of them."""

    def __init__(self) -> None:
        self.at = 0.0
        self.stop = self

    def __bool__(self) -> bool:
        return False

    def wait(self, _seconds: float) -> bool:
        return False

    def running(self) -> Running:
        return Running(True, self.at - LAG_S, set())

    def look(self) -> dict[bytes, Sight]:
        rows_at = self.at + ROWS_READ_AFTER_S
        self.at += LOOK_S
        written = rows_at >= CHANGED_AT + LAG_S
        return {KEY: Sight(b"new", b"r2", b"new", ()) if written else _sight(b"new", b"r1", b"old")}


def test_a_slow_look_beside_a_sync_that_is_behind_makes_no_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Slow()
    told: list[Difference] = []
    monkeypatch.setattr(suspects, "now", lambda: Moment(slow.at, slow.at))
    monkeypatch.setattr(Suspects, "_new_comparer", lambda self: None)
    monkeypatch.setattr(Suspects, "_running", lambda self: slow.running())
    monkeypatch.setattr(Suspects, "_look", lambda self: slow.look())
    monkeypatch.setattr(Suspects, "_generation", lambda self: 1)
    monkeypatch.setattr(Suspects, "_look_under_lock", lambda self, at: None)
    reader: Any = SimpleNamespace(settings=SimpleNamespace(table="reviews"), stop=slow)
    observed, verdict = Suspects(reader, told.append), Verdict("reviews")
    observed.add([DIFFERENT], verdict, item_was_seen=False)
    observed.settle(verdict)
    assert verdict.in_step, told
