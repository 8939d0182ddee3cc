"""`_twinrow_set_apart`: keys whose rows hold in extra what their columns could hold, for want of room in the row."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.mysql import Connection

ROWS_A_STATEMENT_MAX = 500


def note(tx: Connection, table: str, hashes: Sequence[bytes]) -> None:
    """These keys' rows are written so."""
    for key_hash in hashes:
        tx.execute("INSERT IGNORE INTO _twinrow_set_apart (table_name, key_hash) VALUES (%s, %s)", (table, key_hash))


def forget(tx: Connection, table: str, hashes: Sequence[bytes]) -> None:
    """These keys' rows are written whole again, or gone."""
    for first in range(0, len(hashes), ROWS_A_STATEMENT_MAX):
        part = hashes[first : first + ROWS_A_STATEMENT_MAX]
        tx.execute(
            f"DELETE FROM _twinrow_set_apart WHERE table_name = %s AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, *part),
        )


def any_stands(connection: Connection, table: str) -> bool:
    """Whether a table has such a row."""
    return bool(connection.query("SELECT 1 FROM _twinrow_set_apart WHERE table_name = %s LIMIT 1", (table,)))


def stands(connection: Connection, table: str, key_hash: bytes) -> bool:
    """Whether the row of this key is such a row."""
    sql = "SELECT 1 FROM _twinrow_set_apart WHERE table_name = %s AND key_hash = %s"
    return bool(connection.query(sql, (table, key_hash)))
