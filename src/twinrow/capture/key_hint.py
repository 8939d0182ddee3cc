"""Hints: a record says that a key changed, and when; its images are never looked at (pure).

Kinesis streams and Lambda event source mappings repeat records and deliver them out of order (AWS, "Kinesis Data
Streams for DynamoDB", and "Using Lambda with DynamoDB"). An image from them may be older than the row. The truth of
each key is therefore read consistently, under the table's lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from twinrow.capture.shard_tree import CLOCK_MARGIN_S
from twinrow.capture.stream_record import DOUBT_CHARACTERS_MAX
from twinrow.change import Item
from twinrow.decode.readable import UNREADABLE
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute

KEYS_REMEMBERED_MAX = 100_000
"""About 15 MB. A key that is forgotten is read once more than needed, which does no harm."""


class KeyHint(msgspec.Struct, frozen=True, gc=False):
    """A record, reduced to the key that changed.

    `sequence`: its place in its shard. `table`: "" where the record does not name it. `key`: as the record shows it,
    binary encoded once; empty where it cannot be read. `at`: when DynamoDB took the change, in epoch seconds, 0 where
    that is not known. `size`: the bytes of the record. `doubt`: what is not understood, else "". `foreign`: it is no
    record of DynamoDB, but something that somebody else puts into the same stream.
    """

    sequence: str
    table: str = ""
    key: Item = {}
    at: float = 0.0
    size: int = 0
    doubt: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class HintedKey:
    """A key that changed; `newest_at` is the time of its newest hint, infinite where a hint does not say."""

    key: Item
    newest_at: float


@dataclass(frozen=True, slots=True)
class FoldedHints:
    """The keys of a batch by fingerprint, and what was not understood of some records.

    `lost`: doubts about records of DynamoDB, each of which is a change of some key that nobody can name.
    `foreign`: doubts about records that are not DynamoDB's, which tell nothing of any key.
    """

    keys: Mapping[bytes, HintedKey]
    lost: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def fold(schema_keys: tuple[KeyAttribute, ...], hints: Iterable[KeyHint], seen: Callable[[Item], Item]) -> FoldedHints:
    """Fold the hints of a table by key. A key that does not fit the table's keys counts as not understood.

    `seen`: the key as everything behind the door to DynamoDB sees it (`DynamoDB.seen_key`).
    """
    keys: dict[bytes, HintedKey] = {}
    lost, foreign = list[str](), list[str]()
    names = {attribute.name for attribute in schema_keys}
    for hint in hints:
        if hint.doubt:
            (foreign if hint.foreign else lost).append(hint.doubt)
            continue
        try:
            key = seen(hint.key)
            key_hash = fingerprint(schema_keys, key)
            if hint.key.keys() != names:
                raise ValueError(f"the record's key has the attributes {sorted(hint.key)}")
        except UNREADABLE as error:
            lost.append(shortened(error))
            continue
        newest_at = hint.at or math.inf
        known = keys.get(key_hash)
        if known is None or known.newest_at < newest_at:
            keys[key_hash] = HintedKey(key, newest_at)
    return FoldedHints(keys, tuple(lost), tuple(foreign))


class KeyReads:
    """When the newest consistent read of each key began, for as many keys as fit; times are of DynamoDB's clock."""

    def __init__(self, keys_max: int = KEYS_REMEMBERED_MAX) -> None:
        self._began_at: dict[bytes, float] = {}
        self._keys_max = keys_max

    def note(self, key_hashes: Iterable[bytes], began_at: float) -> None:
        """Remember reads whose rows are committed; a read that was rolled back must not be noted."""
        for key_hash in key_hashes:
            earlier = self._began_at.pop(key_hash, began_at)
            self._began_at[key_hash] = max(earlier, began_at)
        while len(self._began_at) > self._keys_max:
            del self._began_at[next(iter(self._began_at))]

    def covers(self, key_hash: bytes, newest_at: float) -> bool:
        """Whether a read of the key began so long after the change that it has shown it, whichever clocks differ."""
        return self._began_at.get(key_hash, -math.inf) > newest_at + CLOCK_MARGIN_S

    def uncovered(self, keys: Mapping[bytes, HintedKey]) -> dict[bytes, Item]:
        """The keys that still have to be read."""
        return {key_hash: key.key for key_hash, key in keys.items() if not self.covers(key_hash, key.newest_at)}


def shortened(doubt: Any) -> str:
    """A doubt for the log; it may quote a record, which may be as long as an item."""
    return str(doubt)[:DOUBT_CHARACTERS_MAX] or "not understood"
