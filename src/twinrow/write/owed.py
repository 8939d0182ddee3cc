"""What a batch owes to DynamoDB, and the guard against other writers of the link attribute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from twinrow.capture.shard_tree import RECORD_TIME_GRAIN_S
from twinrow.clock import is_ahead
from twinrow.errors import Broken, StartRefused
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.sink.writer import Existing, Written
from twinrow.state import foreign_link, gap, outbox
from twinrow.state.outbox import Debt
from twinrow.table.context import TableContext
from twinrow.write.prepare import One, Prepared
from twinrow.write.row_ids import Taken, row_id_of

MEETINGS_MAX = 3
"""An id that is not ours, met so often on an item after our own link, means that something else writes it."""
WENT_BACK = "MYSQL_WENT_BACK"
FOREIGN_IDS_COUNT_S = 7 * 86_400.0
"""After so long a restored MySQL is history: its items' ids, met once each, count no more towards a second writer."""


def wanted(
    prepared: Prepared,
    existing: Mapping[bytes, Existing],
    buried: Collection[bytes],
    parked: Collection[bytes],
    *,
    if_absent: bool,
) -> list[One]:
    """The changes that count: a scanned image never beats a row, a tombstone or a dead letter."""
    if not if_absent:
        return list(prepared.ones)
    return [
        change
        for change in prepared.ones
        if not (change.hash in existing or change.hash in buried or change.hash in parked)
    ]


def is_echo(change: One, existing: Mapping[bytes, Existing]) -> bool:
    """Whether the change differs from what stands in Twinrow's own attributes only: our own link write came back."""
    known = existing.get(change.hash)
    return change.echo and known is not None and not known.deleted


def refuse_foreign_ids(
    context: TableContext, ones: Sequence[One], existing: Mapping[bytes, Existing], buried: Collection[bytes]
) -> None:
    """Raise StartRefused when items that are new to a first copy carry an id already, unless ids are adopted.

    A stream may show our own link on an item that was deleted and re-created while the link was under way.
    """
    if not (context.state.first_copy and context.settings.linked) or context.settings.adopt_links:
        return
    for change in ones:
        new = change.row is not None and change.hash not in existing and change.hash not in buried
        if new and change.link is not None and context.settings.traits.is_image(change.origin):
            refuse_linked(context)


def refuse_linked(context: TableContext) -> None:
    """Raise the refusal for items that carry the link attribute before anything was linked."""
    raise StartRefused(
        f"items already carry `{context.settings.link_attribute}`",
        where=f"table {context.name}",
        remedy="start with --adopt-links to keep these ids, or set another `link_attribute`",
    )


def debts(
    context: TableContext,
    ones: Sequence[One],
    written: Written,
    parked: Collection[bytes],
    generation: int,
) -> list[Debt]:
    """A mark to clear, a link to write, or both, for each change that asks for it."""
    found = []
    for change in ones:
        row_id = None
        if context.settings.linked and change.row is not None and change.hash not in parked:
            row_id = written.ids[change.hash]
            if change.mark is None and change.link == {"N": str(row_id)}:
                row_id = None
        if change.mark is not None or row_id is not None:
            found.append(Debt(change.hash, change.key, generation, change.digest, row_id, change.mark))
    return found


def new_debts(
    tx: Connection, context: TableContext, found: list[Debt], ones: Sequence[One], *, truth: bool
) -> list[Debt]:
    """Debts that do not stand already for the very same image, id and mark (it is under way); paid ones are dropped.

    A row write raises the generation; an image that the index shows again, unchanged, is no row write. A stream shows
    each image once.
    """
    owing = {debt.key_hash for debt in found}
    settled = [change.hash for change in ones if change.hash not in owing]
    if truth or context.settings.traits.tells_every_change:
        outbox.forgive(tx, context.name, settled)
    if truth or not found or context.settings.traits.tells_every_change:
        return found
    standing = outbox.standing(tx, context.name, [debt.key_hash for debt in found])
    return [debt for debt in found if not _stands(debt, standing.get(debt.key_hash))]


def _stands(debt: Debt, other: Debt | None) -> bool:
    return other is not None and (other.digest, other.row_id, other.mark) == (debt.digest, debt.row_id, debt.mark)


def meet_foreign_ids(
    tx: Connection,
    context: TableContext,
    ones: Sequence[One],
    written: Written,
    taken: Taken,
    explained: Collection[bytes],
    read_at: float,
) -> tuple[bool, tuple[bytes, ...]]:
    """Note ids that are not ours; whether they tell that MySQL went back, and the items that were met with such an id.

    `explained`: keys of which it is known why they had no row. `read_at`: monotonic seconds before which no consistent
    read of this batch began. Raises Broken when one item meets its third: something else writes the attribute.
    """
    if not context.settings.linked or (context.state.first_copy and context.settings.adopt_links):
        return False, ()
    went_back, met, link_attribute = False, list[bytes](), context.settings.link_attribute
    for change in ones:
        row_id = written.ids.get(change.hash)
        if change.link is None or row_id is None or change.row is None:
            continue
        ours = change.link == {"N": str(row_id)}
        if (ours and change.hash not in taken.by_item) or context.ids.was_ours(change.hash, row_id_of(change.link)):
            continue
        if change.hash not in explained and (ours or _names_no_row_of(tx, context, change)):
            went_back |= _went_back(tx, context, change)
        # an image from before our own link was through, or from before MySQL went back, is no news of another writer
        if ours or (change.origin == "RECHECK" and context.ids.foreign.through_at(change.hash) > read_at):
            continue
        if context.settings.traits.is_record(change.origin) and _is_older_than_the_loss(tx, context, change.seen_at):
            continue
        times = foreign_link.meet(tx, context.name, change.hash, str(change.link))
        met.append(change.hash)
        if times >= MEETINGS_MAX:
            raise Broken(
                f"something else writes `{link_attribute}` ({times} times in the item of row {row_id})",
                where=f"table {context.name}",
                remedy=f"twinrow item {context.name} --row-id {row_id} shows it; stop the other writer or set another "
                "`link_attribute`, then restart `twinrow sync`",
                commands=(f"twinrow item {context.name} --row-id {row_id}", "twinrow sync"),
            )
    return went_back, tuple(met)


def _is_older_than_the_loss(tx: Connection, context: TableContext, recorded_at: float) -> bool:
    """Whether a record is from before MySQL last went back; not where one of the two times is not known.

    The two times are of two clocks, so their ages are compared.
    """
    lost_at, now = gap.last_found(tx, context.name, WENT_BACK), tx.now()
    if lost_at is None or not recorded_at or is_ahead(lost_at, now):
        return False
    return context.table.dynamodb.clock.now() - recorded_at > now - lost_at + RECORD_TIME_GRAIN_S


def forget_foreign_ids(context: TableContext, *, broken: bool) -> None:
    """At the start: count anew where a person starts a BROKEN table again, or where MySQL went back long ago.

    Else the count goes on: two copies that write ids one after the other, as from cron, meet each id once a run.
    """
    last = gap.last_found(context.tenure.open_writer(), context.name, WENT_BACK)
    if broken or (last is not None and context.tenure.open_writer().now() - last > FOREIGN_IDS_COUNT_S):
        foreign_link.clear(context.tenure.open_writer(), context.name)


def notice_that_mysql_went_back(connection: Connection, context: TableContext, there: int) -> None:
    """Record the gap when a generation that this process knows as committed is not there any more.

    After a failover or a restore a stream's position went back with the rows. A pending index shows no more what was
    linked and cleared since.
    """
    if there < context.tenure.generation:
        gap.record(connection, context.name, WENT_BACK, at=connection.now())


def _went_back(tx: Connection, context: TableContext, change: One) -> bool:
    """An id that names no row, or another key's, in a copy that is not new: MySQL lost rows (a restore, a failover).

    What a recheck meets is no news: where rows were lost, the reconcile of that gap meets such an id at each of them.
    Nor is more than one in a process: after it a loss is told by its generation, and an app that puts ids of its own on
    new items would keep the reconcile going for ever.
    """
    if (
        context.state.first_copy
        or context.ids.knows_of_loss
        or (change.origin == "RECHECK" and gap.open_gaps(tx, context.name))
    ):
        return False
    gap.record(tx, context.name, WENT_BACK, at=tx.now())
    return True


def _names_no_row_of(tx: Connection, context: TableContext, change: One) -> bool:
    """Whether an item's id is no row's, or another key's; what can be no row id tells nothing."""
    row_id = row_id_of(change.link)
    if row_id is None:
        return False
    found = tx.query(f"SELECT _twinrow_key FROM {quote(context.live.rest.into)} WHERE row_id = %s", (row_id,))
    return not found or found[0][0] != change.hash
