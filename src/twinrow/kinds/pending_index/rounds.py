"""What rounds over the pending index prove, and when the next one is due. Pure: no thread, no clock, no server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from twinrow.retry import back_off_s

OTHERS: Final = b""
"""Stands for all left out items where they are too many."""
IDLE_S_MIN: Final = 0.02
"""An index shows a cleared mark some milliseconds longer; asked sooner, it would show the same items again."""
IDLE_S_MAX: Final = 0.4
LEFT_OUT_MAX: Final = 50_000
"""More items that a round left out share an entry: 5 MB."""
BUSY_ROUNDS_MAX: Final = 5
"""`--once` waits for a round that shows nothing, since an index may lag; where the app never pauses, so many do."""


class Rounds:
    """Rounds over the index. A round proves that every mark set before it began was copied.

    Not so for the items that it left out (their link was under way, their image seemed stale, the index has keys only):
    for those, the proof of the last round before stands until a round shows them no more, or takes them.

    Moments are epoch seconds of DynamoDB's clock. `caught_up_at`: every mark set before it was copied, 0 while that is
    not known. `oldest_at`: no mark set before it waits, None while none waits. `backlog`: items that wait, None where
    unknown. `trouble`: why the last round proved nothing, else "". `pause_s`: the pause after the last round, seconds.
    """

    def __init__(self, *, once: bool, idle_s_max: float = IDLE_S_MAX) -> None:
        self._once = once
        self._idle_s_max = idle_s_max
        self._began: float | None = None
        self._seen = self._fresh = self._pages = 0
        self._refused = ""
        self._first_at = self._proved_at = 0.0
        self._left_out: dict[bytes, float] = {}
        self._left_out_now: dict[bytes, float] = {}
        self._busy_rounds = self._throttles = 0
        self._idle_s = IDLE_S_MIN
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.trouble = ""
        self.pause_s = 0.0

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended."""
        return self._began is not None

    @property
    def fresh(self) -> bool:
        """Whether the round has met items that are a reason to ask again soon."""
        return self._fresh > 0

    def put_off(self) -> None:
        """No round can begin: meanwhile nobody knows which marks the app has set."""
        if self._first_at:
            self.oldest_at = self.oldest_at or max(self._first_at, self._proved_at)

    def begin(self, at: float) -> None:
        """Begin a round at `at`, before its first query is sent."""
        self._began, self._seen, self._fresh, self._pages = at, 0, 0, 0
        self._first_at = self._first_at or at
        self._refused, self._left_out_now = "", {}

    def answered(self) -> None:
        """A page of the round came."""
        self._pages += 1

    def refuse(self, why: str) -> None:
        """DynamoDB has throttled a query of the round."""
        self._refused = why

    def show(self, items: int) -> None:
        """The index shows so many items, which all wait until they are copied."""
        self._seen += items
        if items and self.oldest_at is None:
            self.oldest_at = self._began

    def take(self, items: int) -> None:
        """So many of the items shown were new."""
        self._fresh += items

    def leave_out(self, hashes: Iterable[bytes]) -> None:
        """The round proves nothing about these items; the proof of an earlier round stands."""
        others = self._left_out.get(OTHERS, self._proved_at)
        self._left_out_now |= {key_hash: self._left_out.get(key_hash, others) for key_hash in hashes}
        self._left_out_now = _bounded(self._left_out_now)

    def end(self) -> None:
        """End the round: every page of it was looked at, or refused."""
        began, self._began = self._began or 0.0, None
        if self._refused:
            self._left_out = _bounded(self._left_out_now | self._left_out)  # it has not shown which are through
            # what a refused query did not show may be as old as the round
            self._throttles = 1 if self._pages else self._throttles + 1
            self.pause_s = back_off_s(self._throttles)
            self.trouble, self.backlog = self._refused, None
            self.oldest_at = self.oldest_at or began
            return
        self._left_out, self._proved_at = self._left_out_now, began
        proved_at = min(self._left_out.values(), default=began)
        self._busy_rounds = self._busy_rounds + 1 if self._seen else 0
        if not (self._once and 0 < self._busy_rounds < BUSY_ROUNDS_MAX):
            self.caught_up_at = proved_at
        self.oldest_at = max(self._first_at, proved_at) if self._left_out else None
        self.backlog = None if OTHERS in self._left_out else len(self._left_out)
        self._throttles, self.trouble = 0, ""
        self._idle_s = IDLE_S_MIN if self._fresh else min(self._idle_s_max, self._idle_s * 1.5)
        self.pause_s = self._idle_s

    def abandon(self) -> None:
        """A query failed: the round proves nothing."""
        self._began = None


def _bounded(left_out: dict[bytes, float]) -> dict[bytes, float]:
    """The same with at most LEFT_OUT_MAX entries: more share an entry, with the proof that holds for all of them."""
    return left_out if len(left_out) <= LEFT_OUT_MAX else {OTHERS: min(left_out.values())}
