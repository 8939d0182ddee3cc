"""Which ids new rows take: that of the row that was, where it is known, or the next free id (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from twinrow.change import AttributeValue
from twinrow.write.prepare import PreparedChange

ROW_ID_MAX: Final = 2**63 - 1
ROW_IDS_AHEAD_MAX: Final = 2**40
"""A free id on an item counts as the former id of its row, unless it is so far above all rows: then it is another's.

Each update burns an id, so a restore may be far behind. Ids do not run out within 2**23 such leaps. A first copy that
adopts ids begins at 0: a thousand updates a second burn 2**40 ids in 35 years.
"""


@dataclass(frozen=True, slots=True)
class WishedIds:
    """Ids that new rows ask for, with their keys. `known`: a tombstone, a dead letter or the memory says that the row
    had it; `told`: nothing but the item itself says so.
    """

    known: Mapping[int, bytes] = field(default_factory=dict)
    asked_by_item: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdsInUse:
    """Ids asked for that are in use (`owners`: whose row has it) or kept for parked items; the highest id of all."""

    owners: Mapping[int, bytes] = field(default_factory=dict)
    kept: Collection[int] = ()
    highest: int = 0


@dataclass(frozen=True, slots=True)
class TakenIds:
    """Ids that new rows take, by key; `by_item`: those of which nothing but the item itself knows the id."""

    ids: Mapping[bytes, int] = field(default_factory=dict)
    by_item: frozenset[bytes] = frozenset()


def row_id_of(link: AttributeValue | None) -> int | None:
    """The row id in a link attribute, or None for what no row id can be."""
    text = (link or {}).get("N", "")
    return int(text) if text.isdigit() and 0 < int(text) <= ROW_ID_MAX else None


def wished_ids(
    new: Sequence[PreparedChange],
    tombstones: Mapping[bytes, int | None],
    letters: Mapping[bytes, int | None],
    id_to_give_back: Callable[[bytes], int | None],
    *,
    may_take_links: bool,
) -> WishedIds:
    """The ids that new rows ask for. Where two rows ask for the same id, the first gets it.

    A row lost in MySQL, or parked for a time, comes back under its id.
    """
    known: dict[int, bytes] = {}
    asked_by_item: dict[int, bytes] = {}
    for change in new:
        key_hash = change.key_hash
        row_id = tombstones.get(key_hash) or id_to_give_back(key_hash) or letters.get(key_hash)
        if row_id is not None:
            known.setdefault(row_id, key_hash)
        elif may_take_links:
            row_id = row_id_of(change.link)
            if row_id is not None:
                asked_by_item.setdefault(row_id, key_hash)
    return WishedIds(known, asked_by_item)


def taken_ids(wished: WishedIds, in_use: IdsInUse, letters: Collection[bytes]) -> TakenIds:
    """The wished ids that are free. An id that an item tells must also be credible, and not be kept for another item.

    `letters`: keys that have a dead letter, so that their id is not known from the item alone.
    """
    highest = min(ROW_ID_MAX, ROW_IDS_AHEAD_MAX + in_use.highest)
    asked_by_item = {
        row_id: key for row_id, key in wished.asked_by_item.items() if row_id <= highest and row_id not in in_use.kept
    }
    ids = {key: row_id for row_id, key in {**asked_by_item, **wished.known}.items() if row_id not in in_use.owners}
    return TakenIds(ids, frozenset(key for key in asked_by_item.values() if key in ids and key not in letters))
