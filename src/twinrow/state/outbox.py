"""The outbox `_twinrow_link`: pending links, written in the transaction of the rows that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twinrow.change import Item, without_seal
from twinrow.mysql import Connection

ROWS_A_STATEMENT_MAX = 500
ROWS_A_SLICE_MAX = 20_000
ANY_IMAGE = b"\0" * 16
"""Digest of a pending link that any successful write settles. Used under stream capture, where every other write of the
item arrives as a record of its own."""
PUT_OFF_S_MAX = 1200.0
"""No pending link is put off for longer. A later time was set by a clock that was wrong: the link is due now."""
_DUE = "(due_at <= %s OR due_at > %s)"
_COLUMNS = "key_hash, item_key, generation, digest, row_id, mark, attempts"


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A link to be written: set `row_id` (None: none) and clear `mark` (None: the item had none).

    `generation` is the number of the transaction that wrote the row, `digest` that of the item it wrote.
    """

    key_hash: bytes
    key: Item
    generation: int
    digest: bytes
    row_id: int | None
    mark: dict[str, Any] | None
    attempts: int = 0


def owe(tx: Connection, table: str, links: Sequence[PendingLink]) -> None:
    """Enter pending links; an entry that exists for the key is replaced (its generation moves on)."""
    ordered = sorted(links, key=_order)
    for first in range(0, len(links), ROWS_A_STATEMENT_MAX):
        part = ordered[first : first + ROWS_A_STATEMENT_MAX]
        args: list[Any] = []
        for link in part:
            mark = json.dumps(link.mark) if link.mark is not None else None
            args += (table, link.key_hash, json.dumps(link.key), link.generation, link.digest, link.row_id, mark)
        tx.execute(
            "INSERT INTO _twinrow_link (table_name, key_hash, item_key, generation, digest, row_id, mark) VALUES "
            + ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(part))
            + " ON DUPLICATE KEY UPDATE generation = VALUES(generation), digest = VALUES(digest), "
            "row_id = VALUES(row_id), mark = VALUES(mark), attempts = 0, due_at = 0, refused = NULL",
            args,
        )


def drop(tx: Connection, table: str, hashes: Iterable[bytes]) -> None:
    """Remove the pending links of these keys, which need none any more."""
    wanted = sorted(hashes)
    if not wanted or not tx.query("SELECT 1 FROM _twinrow_link WHERE table_name = %s LIMIT 1", (table,)):
        return
    for first in range(0, len(wanted), ROWS_A_STATEMENT_MAX):
        part = wanted[first : first + ROWS_A_STATEMENT_MAX]
        tx.execute(
            f"DELETE FROM _twinrow_link WHERE table_name = %s AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, *part),
        )


def drop_refused(tx: Connection, table: str) -> None:
    """Remove the links that were refused for good: the configuration asks for other links now, or for none."""
    tx.execute("DELETE FROM _twinrow_link WHERE table_name = %s AND refused IS NOT NULL", (table,))


def settle(connection: Connection, table: str, links: Sequence[PendingLink]) -> list[PendingLink]:
    """Remove settled links whose generation is still the generation that was sent; the others are returned."""
    if not links:
        return []
    with connection.transaction() as tx:
        pairs = ", ".join(["%s"] * len(links))
        found = dict(
            tx.query(
                "SELECT key_hash, generation FROM _twinrow_link WHERE table_name = %s "
                f"AND key_hash IN ({pairs}) FOR UPDATE",
                (table, *sorted(link.key_hash for link in links)),
            )
        )
        current = [link for link in links if found.get(link.key_hash) == link.generation]
        drop(tx, table, (link.key_hash for link in current))
    return [link for link in links if found.get(link.key_hash) != link.generation]


def standing(connection: Connection, table: str, hashes: Sequence[bytes]) -> dict[bytes, PendingLink]:
    """The pending links of these keys."""
    found: dict[bytes, PendingLink] = {}
    for first in range(0, len(hashes), ROWS_A_STATEMENT_MAX):
        part = hashes[first : first + ROWS_A_STATEMENT_MAX]
        rows = connection.query(
            f"SELECT {_COLUMNS} FROM _twinrow_link WHERE table_name = %s AND refused IS NULL "
            f"AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, *part),
        )
        found.update({row[0]: _link(row) for row in rows})
    return found


def postpone(connection: Connection, table: str, links: Sequence[PendingLink], due_at: float) -> None:
    """A retryable answer: the links stay, to be tried again at `due_at` (epoch seconds)."""
    for link in links:
        connection.execute(
            "UPDATE _twinrow_link SET attempts = attempts + 1, due_at = %s "
            "WHERE table_name = %s AND key_hash = %s AND generation = %s",
            (due_at, table, link.key_hash, link.generation),
        )


def refuse(connection: Connection, table: str, link: PendingLink, reason: str) -> None:
    """DynamoDB refuses this link for good: it stays as unlinked, with the reason, and is not tried again."""
    connection.execute(
        "UPDATE _twinrow_link SET refused = %s WHERE table_name = %s AND key_hash = %s AND generation = %s",
        (reason, table, link.key_hash, link.generation),
    )


def due(connection: Connection, table: str, now: float, limit: int) -> list[PendingLink]:
    """Pending links to be tried now (by MySQL's clock), at most `limit`."""
    found = connection.query(
        f"SELECT {_COLUMNS} FROM _twinrow_link WHERE table_name = %s AND {_DUE} AND refused IS NULL LIMIT %s",
        (table, now, now + PUT_OFF_S_MAX, limit),
    )
    return [_link(row) for row in found]


def due_marks(connection: Connection, table: str, now: float, after: bytes, limit: int) -> list[PendingLink]:
    """Pending links, due now, that clear a mark; by fingerprint from `after` on, at most `limit`."""
    found = connection.query(
        f"SELECT {_COLUMNS} FROM _twinrow_link WHERE table_name = %s AND key_hash > %s AND mark IS NOT NULL "
        f"AND {_DUE} AND refused IS NULL ORDER BY key_hash LIMIT %s",
        (table, after, now, now + PUT_OFF_S_MAX, limit),
    )
    return [_link(row) for row in found]


def to_recheck(connection: Connection, table: str, cause: str, *, late: bool, due_at: float) -> None:
    """Put the key of every link into recheck (after a restart nobody knows what became of the calls).

    Slice by slice: a statement over millions of pending links would outlast the time-out of an answer.
    """
    after = b""
    while True:
        part = "FROM _twinrow_link o WHERE o.table_name = %s AND o.key_hash > %s"
        slice_of_keys = f"SELECT o.key_hash {part} ORDER BY o.key_hash LIMIT {ROWS_A_SLICE_MAX}"
        last = connection.query(f"SELECT MAX(key_hash) FROM ({slice_of_keys}) AS slice", (table, after))[0][0]
        if last is None:
            return
        connection.execute(
            "INSERT INTO _twinrow_recheck (table_name, key_hash, late, item_key, cause, due_at) "
            f"SELECT o.table_name, o.key_hash, %s, o.item_key, %s, %s {part} AND o.key_hash <= %s "
            "AND o.refused IS NULL ON DUPLICATE KEY UPDATE seq = seq + 1, due_at = VALUES(due_at)",
            (int(late), cause, due_at, table, after, last),
        )
        after = last


def count(connection: Connection, table: str) -> tuple[int, int]:
    """(links that will be tried, refused for good)."""
    found = connection.query(
        "SELECT COUNT(*), COALESCE(SUM(refused IS NOT NULL), 0) FROM _twinrow_link WHERE table_name = %s", (table,)
    )[0]
    return int(found[0]) - int(found[1]), int(found[1])


def owing(connection: Connection, table: str, limit: int) -> set[bytes]:
    """The fingerprints of the keys of links that will be tried, at most `limit`."""
    found = connection.query(
        "SELECT key_hash FROM _twinrow_link WHERE table_name = %s AND refused IS NULL LIMIT %s", (table, limit)
    )
    return {key_hash for (key_hash,) in found}


def refusals(connection: Connection, table: str, limit: int) -> list[tuple[Item, str]]:
    """Keys that cannot be linked, as people are shown them, with the reason."""
    found = connection.query(
        "SELECT item_key, refused FROM _twinrow_link WHERE table_name = %s AND refused IS NOT NULL LIMIT %s",
        (table, limit),
    )
    return [(without_seal(json.loads(key)), str(reason)) for key, reason in found]


def _order(link: PendingLink) -> bytes:
    """Rows are locked in one order by everybody, so that deadlocks stay rare."""
    return link.key_hash


def _link(row: tuple[Any, ...]) -> PendingLink:
    key_hash, key, generation, digest, row_id, mark, attempts = row
    known_mark = json.loads(mark) if mark else None
    return PendingLink(key_hash, json.loads(key), generation, digest, row_id, known_mark, attempts)
