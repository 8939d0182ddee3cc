"""Keys written since the latest gap was noticed, and keys deleted and put again within a batch.

The first are the source's alone: an export of the missing window may hold an older image of them. The second may have
been written without a change of their row, whose time of writing then says nothing. Both are noted only for tables
whose gaps are filled by exports.
"""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.mysql import Connection
from twinrow.state.tombstone import KEYS_A_STATEMENT_MAX

CLEARED_AT_ONCE_MAX = 20_000
"""A transaction holds the table's lock for as long as it takes: some hundred milliseconds."""
REBORN_S_MAX = 48 * 3600.0
"""Without an open gap, keys that old are forgotten: what is filled begins at most the retention of a stream ago."""


def note(tx: Connection, table: str, hashes: Sequence[bytes]) -> None:
    """These keys are written in this transaction."""
    for part in _parts(hashes):
        tx.execute(
            "INSERT IGNORE INTO _twinrow_since_gap (table_name, key_hash) VALUES "
            + ", ".join(["(%s, %s)"] * len(part)),
            [value for key_hash in part for value in (table, key_hash)],
        )


def among(connection: Connection, table: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of these keys that were written since."""
    found: set[bytes] = set()
    for part in _parts(hashes):
        marks = ", ".join(["%s"] * len(part))
        rows = connection.query(
            f"SELECT key_hash FROM _twinrow_since_gap WHERE table_name = %s AND key_hash IN ({marks})", (table, *part)
        )
        found |= {bytes(key_hash) for (key_hash,) in rows}
    return found


def clear(tx: Connection, table: str) -> None:
    """A gap is noticed now, or none is open any more."""
    tx.execute("DELETE FROM _twinrow_since_gap WHERE table_name = %s", (table,))


def clear_some(tx: Connection, table: str) -> bool:
    """Clear some of them, where there may be millions; whether there may be more."""
    return tx.execute("DELETE FROM _twinrow_since_gap WHERE table_name = %s LIMIT %s", (table, CLEARED_AT_ONCE_MAX)) > 0


def note_reborn(tx: Connection, table: str, hashes: Sequence[bytes], at: float, *, may_forget: bool) -> None:
    """These keys were deleted and put again within a batch, at about this moment (DynamoDB's clock)."""
    for part in _parts(hashes):
        tx.execute(
            "INSERT INTO _twinrow_reborn (table_name, key_hash, at) VALUES "
            + ", ".join(["(%s, %s, %s)"] * len(part))
            + " ON DUPLICATE KEY UPDATE at = GREATEST(at, VALUES(at))",
            [value for key_hash in part for value in (table, key_hash, at)],
        )
    if hashes and may_forget:
        tx.execute("DELETE FROM _twinrow_reborn WHERE table_name = %s AND at < %s", (table, at - REBORN_S_MAX))


def reborn_since(connection: Connection, table: str, since: float) -> list[bytes]:
    """Keys deleted and put again since a moment (DynamoDB's clock)."""
    found = connection.query("SELECT key_hash FROM _twinrow_reborn WHERE table_name = %s AND at >= %s", (table, since))
    return [bytes(key_hash) for (key_hash,) in found]


def _parts(hashes: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [hashes[first : first + KEYS_A_STATEMENT_MAX] for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX)]
