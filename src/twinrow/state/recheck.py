"""`_twinrow_recheck`: keys whose truth is unknown. Adding needs no fence, any process may."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from twinrow.change import Item
from twinrow.mysql import Connection

ROWS_A_STATEMENT_MAX = 500
NO_ID_YET = "brings no id of its own"
NOT_UNDERSTOOD = "not understood"
REPAIR = "repair"
RETRY = "dead letter"
ID_OF_ANOTHER = "carries the id of another item's row"
NOT_TAKEN = "not taken by MySQL"
KNOWN_LOSSES = frozenset({REPAIR, RETRY, NO_ID_YET, NOT_TAKEN})
"""Causes that say why a row is missing.

`verify` has just looked at the whole table, or the item was parked, or it waited until other items' ids were adopted,
or MySQL did not take its row for a reason that is not its content.
"""
PUT_OFF_S_MAX = 2400.0
"""Nothing is put off for longer: the second look after a link call without an answer waits 30 minutes."""
NOT_TAKEN_AGAIN_S_MAX = 300
"""A row that MySQL did not take is tried again after at most this time: no event says that the reason is mended."""
NEVER = 2.0**40
"""A due time that does not come by itself: `make_due` brings it."""
_IS_FOR_NOW = "(code IS NULL OR due_at = 0)"
"""Not put off, or put off and to be tried at this start (`try_again`)."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A key to look at. `seq` tells whether it was added again while it was worked on; `late` is the second look."""

    key_hash: bytes
    key: Item
    cause: str
    seq: int
    late: bool


def add(
    connection: Connection,
    table: str,
    keys: Sequence[tuple[bytes, Item]],
    cause: str,
    *,
    due_at: float = 0.0,
    late: bool = False,
) -> None:
    """Enter keys, to be read consistently and written (or their rows deleted) from `due_at` (epoch seconds) on.

    Entered again, a cause that says why a row is missing stays, and the earlier time counts; for `late` looks the later
    one, since each waits until a request is dead. An entry that was put off is tried anew.
    """
    which = "GREATEST" if late else "LEAST"
    for first in range(0, len(keys), ROWS_A_STATEMENT_MAX):
        part = keys[first : first + ROWS_A_STATEMENT_MAX]
        connection.execute(
            "INSERT INTO _twinrow_recheck (table_name, key_hash, late, item_key, cause, due_at) VALUES "
            + ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(part))
            + " ON DUPLICATE KEY UPDATE seq = seq + 1, "
            f"cause = IF(cause IN ('{REPAIR}', '{RETRY}'), cause, VALUES(cause)), "
            f"due_at = {which}(due_at, VALUES(due_at)), code = NULL, message = NULL",
            [value for key_hash, key in part for value in (table, key_hash, int(late), json.dumps(key), cause, due_at)],
        )


def put_off(tx: Connection, table: str, refused: Sequence[tuple[bytes, Item, int, str]]) -> None:
    """Enter keys (with the server's error, code and message) whose rows MySQL did not take, though other rows were.

    Each is tried again with a back-off, up to NOT_TAKEN_AGAIN_S_MAX.
    """
    due_at = tx.now()
    for key_hash, key, code, message in refused:
        tx.execute(
            "INSERT INTO _twinrow_recheck (table_name, key_hash, item_key, cause, attempts, due_at, code, message) "
            "VALUES (%s, %s, %s, %s, 1, %s + 1, %s, %s) ON DUPLICATE KEY UPDATE seq = seq + 1, cause = VALUES(cause), "
            f"attempts = attempts + 1, due_at = %s + LEAST({NOT_TAKEN_AGAIN_S_MAX}, POW(2, LEAST(attempts, 20))), "
            "code = VALUES(code), message = VALUES(message)",
            (table, key_hash, json.dumps(key), NOT_TAKEN, due_at, code, message, due_at),
        )


def try_again(connection: Connection, table: str) -> None:
    """Entries that were put off are tried now: somebody may have mended the reason, and started a sync.

    Code and message stay until the row is taken: `status` shows them.
    """
    connection.execute(
        "UPDATE _twinrow_recheck SET due_at = 0 WHERE table_name = %s AND code IS NOT NULL",
        (table,),
    )


def due(connection: Connection, table: str, now: float, limit: int) -> list[Suspect]:
    """Keys to look at now (by MySQL's clock), at most `limit`, longest due first.

    An entry that is due further ahead than any delay was entered by a clock that was wrong: it is due, too.
    """
    found = connection.query(
        "SELECT key_hash, item_key, cause, seq, late FROM _twinrow_recheck "
        "WHERE table_name = %s AND (due_at <= %s OR (due_at > %s AND due_at < %s)) ORDER BY due_at LIMIT %s",
        (table, now, now + PUT_OFF_S_MAX, NEVER, limit),
    )
    return [Suspect(key_hash, json.loads(key), cause, seq, bool(late)) for key_hash, key, cause, seq, late in found]


def last_late_look(connection: Connection, table: str) -> float | None:
    """When the last second look is due: until then a link call without an answer may still arrive; None for none."""
    found = connection.query(
        "SELECT MAX(due_at) FROM _twinrow_recheck WHERE table_name = %s AND late = 1 AND due_at < %s", (table, NEVER)
    )
    return float(found[0][0]) if found[0][0] is not None else None


def make_due(tx: Connection, table: str, cause: str) -> None:
    """Entries with this cause are due from now on."""
    tx.execute("UPDATE _twinrow_recheck SET due_at = 0 WHERE table_name = %s AND cause = %s", (table, cause))


def done(tx: Connection, table: str, suspects: Sequence[Suspect]) -> None:
    """Drop those that were not added again meanwhile."""
    for first in range(0, len(suspects), ROWS_A_STATEMENT_MAX):
        part = suspects[first : first + ROWS_A_STATEMENT_MAX]
        tx.execute(
            "DELETE FROM _twinrow_recheck WHERE table_name = %s AND (key_hash, late, seq) IN ("
            + ", ".join(["(%s, %s, %s)"] * len(part))
            + ")",
            [table, *(value for suspect in part for value in (suspect.key_hash, int(suspect.late), suspect.seq))],
        )


def waiting(connection: Connection, table: str, limit: int) -> set[bytes]:
    """The fingerprints of the keys that wait for their first look, at most `limit`; without those put off."""
    found = connection.query(
        "SELECT key_hash FROM _twinrow_recheck WHERE table_name = %s AND late = 0 AND due_at < %s "
        f"AND {_IS_FOR_NOW} LIMIT %s",
        (table, NEVER, limit),
    )
    return {key_hash for (key_hash,) in found}


def waiting_among(connection: Connection, table: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of these keys that wait for their first look; without those put off."""
    found: set[bytes] = set()
    for first in range(0, len(hashes), ROWS_A_STATEMENT_MAX):
        part = hashes[first : first + ROWS_A_STATEMENT_MAX]
        rows = connection.query(
            "SELECT key_hash FROM _twinrow_recheck WHERE table_name = %s AND late = 0 AND due_at < %s "
            f"AND {_IS_FOR_NOW} AND key_hash IN ({', '.join(['%s'] * len(part))})",
            (table, NEVER, *part),
        )
        found |= {key_hash for (key_hash,) in rows}
    return found


def count_of(connection: Connection, table: str, cause: str) -> int:
    """Keys that wait for their first look for this cause."""
    found = connection.query(
        "SELECT COUNT(*) FROM _twinrow_recheck WHERE table_name = %s AND late = 0 AND cause = %s", (table, cause)
    )
    return int(found[0][0])


def count(connection: Connection, table: str) -> int:
    """Keys that wait for their first look; without those put off."""
    found = connection.query(
        f"SELECT COUNT(*) FROM _twinrow_recheck WHERE table_name = %s AND late = 0 AND due_at < %s AND {_IS_FOR_NOW}",
        (table, NEVER),
    )
    return int(found[0][0])
