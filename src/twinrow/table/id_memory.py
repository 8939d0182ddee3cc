"""The ids that this process remembers of one table. All of it is bounded, and a restart may lose it without harm.

Not to be touched: it changes after a commit only. A transaction that is rolled back has taught nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from twinrow import clock

KEYS_MAX: Final = 50_000
"""Keys that each of the memories keeps, some 10 MB in all; the oldest go first.

An app that puts ids on all its new items adds an entry for each. A forgotten item may be counted once more, or once
less, than it was met; three meetings stop the linking of a table.
"""
FORMER_IDS_A_KEY_MAX: Final = 8
AHEAD_S_MAX: Final = 600.0
"""A DELETE that the stream delivers this long after a consistent read of the item is a new delete."""


@dataclass(frozen=True, slots=True)
class RowGone:
    """A row that was deleted; `by_stream`: because a stream record said so."""

    key_hash: bytes
    row_id: int
    by_stream: bool


@dataclass(frozen=True, slots=True)
class IdsLearned:
    """The news of ids in a transaction, to be remembered once it is committed.

    `ahead_of_stream`: a consistent read has written these rows. A DELETE that the stream still has to deliver may be
    older than they are. `foreign`: items met with an id that is not their row's. `mysql_went_back`: one of these ids
    shows that MySQL lost rows.
    """

    gone: tuple[RowGone, ...] = ()
    ahead_of_stream: tuple[bytes, ...] = ()
    foreign: tuple[bytes, ...] = ()
    mysql_went_back: bool = False


class ForeignIdMemory:
    """The items met with an id that is not their row's, and when our own link of each got through.

    The table's thread adds to it; the threads that settle links look up and note, so it has a lock.
    """

    def __init__(self) -> None:
        self._through: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def meet(self, keys: Iterable[bytes]) -> None:
        """These items carried an id that is not their row's; our link of each is owed from now on."""
        with self._lock:
            for key_hash in keys:
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


class IdMemory:
    """Former ids of keys, rows written ahead of the stream, ids to be given back, foreign ids, a loss that is known.

    The table's thread alone asks and adds; `foreign` is shared with the threads that settle links.
    """

    def __init__(self) -> None:
        self.foreign: Final = ForeignIdMemory()
        self._former: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._ahead: OrderedDict[bytes, float] = OrderedDict()
        self._given_back: OrderedDict[bytes, tuple[int, float]] = OrderedDict()
        self._knows_of_loss = False

    @property
    def knows_of_loss(self) -> bool:
        """Whether an id has shown before that MySQL went back; a later loss shows by its generation."""
        return self._knows_of_loss

    def id_to_give_back(self, key_hash: bytes) -> int | None:
        """The id of a row that the stream deleted only because it was behind: the item of that row lives."""
        row_id, at = self._given_back.get(key_hash, (None, 0.0))
        return row_id if clock.monotonic() - at < AHEAD_S_MAX else None

    def was_ours(self, key_hash: bytes, row_id: int | None) -> bool:
        """Whether the key had a row of that id before: a link call under way may still write that id to its item."""
        return row_id in self._former.get(key_hash, ())

    def remember(self, learned: IdsLearned) -> None:
        """Remember what a committed transaction teaches."""
        now = clock.monotonic()
        for row in learned.gone:
            self._row_is_gone(row, now)
        for key_hash in learned.ahead_of_stream:
            self._ahead.pop(key_hash, None)
            self._ahead[key_hash] = now
        for memory in (self._former, self._ahead, self._given_back):
            while len(memory) > KEYS_MAX:
                memory.popitem(last=False)
        if learned.foreign:
            self.foreign.meet(learned.foreign)
        self._knows_of_loss |= learned.mysql_went_back

    def remember_unsure(self, learned: IdsLearned) -> None:
        """Remember what is harmless where it is wrong: the connection broke, and nobody knows whether it committed.

        Were it committed and forgotten, an item that lives could get another id. That MySQL went back is left out:
        where its gap was rolled back, the repeated transaction has to record it.
        """
        self.remember(replace(learned, mysql_went_back=False))

    def _row_is_gone(self, row: RowGone, now: float) -> None:
        if row.by_stream and now - self._ahead.pop(row.key_hash, -AHEAD_S_MAX) < AHEAD_S_MAX:
            self._given_back.pop(row.key_hash, None)
            self._given_back[row.key_hash] = (row.row_id, now)
        ids = self._former.pop(row.key_hash, ())
        self._former[row.key_hash] = (*ids, row.row_id)[-FORMER_IDS_A_KEY_MAX:]
