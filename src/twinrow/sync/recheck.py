"""Recheck: the one path for "the truth of this key is unknown", read consistently inside the writing transaction."""

from __future__ import annotations

from collections.abc import Collection

from twinrow.budget import BUDGET_WAIT_S
from twinrow.change import Change, Item
from twinrow.compare import orphans
from twinrow.compare.items import Comparer, expired
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.schema.row import fingerprint, key_of
from twinrow.state import recheck
from twinrow.table import wide_read
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.write import duplicates
from twinrow.write.apply import transact
from twinrow.write.batch import Applied, Batch

PASSED_OVER_MAX = 1000
"""At most this many keys with a link call under way are passed over in a look: more would make each look slow."""


def recheck_some(context: TableContext, in_flight: Collection[bytes] = ()) -> tuple[int, Applied | None]:
    """Work off due keys, as many as `wide_read` takes at once; how many there were, and what came of it.

    The items are read after the lease is locked: nobody can write an older image after that.

    A key whose link call is under way (`in_flight`) waits for its end. A recheck may settle what the key owes; were the
    process killed then, nobody would know of the call any more, and it may arrive late and clear a newer mark.
    """
    if not _due(context.tenure.open_writer(), context.table, in_flight):
        return 0, None
    # Waited for here, not under the lock, which the server takes away from a session that does nothing.
    if not context.table.read_budget.ready(context.table.stop, BUDGET_WAIT_S):
        return 0, None
    worked = 0
    ttl = context.table.ttl_attribute()

    def read(tx: Connection) -> Batch:
        nonlocal worked
        suspects = _due(tx, context.table, in_flight)
        worked = len(suspects)
        keys = {suspect.key_hash: suspect.key for suspect in suspects if suspect.key}
        gone = orphans.drop(
            tx, context.settings, context.live.catalogue, [suspect.key_hash for suspect in suspects if not suspect.key]
        )
        changes, unanswered = read_truth(tx, context, keys, ttl)
        suspects = [suspect for suspect in suspects if suspect.key_hash not in unanswered]
        worked = len(suspects)
        return Batch(changes, rechecked=suspects, truth=True, rows_gone=gone)

    applied = transact(context, read)
    context.counters.add_rechecked(worked)
    return worked, applied


def read_truth(
    tx: Connection, context: TableContext, keys: dict[bytes, Item], ttl: str | None
) -> tuple[list[Change], set[bytes]]:
    """The truth of keys, read under the lock of `tx`, and the keys left unanswered. Raises Throttled: all of them."""
    items, unanswered = wide_read.read(context.table, context.live.keys, keys) if keys else ([], set())
    answered = {key_hash: key for key_hash, key in keys.items() if key_hash not in unanswered}
    if context.state.rows_unproved and answered:
        duplicates.drop(tx, context.settings, context.live.rest, list(answered), items)
    fail_point("after-recheck-read")
    return _changes(tx, context, answered, items, ttl), unanswered


def _due(connection: Connection, table: Table, in_flight: Collection[bytes]) -> list[recheck.Suspect]:
    keys_max = wide_read.keys_at_once(table.read_budget)
    limit = keys_max + min(len(in_flight), PASSED_OVER_MAX)
    found = recheck.due(connection, table.name, connection.now(), limit)
    return [suspect for suspect in found if suspect.key_hash not in in_flight][:keys_max]


def _changes(
    tx: Connection, context: TableContext, keys: dict[bytes, Item], items: list[Item], ttl: str | None
) -> list[Change]:
    """A PUT for each item found, a DELETE for each key that is gone: by TTL where its row's time was over."""
    found = {fingerprint(context.live.keys, item): item for item in items}
    over: set[bytes] = set()
    gone = [key_hash for key_hash in keys if key_hash not in found]
    if ttl is not None and gone:
        now = context.table.dynamodb.clock.now()
        comparer = Comparer(tx, context.live.catalogue, context.settings, set())
        rows = comparer.rows(gone)
        over = {key_hash for key_hash, row in rows.items() if expired(comparer.item_of(row), ttl, now)}
    changes = []
    for key_hash, key in keys.items():
        item = found.get(key_hash)
        if item is None:
            changes.append(Change("DELETE", "RECHECK", key, ttl=key_hash in over, key_hash=key_hash))
        else:
            changes.append(Change("PUT", "RECHECK", key_of(context.live.keys, item), item, key_hash=key_hash))
    return changes
