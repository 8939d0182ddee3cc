"""Rows written since a moment go to recheck, a slice of the table at a time: no index knows when a row was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from twinrow.change import Item
from twinrow.compare.items import Comparer, StoredRow
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.state import recheck, since_gap
from twinrow.table.context import TableContext

ROWS_A_SLICE: Final = 20_000
"""The server looks through this many rows in some ten milliseconds."""


def recheck_some(connection: Connection, context: TableContext, after: int, since: float, cause: str) -> int | None:
    """Enter the rows behind the id `after` that were written since (MySQL's clock).

    Returns the id that the next slice begins behind; None: there is no further row.
    """
    table = quote(context.live.rest.into)
    ids = f"SELECT row_id FROM {table} WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_A_SLICE}"
    last = connection.query(f"SELECT MAX(row_id) FROM ({ids}) AS slice", (after,))[0][0]
    if last is None:
        return None
    found = connection.query(
        f"SELECT row_id FROM {table} WHERE row_id > %s AND row_id <= %s AND _twinrow_deleted_at IS NULL "
        "AND UNIX_TIMESTAMP(_twinrow_updated_at) >= %s",
        (after, last, since),
    )
    comparer = Comparer(connection, context.live.catalogue, context.settings, set())
    _enter(connection, context.name, comparer, comparer.rows_of([int(row_id) for (row_id,) in found]), cause)
    return int(last)


def recheck_keys(connection: Connection, context: TableContext, hashes: Sequence[bytes], cause: str) -> None:
    """Enter those of these keys that have a row."""
    comparer = Comparer(connection, context.live.catalogue, context.settings, set())
    _enter(connection, context.name, comparer, comparer.rows(hashes).values(), cause)


def _enter(connection: Connection, table: str, comparer: Comparer, rows: Iterable[StoredRow], cause: str) -> None:
    """Rows of keys that the stream has written since the gap was noticed need no read, nor do deleted rows.

    A row whose key cannot be rebuilt was changed by hand, which `verify` finds.
    """
    found: dict[bytes, Item] = {}
    for row in rows:
        difference = comparer.extra(row)
        if not row.deleted and not difference.orphan:
            found[row.hash] = difference.key
    since = since_gap.among(connection, table, list(found))
    recheck.add(connection, table, [(key_hash, key) for key_hash, key in found.items() if key_hash not in since], cause)
