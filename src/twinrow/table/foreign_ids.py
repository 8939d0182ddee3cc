"""The items that this process has met with an id that is not their row's, and when our own link of each got through."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

KEYS_MAX: Final = 50_000
"""An app that puts ids on all its new items adds an entry for each; the oldest go first, so that memory is bounded.

A forgotten item may be counted once more, or once less, than it was met; three meetings stop the linking of a table.
"""


class ForeignIdMemory:
    """A bounded memory of keys; the table's thread adds to it, and the threads that settle links look up and note."""

    def __init__(self) -> None:
        self._through: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def meet(self, key_hash: bytes) -> None:
        """The item carried an id that is not its row's; our link of it is owed from now on."""
        with self._lock:
            self._through.setdefault(key_hash, 0.0)
            while len(self._through) > KEYS_MAX:
                self._through.popitem(last=False)

    def met(self, key_hash: bytes) -> bool:
        """Whether the item was met so."""
        with self._lock:
            return key_hash in self._through

    def link_is_through(self, keys: Iterable[bytes], at: float) -> None:
        """Our links of these items got through at this moment (monotonic seconds)."""
        with self._lock:
            for key_hash in keys:
                if key_hash in self._through:
                    self._through[key_hash] = at
                    self._through.move_to_end(key_hash)

    def through_at(self, key_hash: bytes) -> float:
        """When our link of the item got through last (monotonic seconds); 0 where it did not, or nothing is known."""
        with self._lock:
            return self._through.get(key_hash, 0.0)
