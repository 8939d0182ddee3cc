"""Orphans: rows whose fingerprint is not that of their own key columns, so that no item can ever own them."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.mysql import Connection
from twinrow.sink import statements
from twinrow.sync.compare import Comparer
from twinrow.sync.copy import Copy


def drop(tx: Connection, copy: Copy, hashes: Sequence[bytes]) -> int:
    """Delete those of these rows that are orphans still; how many live rows went."""
    if not hashes:
        return 0
    comparer = Comparer(tx, copy.schema, copy.settings, set())
    orphans = [key for key, row in comparer.rows(hashes).items() if comparer.extra(row).orphan]
    if orphans:
        tx.execute(statements.delete_rows(copy.schema, len(orphans), soft=False), orphans)
    return len(orphans)
