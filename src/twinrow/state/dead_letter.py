"""Dead letters: items that no row can hold, one per key, with the raw item and the reason."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinrow.change import Item, without_seal
from twinrow.mysql import Connection

ROWS_A_STATEMENT_MAX = 500
REASON_CHARACTERS_MAX = 1000
PACKED = "zlib:"
"""Before an item that is stored compressed, in base 85: its JSON would be more than the server takes in one packet."""
PACKET_SHARE = 0.25
"""The share of `max_allowed_packet` for plain JSON: a statement doubles its backslashes, and holds key and reason."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked item; times are epoch seconds."""

    id: int
    table: str
    key_hash: bytes
    key: Item
    item: Item
    reason: str
    first_at: float
    last_at: float
    attempts: int


def park(
    tx: Connection, table: str, key_hash: bytes, key: Item, item: Item, reason: str, at: float, row_id: int | None
) -> None:
    """Park an item, or replace the older image parked for its key. ASCII JSON: lone surrogates stay themselves.

    `row_id`: the id of the row that goes, to be given back; None keeps the known id.
    """
    text = _stored(item, int(tx.packet_bytes_max * PACKET_SHARE))
    tx.execute(
        "INSERT INTO _twinrow_dead_letter (table_name, key_hash, item_key, item, reason, first_at, last_at, row_id) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE item = VALUES(item), "
        "reason = VALUES(reason), last_at = VALUES(last_at), attempts = attempts + 1, "
        "row_id = COALESCE(VALUES(row_id), row_id)",
        (table, key_hash, json.dumps(key), text, reason, at, at, row_id),
    )


def rewrite(tx: Connection, number: int, item: Item) -> None:
    """Put another form of its item in the place of a dead letter's: what a rule hides must not stay there."""
    text = _stored(item, int(tx.packet_bytes_max * PACKET_SHARE))
    tx.execute("UPDATE _twinrow_dead_letter SET item = %s WHERE id = %s", (text, number))


def _stored(item: Item, plain_max: int) -> str:
    """JSON of a control character is six times as long: an item of 400 KB may not fit where compressed it does."""
    text = json.dumps(item)
    return text if len(text) <= plain_max else PACKED + base64.b85encode(zlib.compress(text.encode())).decode()


def _item(stored: str) -> Item:
    plain = zlib.decompress(base64.b85decode(stored.removeprefix(PACKED))) if stored.startswith(PACKED) else stored
    item: Item = json.loads(plain)
    return item


def resolve(tx: Connection, table: str, hashes: Iterable[bytes]) -> None:
    """A newer image became a row, or the item is gone: nothing is parked for these keys any more."""
    wanted = list(hashes)
    for first in range(0, len(wanted), ROWS_A_STATEMENT_MAX):
        part = wanted[first : first + ROWS_A_STATEMENT_MAX]
        tx.execute(
            f"DELETE FROM _twinrow_dead_letter WHERE table_name = %s AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, *part),
        )


def any_stands(connection: Connection, table: str) -> bool:
    """Whether a table has a dead letter."""
    return bool(connection.query("SELECT 1 FROM _twinrow_dead_letter WHERE table_name = %s LIMIT 1", (table,)))


def kept(tx: Connection, table: str, row_ids: Sequence[int]) -> set[int]:
    """Those of these ids (at least one is given) that are kept for parked items."""
    marks = ", ".join(["%s"] * len(row_ids))
    found = tx.query(
        f"SELECT row_id FROM _twinrow_dead_letter WHERE table_name = %s AND row_id IN ({marks})", (table, *row_ids)
    )
    return {int(row_id) for (row_id,) in found}


def row_ids(tx: Connection, table: str, hashes: Sequence[bytes]) -> dict[bytes, int | None]:
    """The ids that the rows of parked items had, by key; None where that is not known."""
    found: dict[bytes, int | None] = {}
    for first in range(0, len(hashes), ROWS_A_STATEMENT_MAX):
        part = hashes[first : first + ROWS_A_STATEMENT_MAX]
        found.update(
            tx.query(
                "SELECT key_hash, row_id FROM _twinrow_dead_letter WHERE table_name = %s "
                f"AND key_hash IN ({', '.join(['%s'] * len(part))})",
                (table, *part),
            )
        )
    return found


def load(
    connection: Connection, tables: Sequence[str], ids: Sequence[int] = (), limit: int = 1_000_000
) -> list[DeadLetter]:
    """The dead letters of these tables (all with no ids given), oldest first."""
    if not tables:
        return []
    where = f"table_name IN ({', '.join(['%s'] * len(tables))})"
    args: list[str | int] = list(tables)
    if ids:
        where += f" AND id IN ({', '.join(['%s'] * len(ids))})"
        args += ids
    found = connection.query(
        "SELECT id, table_name, key_hash, item_key, item, reason, first_at, last_at, attempts "
        f"FROM _twinrow_dead_letter WHERE {where} ORDER BY id LIMIT %s",
        (*args, limit),
    )
    return [
        DeadLetter(number, table, key_hash, json.loads(key), _item(item), reason, first, last, attempts)
        for number, table, key_hash, key, item, reason, first, last, attempts in found
    ]


@dataclass(frozen=True, slots=True)
class Heading:
    """A dead letter without its item, which may have 400 KB; `reason` is cut to REASON_CHARACTERS_MAX."""

    id: int
    key: Item
    reason: str
    first_at: float
    last_at: float
    attempts: int


def headings(connection: Connection, table: str, after: int, limit: int) -> list[Heading]:
    """The dead letters of a table whose ids are above `after`, oldest first."""
    found = connection.query(
        "SELECT id, item_key, LEFT(reason, %s), first_at, last_at, attempts FROM _twinrow_dead_letter "
        "WHERE table_name = %s AND id > %s ORDER BY id LIMIT %s",
        (REASON_CHARACTERS_MAX, table, after, limit),
    )
    return [
        Heading(number, without_seal(json.loads(key)), reason, first, last, attempts)
        for number, key, reason, first, last, attempts in found
    ]


def keys(connection: Connection, table: str) -> list[tuple[bytes, Item]]:
    """The fingerprint and key of every dead letter of a table."""
    found = connection.query("SELECT key_hash, item_key FROM _twinrow_dead_letter WHERE table_name = %s", (table,))
    return [(key_hash, json.loads(key)) for key_hash, key in found]


def parked(connection: Connection, table: str) -> set[bytes]:
    """The key hashes of every dead letter of a table."""
    return {
        row[0] for row in connection.query("SELECT key_hash FROM _twinrow_dead_letter WHERE table_name = %s", (table,))
    }


def count(connection: Connection, table: str) -> int:
    """How many dead letters a table has."""
    return int(connection.query("SELECT COUNT(*) FROM _twinrow_dead_letter WHERE table_name = %s", (table,))[0][0])
