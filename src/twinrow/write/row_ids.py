"""Which ids new rows take: that of the row that was, where it is known, or the next free one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twinrow.change import AttributeValue
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.sink.writer import Existing
from twinrow.state import dead_letter, recheck
from twinrow.table.context import TableContext
from twinrow.write.prepare import One

ROW_ID_MAX = 2**63 - 1
ROW_IDS_AHEAD_MAX = 2**40
"""A free id on an item is taken for one that its row had unless it is so far above all rows: then it is another's.

Each update burns an id, so a restore may be far behind. Ids do not run out within 2**23 such leaps. A first copy that
adopts ids begins at 0: a thousand updates a second burn 2**40 ids in 35 years.
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Ids that new rows take, by key; `by_item`: those of which nothing but the item itself knows the id."""

    ids: dict[bytes, int]
    by_item: frozenset[bytes] = frozenset()


def row_id_of(link: AttributeValue | None) -> int | None:
    """The row id in a link attribute, or None for what no row id can be."""
    text = (link or {}).get("N", "")
    return int(text) if text.isdigit() and 0 < int(text) <= ROW_ID_MAX else None


def ids_to_take(
    tx: Connection,
    context: TableContext,
    ones: Sequence[One],
    existing: Mapping[bytes, Existing],
    buried: Mapping[bytes, int | None],
    *,
    any_letter: bool,
) -> Taken:
    """The id of the row that was, as a tombstone, a dead letter or the item itself tells it; or one to be adopted.

    So a row lost in MySQL, or parked for a time, comes back under its id.
    """
    new = [change for change in ones if change.row is not None and change.hash not in existing]
    letters = dead_letter.row_ids(tx, context.name, [change.hash for change in new]) if any_letter else {}
    asked: dict[int, bytes] = {}
    told: dict[int, bytes] = {}
    for change in new:
        row_id = buried.get(change.hash) or context.ids.id_to_give_back(change.hash) or letters.get(change.hash)
        if row_id is not None:
            asked.setdefault(row_id, change.hash)
        elif context.settings.linked and (context.settings.adopt_links or not context.state.first_copy):
            row_id = row_id_of(change.link)
            if row_id is not None:
                told.setdefault(row_id, change.hash)
    told = _credible(tx, context, told, any_letter=any_letter)
    taken = _taken(tx, context, [*asked, *told])
    ids = {key_hash: row_id for row_id, key_hash in {**told, **asked}.items() if row_id not in taken}
    return Taken(ids, frozenset(key for key in told.values() if key in ids and key not in letters))


def _credible(
    tx: Connection, context: TableContext, told: Mapping[int, bytes], *, any_letter: bool
) -> dict[int, bytes]:
    """Ids that items tell, less those kept for parked items and those that cannot have been a row's."""
    if not told:
        return {}
    rows = int(tx.query(f"SELECT COALESCE(MAX(row_id), 0) FROM {quote(context.live.rest.into)}")[0][0])
    highest = min(ROW_ID_MAX, ROW_IDS_AHEAD_MAX + rows)
    kept = dead_letter.kept(tx, context.name, list(told)) if any_letter else set()
    return {row_id: key for row_id, key in told.items() if row_id <= highest and row_id not in kept}


def _taken(tx: Connection, context: TableContext, ids: Sequence[int]) -> set[int]:
    if not ids:
        return set()
    marks = ", ".join(["%s"] * len(ids))
    return {
        int(row_id)
        for (row_id,) in tx.query(f"SELECT row_id FROM {quote(context.live.rest.into)} WHERE row_id IN ({marks})", ids)
    }


def put_off(
    tx: Connection, context: TableContext, ones: list[One], existing: Mapping[bytes, Existing], ids: Mapping[bytes, int]
) -> list[One]:
    """What is written now. While ids are adopted, new rows that bring none wait for the end of the scan.

    Else they would take the next free id, which is that of an item not scanned yet.
    """
    if not (context.state.first_copy and context.settings.adopt_links):
        return ones
    waiting = {
        change.hash: change.key
        for change in ones
        if change.row is not None and change.hash not in existing and change.hash not in ids
    }
    recheck.add(tx, context.name, list(waiting.items()), recheck.NO_ID_YET, due_at=recheck.NEVER)
    return [change for change in ones if change.hash not in waiting]
