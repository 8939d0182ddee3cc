"""MySQL's side of a batch, read under the lock before anything of the batch is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.sink import writer
from twinrow.sink.staging import Staged
from twinrow.sink.writer import Existing
from twinrow.state import dead_letter, directory, gap, outbox, set_apart, tombstone
from twinrow.state.outbox import PendingLink
from twinrow.table.catalogue import Catalogue
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.write import foreign_ids, look_spread, pending_links
from twinrow.write.batch import Batch
from twinrow.write.foreign_ids import LossView
from twinrow.write.look_spread import SpreadView
from twinrow.write.prepare import Prepared, PreparedChange
from twinrow.write.row_ids import IdsInUse, WishedIds, row_id_of, wished_ids
from twinrow.write.rules import WriteRules


@dataclass(frozen=True, slots=True)
class BatchView:
    """All that is asked of MySQL for a batch.

    `counting`: the changes that count, of which the rest was asked. `letters`: the ids that rows of parked items had,
    for new rows. `standing`: pending links that these changes may owe again. `not_ours`: changes whose link is neither
    the id of their row nor a former one. `astray`: changes of items without a row by rule that carry the id of another
    item's row. `any_set_apart`: whether any row of the table holds values in extra for want
    of room. `read_at`: every consistent read of the batch began at or after this
    time (monotonic seconds). `spread`: where the rows of a split stand.
    """

    read_at: float
    at: float
    existing: Mapping[bytes, Existing]
    tombstones: Mapping[bytes, int | None]
    any_letter: bool
    any_set_apart: bool
    counting: Sequence[PreparedChange]
    letters: Mapping[bytes, int | None] = field(default_factory=dict)
    wished: WishedIds = field(default_factory=WishedIds)
    in_use: IdsInUse = field(default_factory=IdsInUse)
    standing: Mapping[bytes, PendingLink] = field(default_factory=dict)
    not_ours: Sequence[PreparedChange] = ()
    astray: Sequence[PreparedChange] = ()
    loss: LossView = field(default_factory=LossView)
    spread: SpreadView = field(default_factory=SpreadView)


def counting_changes(
    changes: Sequence[PreparedChange],
    existing: Mapping[bytes, Existing],
    tombstones: Collection[bytes],
    parked: Collection[bytes],
    *,
    if_absent: bool,
) -> Sequence[PreparedChange]:
    """The changes that count: a scanned image never beats a row, a tombstone or a dead letter (pure)."""
    if not if_absent:
        return changes
    return [
        change
        for change in changes
        if not (change.key_hash in existing or change.key_hash in tombstones or change.key_hash in parked)
    ]


def look(
    tx: Connection,
    context: TableContext,
    rules: WriteRules,
    batch: Batch,
    prepared: Prepared,
    staged: Staged | None,
    read_at: float,
) -> BatchView:
    """Ask MySQL everything that the decisions of a batch need, and nothing that no change of the batch needs."""
    table, catalogue = context.name, context.live.catalogue
    spread = look_spread.look(tx, table, catalogue, prepared.hashes, truth=batch.truth) if catalogue.is_split else None
    existing = spread.existing if spread else writer.existing_rows(tx, catalogue.rest, prepared.hashes, staged)
    buried = tombstones(tx, table, prepared.hashes, first_copy=rules.first_copy)
    any_letter = dead_letter.any_stands(tx, table)
    parked = dead_letter.parked(tx, table) if any_letter and batch.if_absent else ()
    counting = counting_changes(prepared.changes, existing, buried, parked, if_absent=batch.if_absent)

    known = spread.entries.keys() | existing.keys() if spread else existing
    new = [change for change in counting if change.row is not None and change.key_hash not in known]
    letters = dead_letter.row_ids(tx, table, [change.key_hash for change in new]) if any_letter else {}
    wished = wished_ids(new, buried, letters, context.ids.id_to_give_back, may_take_links=rules.may_take_links)
    odd = foreign_ids.not_ours(counting, existing, context.ids) if rules.meets_foreign_ids else ()
    carriers = () if batch.truth else foreign_ids.carriers(counting, context.settings)
    in_use = _ids_in_use(tx, table, catalogue, wished, (*odd, *carriers), any_letter=any_letter)
    apart = context.state.sets_apart
    return BatchView(
        read_at=read_at,
        at=tx.now(),
        existing=existing,
        tombstones=buried,
        any_letter=any_letter,
        any_set_apart=set_apart.any_stands(tx, table) if apart is None else apart,
        counting=counting,
        letters=letters,
        wished=wished,
        in_use=in_use,
        standing=_standing(tx, table, rules, batch, counting, existing),
        not_ours=odd,
        astray=foreign_ids.of_other_rows(carriers, in_use),
        loss=_loss(tx, context.table, odd),
        spread=spread or SpreadView(),
    )


def tombstones(tx: Connection, table: str, hashes: Sequence[bytes], *, first_copy: bool) -> dict[bytes, int | None]:
    """The tombstones of these keys, with the id of the row that was; there are none but during a first copy."""
    if not first_copy or not tombstone.any_stands(tx, table):
        return {}
    return tombstone.standing(tx, table, hashes)


def _ids_in_use(
    tx: Connection,
    table: str,
    catalogue: Catalogue,
    wished: WishedIds,
    odd: Sequence[PreparedChange],
    *,
    any_letter: bool,
) -> IdsInUse:
    carried = {row_id for change in odd if (row_id := row_id_of(change.link)) is not None}
    ids = [*(wished.known.keys() | wished.asked_by_item.keys() | carried)]
    if not ids:
        return IdsInUse()
    # The directory of a split, or the only table, has the id of each row.
    into = directory.name_of(table) if catalogue.is_split else catalogue.rest.into
    marks = ", ".join(["%s"] * len(ids))
    found = tx.query(f"SELECT row_id, _twinrow_key FROM {quote(into)} WHERE row_id IN ({marks})", ids)
    owners = {int(row_id): bytes(key_hash) for row_id, key_hash in found}
    if not wished.asked_by_item:
        return IdsInUse(owners)
    highest = int(tx.query(f"SELECT COALESCE(MAX(row_id), 0) FROM {quote(into)}")[0][0])
    kept = dead_letter.kept(tx, table, list(wished.asked_by_item)) if any_letter else ()
    return IdsInUse(owners, kept, highest)


def _standing(
    tx: Connection,
    table: str,
    rules: WriteRules,
    batch: Batch,
    counting: Sequence[PreparedChange],
    existing: Mapping[bytes, Existing],
) -> Mapping[bytes, PendingLink]:
    """The pending links that stand for changes which may owe the same again."""
    if batch.truth or rules.traits.tells_every_change:
        return {}
    keys = [change.key_hash for change in counting if pending_links.may_owe(rules, change, existing)]
    return outbox.standing(tx, table, keys) if keys else {}


def _loss(tx: Connection, table: Table, odd: Sequence[PreparedChange]) -> LossView:
    """The gaps of a MySQL that went back, where an id that is not ours may tell of it."""
    if not odd:
        return LossView()
    traits = table.settings.traits
    of_records = any(traits.is_record(change.origin) for change in odd)
    return LossView(
        is_open=any(change.origin == "RECHECK" for change in odd) and bool(gap.open_gaps(tx, table.name)),
        is_noted=gap.is_noted(tx, table.name, foreign_ids.WENT_BACK),
        last_at=gap.last_found(tx, table.name, foreign_ids.WENT_BACK),
        source_now=table.dynamodb.clock.now() if of_records else 0.0,
    )
