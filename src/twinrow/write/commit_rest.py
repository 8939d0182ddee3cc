"""Links, letters, gaps and all else that a batch leaves become durable with its rows."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.change import Item
from twinrow.errors import Reason
from twinrow.mysql import Connection
from twinrow.state import (
    checkpoint,
    dead_letter,
    deferred,
    foreign_link,
    gap,
    mixed,
    outbox,
    recheck,
    set_apart,
    tombstone,
)
from twinrow.table.live_schema import WantedOf
from twinrow.write import foreign_ids, note_gaps
from twinrow.write.batch import Batch
from twinrow.write.decide_rest import Rest
from twinrow.write.prepare import PreparedChange
from twinrow.write.rules import WriteRules


def commit_rest(
    tx: Connection, rules: WriteRules, batch: Batch, rest: Rest, wanted: WantedOf, waits_for: Reason
) -> None:
    """Note everything that the batch leaves. `wanted`: the columns that could not be had, `waits_for` the reason.

    Raises Broken when an item met its third foreign id.
    """
    table = rules.settings.table
    _to_recheck(tx, rules, rest)
    why = waits_for or Reason("its column could not be changed")
    for entity, counts in rest.waits_for_cells.items():
        deferred.note(tx, table, {name: wanted[entity][name] for name in counts}, counts, why, entity)
    if rest.unshown:
        mixed.note(tx, table, rest.unshown)
    set_apart.forget(tx, table, rest.whole_again)
    set_apart.note(tx, table, rest.set_apart)
    tombstone.bury(tx, table, rest.buried, tx.now())
    tombstone.lift(tx, table, rest.lifted)
    _letters(tx, table, rest)
    outbox.drop(tx, table, rest.settled)
    _foreign(tx, rules, rest)
    checkpoint.save(tx, table, batch.parts)
    outbox.owe(tx, table, rest.owed)
    recheck.done(tx, table, batch.rechecked)
    recheck.add(tx, table, batch.suspects, "no image")
    note_gaps.record(tx, rules, batch)


def _to_recheck(tx: Connection, rules: WriteRules, rest: Rest) -> None:
    """Images of which no row can be made are read consistently before the item is parked and its row goes.

    While ids are adopted the reading waits for the end of the scan, else a new row would take another item's id.
    """
    table = rules.settings.table
    late = (recheck.NO_ID_YET, recheck.NEVER)
    cause, due_at = late if rules.adopts else (recheck.NOT_UNDERSTOOD, 0.0)
    recheck.add(tx, table, _keys(rest.doubted), cause, due_at=due_at)
    recheck.add(tx, table, _keys(rest.waiting), late[0], due_at=late[1])
    recheck.add(tx, table, _keys(rest.astray), recheck.ID_OF_ANOTHER)


def _keys(changes: Sequence[PreparedChange]) -> list[tuple[bytes, Item]]:
    return [(change.key_hash, change.key) for change in changes]


def _letters(tx: Connection, table: str, rest: Rest) -> None:
    for letter in rest.letters:
        change = letter.change
        item, at = change.whole or change.key, change.seen_at or tx.now()
        dead_letter.park(tx, table, change.key_hash, change.key, item, letter.reason, at, letter.row_id)
    dead_letter.resolve(tx, table, rest.resolved)
    if rest.put_off:
        refused = [(change.key_hash, change.key, why.code, why.reason) for change, why in rest.put_off]
        recheck.put_off(tx, table, refused)


def _foreign(tx: Connection, rules: WriteRules, rest: Rest) -> None:
    if rest.foreign.went_back:
        gap.record(tx, rules.settings.table, foreign_ids.WENT_BACK, at=tx.now())
    for change, row_id in rest.foreign.met:
        times = foreign_link.meet(tx, rules.settings.table, change.key_hash, str(change.link))
        if times >= foreign_ids.MEETINGS_MAX:
            raise foreign_ids.second_writer(rules, row_id, times)
