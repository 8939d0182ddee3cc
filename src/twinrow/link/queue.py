"""The queue of one table's pending links: which are sent next, which are under way, which marks were just cleared.

Pure: no thread, no lock, no clock of its own. Whoever shares it between threads holds a lock around each method.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twinrow.dynamodb import STATEMENTS_MAX
from twinrow.state.outbox import PendingLink

CALLS_AT_ONCE_MIN = 2
"""While so many calls are under way, a few links wait for the next call.

Full calls cost both servers less than many.
"""
CALLS_AT_ONCE_MAX = 8
LINKS_WAITING_MAX = 20_000
"""Pending links held in memory, 1.2 KB each; more are left to the outbox, where all of them stand, until their turn."""
STALE_S_MAX = 0.5
"""At most this long after a mark was cleared, the index may still show its unchanged image (usually far less)."""
FORGET_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Cleared:
    """A mark that was cleared: when its answer was there (monotonic seconds), and the digest of the image it was on."""

    at: float
    digest: bytes


@dataclass(frozen=True, slots=True)
class LinkView:
    """The links at one moment, as a reader of the index needs them.

    `in_flight`: keys whose call is under way, or whose mark waits for its turn: the index still shows them. `marks`:
    how many marks those are. `left_marks`: whether marks were left to the outbox. `backing_off`: keys whose link was
    tried in vain and whose next look has to wait.
    """

    in_flight: frozenset[bytes]
    cleared: Mapping[bytes, Cleared]
    marks: int
    left_marks: bool
    backing_off: frozenset[bytes]

    def cleared_since(self, key_hash: bytes, asked_at: float) -> Cleared | None:
        """The mark of this key that was cleared so late that an index asked at `asked_at` may still show it."""
        cleared = self.cleared.get(key_hash)
        return cleared if cleared is not None and cleared.at > asked_at - STALE_S_MAX else None


class LinkQueue:
    """Links that wait for a call, marks first, and those under way. A call has at most one link of each key.

    `workers` is how many threads send calls; `submit` says how many more are wanted, and `next_call` which end.
    """

    def __init__(self, waiting_max: int | None = None, statements_max: int = STATEMENTS_MAX) -> None:
        self._waiting_max = LINKS_WAITING_MAX if waiting_max is None else waiting_max
        self._statements_max = statements_max
        self._marked: deque[PendingLink] = deque()
        self._bare: OrderedDict[bytes, PendingLink] = OrderedDict()  # links that wait with no mark to clear
        self._in_flight: dict[bytes, int] = {}
        self._cleared: dict[bytes, Cleared] = {}
        self._forgot_at = 0.0
        self.marks = 0
        """How many links that clear a mark are under way or wait for their turn."""
        self.workers = 0
        self.left_marks = False
        """Whether marks were left to the outbox: a walk over it (`left_after`) brings them back."""
        self.left_after = b""

    def submit(self, links: Sequence[PendingLink]) -> int:
        """Take these links of the outbox; how many more workers are to begin now.

        Marks go before bare links: a poll waits for them. Links that the queue has no room for are left to the outbox,
        the newest first.
        """
        for link in links:
            self._bare.pop(link.key_hash, None)
            if link.mark is None:
                self._bare[link.key_hash] = link
            else:
                self._marked.append(link)
                self._begin(link)
        while self._bare and self._waiting() > self._waiting_max:
            self._bare.popitem()
        left = [self._marked.pop() for _ in range(len(self._marked) - self._waiting_max)]
        if left:
            self.left_marks, self.left_after = True, b""
        self.landed(left)
        is_busy = self.workers >= CALLS_AT_ONCE_MIN
        wanted = self._waiting() // self._statements_max if is_busy else self._calls_for_waiting()
        more = max(0, min(CALLS_AT_ONCE_MAX - self.workers, wanted))
        self.workers += more
        return more

    def next_call(self) -> list[PendingLink]:
        """The next links, of distinct keys (two statements for one key fail a whole call); none: the worker ends."""
        call: dict[bytes, PendingLink] = {}
        again: list[PendingLink] = []
        while self._marked and len(call) < self._statements_max:
            link = self._marked.popleft()
            if link.key_hash in call:
                again.append(link)
            else:
                call[link.key_hash] = link
        self._marked.extendleft(reversed(again))
        while self._bare and len(call) < self._statements_max and next(iter(self._bare)) not in call:
            key_hash, link = self._bare.popitem(last=False)
            self._begin(link)
            call[key_hash] = link
        if not call:
            self.workers -= 1
        return list(call.values())

    def landed(self, links: Sequence[PendingLink]) -> None:
        """These links are no longer under way, whatever became of them."""
        for link in links:
            self.marks -= link.mark is not None
            left = self._in_flight[link.key_hash] - 1
            if left:
                self._in_flight[link.key_hash] = left
            else:
                del self._in_flight[link.key_hash]

    def cleared(self, links: Sequence[PendingLink], at: float) -> None:
        """The marks of these settled links were cleared at `at`, at the latest."""
        self._cleared |= {link.key_hash: Cleared(at, link.digest) for link in links if link.mark is not None}

    def walked(self, found: Sequence[PendingLink], *, is_last: bool) -> None:
        """A walk over the outbox from `left_after` on has found these marks; `is_last`: there are no more behind."""
        self.left_marks = not is_last
        self.left_after = b"" if is_last else found[-1].key_hash

    def drop_waiting(self) -> None:
        """Forget what waits: all of it stands in the outbox. Calls under way go on."""
        self.landed(list(self._marked))
        self._marked.clear()
        self._bare.clear()

    def in_flight(self) -> set[bytes]:
        """The keys whose call is under way, or whose mark waits for its turn."""
        return set(self._in_flight)

    def known(self) -> set[bytes]:
        """The keys whose call is under way, or whose link waits for its turn."""
        return self._in_flight.keys() | self._bare.keys()

    def calls(self) -> int:
        """How many calls are under way or wait for a worker."""
        return self.workers + self._calls_for_waiting()

    def view(self, at: float, asked_at: float, backing_off: frozenset[bytes] = frozenset()) -> LinkView:
        """The view of this moment for an index that was asked at `asked_at` at the earliest.

        Marks that were cleared too long before that are forgotten, once in FORGET_EVERY_S.
        """
        if at - self._forgot_at > FORGET_EVERY_S:
            self._forgot_at = at
            self._cleared = {key: mark for key, mark in self._cleared.items() if mark.at >= asked_at - STALE_S_MAX}
        return LinkView(frozenset(self._in_flight), dict(self._cleared), self.marks, self.left_marks, backing_off)

    def _waiting(self) -> int:
        return len(self._marked) + len(self._bare)

    def _calls_for_waiting(self) -> int:
        return -(-self._waiting() // self._statements_max)

    def _begin(self, link: PendingLink) -> None:
        self.marks += link.mark is not None
        self._in_flight[link.key_hash] = self._in_flight.get(link.key_hash, 0) + 1
