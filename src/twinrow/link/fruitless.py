"""Link calls that settle nothing, item by item: each recheck of such an item comes later than the last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from twinrow import clock
from twinrow.retry import back_off_s
from twinrow.state.outbox import PendingLink

WAIT_S_MAX = 5.0
"""An item waits at most so long for its next look: the app may just be writing it all the time."""
KEYS_MAX = 50_000
"""More items are not counted separately: 10 MB."""
REPORTED_CALLS = 3
"""After this many calls in a row that settled nothing for an item, `status` shows DynamoDB's answer."""


@dataclass(frozen=True, slots=True)
class Again:
    """Links to be looked at again in `wait_s`, after `calls` calls in a row that settled nothing for them."""

    calls: int
    wait_s: float
    links: list[PendingLink]


class FruitlessCalls:
    """Counts them. Without a wait, an item whose calls are all refused would keep both servers busy for ever."""

    def __init__(
        self, now: Callable[[], float] = lambda: clock.monotonic(), back_off: Callable[[int, float], float] = back_off_s
    ) -> None:
        self._now = now
        self.back_off = back_off
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def note(self, links: Sequence[PendingLink]) -> list[Again]:
        """A call settled none of these. The first recheck comes at once: mostly the item has just changed."""
        at = self._now()
        found: dict[int, Again] = {}
        with self._lock:
            for link in links:
                calls = self._known.pop(link.key_hash, (0, 0.0))[0] + 1
                if calls not in found:
                    found[calls] = Again(calls, self.back_off(calls, WAIT_S_MAX) if calls > 1 else 0.0, [])
                found[calls].links.append(link)
                self._known[link.key_hash] = calls, at + found[calls].wait_s
            while len(self._known) > KEYS_MAX:
                self._known.popitem(last=False)
        return list(found.values())

    def settled(self, links: Iterable[PendingLink]) -> None:
        """These are settled: the next trouble of their items is a new trouble."""
        if self._known:
            with self._lock:
                for link in links:
                    self._known.pop(link.key_hash, None)

    def waits(self, key_hash: bytes) -> bool:
        """Whether the next look at this item has to wait."""
        return self._known.get(key_hash, (0, 0.0))[1] > self._now()

    def waiting(self) -> frozenset[bytes]:
        """The items whose next look has to wait."""
        if not self._known:
            return frozenset()
        at = self._now()
        with self._lock:
            return frozenset(key_hash for key_hash, (_, until) in self._known.items() if until > at)
