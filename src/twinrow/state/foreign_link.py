"""Foreign ids: how often an item had such an id after Twinrow's own link had been written."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.mysql import Connection


def meet(tx: Connection, table: str, key_hash: bytes, seen_id: str) -> int:
    """Note a foreign id on an item and return how often that happened. Before our next link it counts only once."""
    tx.execute(
        "INSERT INTO _twinrow_foreign_link (table_name, key_hash, seen_id, met, armed) VALUES (%s, %s, %s, 1, 0) "
        "ON DUPLICATE KEY UPDATE met = met + armed, armed = 0, seen_id = VALUES(seen_id)",
        (table, key_hash, seen_id[:190]),
    )
    found = tx.query("SELECT met FROM _twinrow_foreign_link WHERE table_name = %s AND key_hash = %s", (table, key_hash))
    return int(found[0][0])


def arm(connection: Connection, table: str, hashes: Sequence[bytes]) -> None:
    """Our link of these items got through: a foreign id met from now on was written after it."""
    if hashes:
        connection.execute(
            "UPDATE _twinrow_foreign_link SET armed = 1 WHERE table_name = %s "
            f"AND key_hash IN ({', '.join(['%s'] * len(hashes))})",
            (table, *hashes),
        )


def clear(connection: Connection, table: str) -> None:
    """Start counting anew."""
    connection.execute("DELETE FROM _twinrow_foreign_link WHERE table_name = %s", (table,))
