"""What a batch owes to DynamoDB, which ids new rows take, and the guard against other writers of the link attribute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from twinrow import clock
from twinrow.change import AttributeValue
from twinrow.errors import Broken, StartRefused
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.sink.writer import Existing, Written
from twinrow.state import dead_letter, foreign_link, gap, outbox, recheck
from twinrow.state.outbox import Debt
from twinrow.sync.copy import Copy
from twinrow.sync.prepare import One, Prepared

MEETINGS_MAX = 3
"""An id that is not ours, met so often on an item after our own link, means that something else writes it."""
ROW_ID_MAX = 2**63 - 1
WENT_BACK = "MYSQL_WENT_BACK"
ROW_IDS_AHEAD_MAX = 10_000_000
"""A free id on an item is taken for one that its row had unless it is so far above all rows: then it is another's."""
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
    return [one for one in prepared.ones if not (one.hash in existing or one.hash in buried or one.hash in parked)]


def is_echo(one: One, existing: Mapping[bytes, Existing]) -> bool:
    """Whether the change differs from what stands in Twinrow's own attributes only: our own link write came back."""
    known = existing.get(one.hash)
    return one.echo and known is not None and not known.deleted


def _number(link: AttributeValue | None) -> int | None:
    """The row id in a link attribute, or None for what no row id can be."""
    text = (link or {}).get("N", "")
    return int(text) if text.isdigit() and 0 < int(text) <= ROW_ID_MAX else None


def refuse_foreign_ids(
    copy: Copy, ones: Sequence[One], existing: Mapping[bytes, Existing], buried: Collection[bytes]
) -> None:
    """Raise StartRefused when items that are new to a first copy carry an id already, unless ids are adopted.

    A stream may show our own link on an item that was deleted and re-created while the link was under way.
    """
    if not (copy.first_copy and copy.settings.linked) or copy.settings.adopt_links:
        return
    for one in ones:
        new = one.row is not None and one.hash not in existing and one.hash not in buried
        if new and one.link is not None and one.origin in ("SCAN", "PENDING"):
            refuse_linked(copy, one)


def refuse_linked(copy: Copy, one: One) -> None:
    """Raise the refusal for items that carry the link attribute before anything was linked."""
    raise StartRefused(
        f"items already carry `{copy.settings.link_attribute}` (for example {copy.key_text(one.key)})",
        where=f"table {copy.table}",
        remedy="start with --adopt-links to keep these ids, or set another `link_attribute`",
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """Ids that new rows take instead of the next free one; `by_item`: the keys of which only the item knows the id."""

    ids: dict[bytes, int]
    by_item: frozenset[bytes] = frozenset()


def ids_to_take(
    tx: Connection,
    copy: Copy,
    ones: Sequence[One],
    existing: Mapping[bytes, Existing],
    buried: Mapping[bytes, int | None],
) -> Taken:
    """The id of the row that was, as a tombstone, a dead letter or the item itself tells it; or one to be adopted.

    So a row lost in MySQL, or parked for a time, comes back under its id.
    """
    new = [one for one in ones if one.row is not None and one.hash not in existing]
    parked = dead_letter.row_ids(tx, copy.table, [one.hash for one in new])
    asked: dict[int, bytes] = {}
    of_items: list[One] = []
    for one in new:
        row_id = buried.get(one.hash) or copy.id_to_give_back(one.hash) or parked.get(one.hash)
        if row_id is not None:
            asked.setdefault(row_id, one.hash)
        elif copy.settings.linked and one.link is not None and (copy.settings.adopt_links or not copy.first_copy):
            of_items.append(one)
    highest = ROW_ID_MAX if copy.first_copy or not of_items else _highest(tx, copy) + ROW_IDS_AHEAD_MAX
    for one in of_items:
        row_id = _number(one.link)
        if row_id is not None and row_id <= highest:
            asked.setdefault(row_id, one.hash)
    if not asked:
        return Taken({})
    taken = {
        int(row[0])
        for row in tx.query(
            f"SELECT row_id FROM {quote(copy.schema.into)} WHERE row_id IN ({', '.join(['%s'] * len(asked))})",
            list(asked),
        )
    }
    ids = {key_hash: row_id for row_id, key_hash in asked.items() if row_id not in taken}
    return Taken(ids, frozenset(one.hash for one in of_items if one.hash in ids))


def _highest(tx: Connection, copy: Copy) -> int:
    return int(tx.query(f"SELECT COALESCE(MAX(row_id), 0) FROM {quote(copy.schema.into)}")[0][0])


def put_off(
    tx: Connection, copy: Copy, ones: list[One], existing: Mapping[bytes, Existing], ids: Mapping[bytes, int]
) -> list[One]:
    """What is written now. While ids are adopted, new rows that bring none wait for the end of the scan.

    Else they would take the next free id, which is that of an item not scanned yet.
    """
    if not (copy.first_copy and copy.settings.adopt_links):
        return ones
    waiting = {
        one.hash: one.key for one in ones if one.row is not None and one.hash not in existing and one.hash not in ids
    }
    recheck.add(tx, copy.table, list(waiting.items()), recheck.NO_ID_YET, due_at=recheck.NEVER)
    return [one for one in ones if one.hash not in waiting]


def debts(
    copy: Copy,
    ones: Sequence[One],
    written: Written,
    parked: Collection[bytes],
    generation: int,
) -> list[Debt]:
    """A mark to clear, a link to write, or both, for each change that asks for it."""
    found = []
    for one in ones:
        row_id = None
        if copy.settings.linked and one.row is not None and one.hash not in parked:
            row_id = written.ids[one.hash]
            if one.mark is None and one.link == {"N": str(row_id)}:
                row_id = None
        if one.mark is not None or row_id is not None:
            found.append(Debt(one.hash, one.key, generation, one.digest, row_id, one.mark))
    return found


def new_debts(tx: Connection, copy: Copy, found: list[Debt], ones: Sequence[One], *, truth: bool) -> list[Debt]:
    """Debts that do not stand already for the very same image (its link call is under way); paid ones are dropped.

    A row write raises the generation; an image that the index shows again, unchanged, is no row write. A stream shows
    each image once.
    """
    owing = {debt.key_hash for debt in found}
    settled = [one.hash for one in ones if one.hash not in owing]
    if truth or copy.settings.capture == "stream":
        outbox.forgive(tx, copy.table, settled)
    if truth or not found or copy.settings.capture == "stream":
        return found
    standing = outbox.standing(tx, copy.table, [debt.key_hash for debt in found])
    return [debt for debt in found if standing.get(debt.key_hash) != debt.digest]


def meet_foreign_ids(
    tx: Connection, copy: Copy, ones: Sequence[One], written: Written, taken: Taken, explained: Collection[bytes]
) -> None:
    """Note ids that are not ours. Raises Broken when one item meets its third: something else writes the attribute.

    `explained`: keys of which it is known why they had no row.
    """
    if not copy.settings.linked or (copy.first_copy and copy.settings.adopt_links):
        return
    for one in ones:
        row_id = written.ids.get(one.hash)
        if one.link is None or row_id is None or one.row is None:
            continue
        ours = one.link == {"N": str(row_id)}
        if (ours and one.hash not in taken.by_item) or copy.was_ours(one.hash, _number(one.link)):
            continue
        if one.hash not in explained and (ours or _names_no_row_of(tx, copy, one)):
            _went_back(tx, copy, one)
        if ours:
            continue
        met = foreign_link.meet(tx, copy.table, one.hash, str(one.link))
        copy.foreign[one.hash] = str(one.link)
        if met >= MEETINGS_MAX:
            raise Broken(
                f"something else writes `{copy.settings.link_attribute}` ({met} times on {copy.key_text(one.key)})",
                where=f"table {copy.table}",
                remedy="stop the other writer or set another `link_attribute`, then restart `twinrow sync`",
            )


def forget_foreign_ids(copy: Copy, *, broken: bool) -> None:
    """At the start: count anew where a person starts a BROKEN table again, or where MySQL went back long ago.

    Else the count goes on: two copies that write ids one after the other, as from cron, meet each id once a run.
    """
    last = gap.last_found(copy.writer, copy.table, WENT_BACK)
    if broken or (last is not None and clock.now() - last > FOREIGN_IDS_COUNT_S):
        foreign_link.clear(copy.writer, copy.table)


def notice_that_mysql_went_back(connection: Connection, copy: Copy, there: int) -> None:
    """Record the gap when a generation that this process knows as committed is not there any more.

    After a failover or a restore a stream's position went back with the rows. A pending index shows no more what was
    linked and cleared since.
    """
    if there < copy.generation:
        gap.record(connection, copy.table, WENT_BACK, at=clock.now())


def _went_back(tx: Connection, copy: Copy, one: One) -> None:
    """An id that names no row, or another key's, in a copy that is not new: MySQL lost rows (a restore, a failover).

    What a recheck meets is no news: where rows were lost, the reconcile of that gap meets such an id at each of them.
    """
    if not (copy.first_copy or (one.origin == "RECHECK" and gap.open_gaps(tx, copy.table))):
        gap.record(tx, copy.table, WENT_BACK, at=clock.now())


def _names_no_row_of(tx: Connection, copy: Copy, one: One) -> bool:
    """Whether an item's id is no row's, or another key's; what can be no row id tells nothing."""
    row_id = _number(one.link)
    if row_id is None:
        return False
    found = tx.query(f"SELECT _twinrow_key FROM {quote(copy.schema.into)} WHERE row_id = %s", (row_id,))
    return not found or found[0][0] != one.hash
