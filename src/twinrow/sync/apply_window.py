"""The changes of an incremental export become rows, beside a stream that goes on: see `exports.decide`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from twinrow.change import Change, Item
from twinrow.compare.items import Comparer, StoredRow, expired
from twinrow.decode.readable import UNREADABLE
from twinrow.exports.damaged import DamagedExport
from twinrow.exports.decide import KeyStanding, decide
from twinrow.exports.lines import ExportedChange
from twinrow.exports.manifest import ASK_AGAIN
from twinrow.mysql import Connection
from twinrow.schema.row import fingerprint
from twinrow.state import dead_letter, since_gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.write.apply import transact
from twinrow.write.batch import Applied, Batch

ORIGIN: Final = "EXPORT"
"""The word under which such changes are counted."""


def apply_window(
    context: TableContext, changes: Sequence[ExportedChange], positions: Mapping[str, Checkpoint], place: str
) -> Applied:
    """Bring the changes of some lines, in one transaction with the positions after them.

    How each key stands is looked at under the lock. Raises DamagedExport for a key that is none of the table.
    """
    keys = context.live.keys
    try:
        keyed = [(fingerprint(keys, change.key), change) for change in changes]
    except UNREADABLE as error:
        raise DamagedExport(
            f"holds a line with a key that is none of the table ({error})", where=place, remedy=ASK_AGAIN
        ) from error
    context.live.learn(context.settings.wanted([change.new for change in changes if change.new is not None]))
    ttl = context.table.ttl_attribute()

    def read(tx: Connection) -> Batch:
        decided, suspects = _decided(tx, context, keyed, ttl)
        return Batch(decided, positions, suspects=suspects, of_export=True)

    return transact(context, read)


def _decided(
    tx: Connection, context: TableContext, keyed: Sequence[tuple[bytes, ExportedChange]], ttl: str | None
) -> tuple[list[Change], list[tuple[bytes, Item]]]:
    """The changes that become rows, and the keys that need a read."""
    hashes = [key_hash for key_hash, _ in keyed]
    times = Counter(hashes)
    since = since_gap.among(tx, context.name, hashes)
    parked = dead_letter.row_ids(tx, context.name, hashes) if dead_letter.any_stands(tx, context.name) else {}
    comparer = Comparer(tx, context.live.catalogue, context.settings, set())
    rows = comparer.rows(hashes)
    tells_all = context.settings.traits.tells_every_change
    decided, suspects = list[Change](), list[tuple[bytes, Item]]()
    for key_hash, change in keyed:
        row = rows.get(key_hash)
        stands = KeyStanding(
            key_hash in since,
            _shows(context.settings, comparer, key_hash, change.old, row),
            _shows(context.settings, comparer, key_hash, change.new, row),
        )
        act = decide(change, stands, has_old=True, tells_every_change=tells_all)
        # a parked item has no row to look at, and a key with two lines is not understood
        if act != "LEAVE" and (times[key_hash] > 1 or _is_of_another(context, key_hash, change)):
            act = "RECHECK"
        if not stands.written_since and key_hash in parked:
            act = "RECHECK"
        if act == "PUT":
            decided.append(Change("PUT", ORIGIN, change.key, change.new, at=change.at, key_hash=key_hash))
        elif act == "DELETE":
            over = ttl is not None and change.old is not None and expired(change.old, ttl, change.at)
            decided.append(Change("DELETE", ORIGIN, change.key, at=change.at, ttl=over, key_hash=key_hash))
        elif act == "RECHECK":
            suspects.append((key_hash, change.key))
    return decided, suspects


def _is_of_another(context: TableContext, key_hash: bytes, change: ExportedChange) -> bool:
    """Whether the new image's key is not that of the line."""
    try:
        return change.new is not None and fingerprint(context.live.keys, change.new) != key_hash
    except UNREADABLE:
        return True


def _shows(settings: Settings, comparer: Comparer, key_hash: bytes, image: Item | None, row: StoredRow | None) -> bool:
    """Whether the row stands as that image has it; no image: no live row. A pending link makes no difference."""
    live = row is not None and not row.deleted
    if image is None or settings.has_no_row(image):
        return not live
    if not live:
        return False
    difference = comparer.difference_of(key_hash, image, row)
    return difference is None or difference.kind == "UNLINKED"
