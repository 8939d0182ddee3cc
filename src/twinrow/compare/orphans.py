"""Orphans: rows whose fingerprint is not that of their own key columns, so that no item can ever own them."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.compare.items import Comparer
from twinrow.mysql import Connection
from twinrow.sink import writer
from twinrow.sink.alone import Judged
from twinrow.sink.writer import Existing
from twinrow.state import dead_letter, recheck
from twinrow.table.catalogue import Catalogue
from twinrow.table.settings import Settings


def drop(tx: Connection, settings: Settings, catalogue: Catalogue, hashes: Sequence[bytes]) -> int:
    """Delete those of these rows that are orphans still; how many live rows went.

    A row that the server keeps (somebody's foreign key refers to it) is parked without a key. A row that it does not
    delete for another reason stays suspected.
    """
    if not hashes:
        return 0
    comparer = Comparer(tx, catalogue, settings, set())
    found = {
        key: rows
        for key, rows in comparer.all_rows(hashes).items()
        if all(comparer.extra(row).orphan for row in rows)  # all rows of the fingerprint are deleted
    }
    count, judged = 0, Judged()
    for schema in catalogue.tables:
        existing = {
            key: Existing(row.row_id, row.deleted)
            for key, rows in found.items()
            for row in reversed(rows)
            if row.entity == schema.entity
        }
        gone, kept_here = writer.delete(tx, schema, existing, list(existing), soft=False)
        count += gone
        judged.parked.update(kept_here.parked)
        judged.put_off.update(kept_here.put_off)
    for key_hash, reason in judged.parked.items():
        dead_letter.park(tx, settings.table, key_hash, {}, {}, reason, tx.now(), None)
    kept = judged.parked.keys() | judged.put_off.keys()
    dead_letter.resolve(tx, settings.table, [key_hash for key_hash in hashes if key_hash not in kept])
    recheck.put_off(
        tx, settings.table, [(key, {}, refusal.code, refusal.reason) for key, refusal in judged.put_off.items()]
    )
    return count
