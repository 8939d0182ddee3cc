"""Tombstones: keys deleted while a snapshot runs, so that an older scanned image does not bring them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinrow.mysql import Connection

KEYS_A_STATEMENT_MAX = 500


def standing(connection: Connection, table: str, hashes: Sequence[bytes]) -> dict[bytes, int | None]:
    """The tombstones among these keys: key hash → the id of the deleted row, where there was a row."""
    found: dict[bytes, int | None] = {}
    for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX):
        part = hashes[first : first + KEYS_A_STATEMENT_MAX]
        found.update(
            connection.query(
                "SELECT key_hash, row_id FROM _twinrow_tombstone WHERE table_name = %s "
                f"AND key_hash IN ({', '.join(['%s'] * len(part))})",
                (table, *part),
            )
        )
    return found


def any_stands(connection: Connection, table: str) -> bool:
    """Whether the table has a tombstone at all."""
    return bool(connection.query("SELECT 1 FROM _twinrow_tombstone WHERE table_name = %s LIMIT 1", (table,)))


def bury(tx: Connection, table: str, rows: Mapping[bytes, int | None], at: float) -> None:
    """Leave tombstones; a row id known before is kept when the same delete is applied again."""
    entries = list(rows.items())
    for first in range(0, len(entries), KEYS_A_STATEMENT_MAX):
        part = entries[first : first + KEYS_A_STATEMENT_MAX]
        args = [value for key_hash, row_id in part for value in (table, key_hash, row_id, at)]
        tx.execute(
            "INSERT INTO _twinrow_tombstone (table_name, key_hash, row_id, at) VALUES "
            + ", ".join(["(%s, %s, %s, %s)"] * len(part))
            + " ON DUPLICATE KEY UPDATE row_id = COALESCE(VALUES(row_id), row_id), at = VALUES(at)",
            args,
        )


def lift(tx: Connection, table: str, hashes: Sequence[bytes]) -> None:
    """The items live again."""
    for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX):
        part = hashes[first : first + KEYS_A_STATEMENT_MAX]
        tx.execute(
            f"DELETE FROM _twinrow_tombstone WHERE table_name = %s AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, *part),
        )


def clear(tx: Connection, table: str) -> None:
    """The snapshot has ended: no scanned image can come any more."""
    tx.execute("DELETE FROM _twinrow_tombstone WHERE table_name = %s", (table,))
