"""Gaps: spans in which changes may have been missed; each is closed by a reconcile, never by a log line."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.mysql import Connection
from twinrow.state.checkpoint import RECONCILE_BEGUN


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap of a table; times are epoch seconds, None where unknown."""

    id: int
    table: str
    shard: str
    cause: str
    from_at: float | None
    to_at: float | None
    found_at: float
    closed_at: float | None


_COLUMNS = "id, table_name, shard, cause, from_at, to_at, found_at, closed_at"
_NOTED = (
    "SELECT 1 FROM _twinrow_gap g WHERE g.table_name = %s AND g.shard = %s AND g.cause = %s AND g.closed_at IS NULL "
    "AND g.id > COALESCE((SELECT CAST(c.info AS UNSIGNED) FROM _twinrow_checkpoint c "
    "WHERE c.table_name = %s AND c.part = %s), 0)"
)


def record(
    connection: Connection,
    table: str,
    cause: str,
    *,
    at: float,
    shard: str = "",
    from_at: float | None = None,
    to_at: float | None = None,
) -> None:
    """Record a gap. A gap that is open already for the same shard and cause is not doubled.

    That is, unless a reconcile that mends it is under way: it may have passed the place already.
    """
    connection.execute(
        "INSERT INTO _twinrow_gap (table_name, shard, cause, from_at, to_at, found_at) "
        f"SELECT %s, %s, %s, %s, %s, %s FROM DUAL WHERE NOT EXISTS ({_NOTED})",
        (table, shard, cause, from_at, to_at, at, table, shard, cause, table, RECONCILE_BEGUN),
    )


def is_noted(connection: Connection, table: str, cause: str, *, shard: str = "") -> bool:
    """Whether such a gap is open already, so that `record` would not record another."""
    return bool(connection.query(f"{_NOTED} LIMIT 1", (table, shard, cause, table, RECONCILE_BEGUN)))


def open_gaps(connection: Connection, table: str) -> list[Gap]:
    """The gaps of a table that no reconcile has closed yet."""
    found = connection.query(
        f"SELECT {_COLUMNS} FROM _twinrow_gap WHERE table_name = %s AND closed_at IS NULL ORDER BY id", (table,)
    )
    return [Gap(*row) for row in found]


def recent(connection: Connection, table: str, limit: int) -> list[Gap]:
    """The gaps of a table, open and closed, the latest first."""
    found = connection.query(
        f"SELECT {_COLUMNS} FROM _twinrow_gap WHERE table_name = %s ORDER BY id DESC LIMIT %s", (table, limit)
    )
    return [Gap(*row) for row in found]


def last_found(connection: Connection, table: str, cause: str) -> float | None:
    """When a gap of that cause was last found (epoch seconds)."""
    found = connection.query(
        "SELECT MAX(found_at) FROM _twinrow_gap WHERE table_name = %s AND cause = %s", (table, cause)
    )
    return None if found[0][0] is None else float(found[0][0])


def newest(connection: Connection, table: str) -> int:
    """The number of the gap found last; 0 when there never was a gap. Gaps are identified by it, not by clocks."""
    found = connection.query("SELECT COALESCE(MAX(id), 0) FROM _twinrow_gap WHERE table_name = %s", (table,))
    return int(found[0][0])


def close(tx: Connection, table: str, up_to: int, at: float) -> None:
    """A reconcile has ended: every gap up to the newest at its beginning is mended."""
    tx.execute(
        "UPDATE _twinrow_gap SET closed_at = %s WHERE table_name = %s AND closed_at IS NULL AND id <= %s",
        (at, table, up_to),
    )
