"""Deletes, hard and soft, and the tombstones that keep a snapshot from bringing a deleted item back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from twinrow.mysql import Connection
from twinrow.sink import writer
from twinrow.sink.alone import Judged
from twinrow.sink.writer import Existing
from twinrow.state import tombstone
from twinrow.table.context import TableContext
from twinrow.table.id_memory import RowGone
from twinrow.write.prepare import One


def tombstones(tx: Connection, context: TableContext, hashes: Sequence[bytes]) -> dict[bytes, int | None]:
    """The tombstones of these keys, with the id of the row that was; there are none but while a snapshot runs."""
    if not context.state.first_copy or not tombstone.any_stands(tx, context.name):
        return {}
    return tombstone.standing(tx, context.name, hashes)


def delete(
    tx: Connection,
    context: TableContext,
    wanted: Sequence[One],
    existing: Mapping[bytes, Existing],
    parked: Collection[bytes],
    buried: Mapping[bytes, int | None],
    passed: int,
    *,
    waits_apart: bool,
) -> tuple[int, Judged, tuple[RowGone, ...]]:
    """Take the rows of deleted items (and of parked ones, for whom the row is old) away.

    `passed`: rows of the same batch that the server took. `waits_apart`: see `alone.judge`.
    Returns how many live rows went, those that the server keeps, and those that are gone.
    """
    gone = [change for change in wanted if change.row is None and not change.unfit]
    soft = [
        change.hash
        for change in gone
        if (context.settings.soft_ttl_deletes if change.ttl else context.settings.soft_deletes)
    ]
    hard = {change.hash for change in gone} - set(soft) | set(parked)
    delete_some = partial(writer.delete, tx, context.live.rest, existing, waits_apart=waits_apart)
    count, kept = delete_some(soft, soft=True, passed=passed)
    more, also = delete_some(sorted(hard), soft=False, passed=passed + count)
    kept = Judged(kept.parked | also.parked, kept.put_off | also.put_off)
    refused = kept.parked.keys() | kept.put_off.keys()
    rowless = [*gone, *(change for change in wanted if change.hash in parked and change.hash in existing)]
    is_record = context.settings.traits.is_record
    without = tuple(
        RowGone(change.hash, existing[change.hash].row_id, is_record(change.origin))
        for change in rowless
        if change.hash in existing and change.hash not in refused
    )
    if context.state.first_copy:
        rows = {change.hash: existing[change.hash].row_id if change.hash in existing else None for change in rowless}
        tombstone.bury(tx, context.name, rows, tx.now())
        alive = [change.hash for change in wanted if change.row is not None and change.hash in buried]
        tombstone.lift(tx, context.name, alive)
    return count + more, kept, without
