"""Gaps: spans in which changes may have been missed; each is closed by work on the table, never by a log line.

A whole-table pass (a reconcile) closes any gap. A gap of a stream may be filled by exports of the missing window: then
`mended_by` is EXPORT. Until that is decided it is None where exports are set, and a pass takes it everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twinrow.mysql import Connection
from twinrow.state.checkpoint import RECONCILE_BEGUN

EXPORT: Final = "export"
RECONCILE: Final = "reconcile"


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap of a table; times are epoch seconds, None where unknown.

    `lost_from`: every change before it was applied. `mended_by`: EXPORT or RECONCILE, None where nobody has decided
    it; `why` is the reason for a reconcile where exports are set.
    """

    id: int
    table: str
    shard: str
    cause: str
    from_at: float | None
    to_at: float | None
    found_at: float
    closed_at: float | None
    lost_from: float | None = None
    mended_by: str | None = None
    why: str | None = None


_COLUMNS = "id, table_name, shard, cause, from_at, to_at, found_at, closed_at, lost_from, mended_by, why"
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
    lost_from: float | None = None,
) -> None:
    """Record a gap. A gap that is open already for the same shard and cause is not doubled.

    That is, unless a reconcile that mends it is under way: it may have passed the place already.
    """
    connection.execute(
        "INSERT INTO _twinrow_gap (table_name, shard, cause, from_at, to_at, found_at, lost_from) "
        f"SELECT %s, %s, %s, %s, %s, %s, %s FROM DUAL WHERE NOT EXISTS ({_NOTED})",
        (table, shard, cause, from_at, to_at, at, lost_from, table, shard, cause, table, RECONCILE_BEGUN),
    )


def lasts_until(tx: Connection, table: str, to_at: float) -> None:
    """Changes were missed again: the open gaps last until then, and how they are mended is decided anew."""
    tx.execute(
        "UPDATE _twinrow_gap SET to_at = GREATEST(COALESCE(to_at, %s), %s), "
        f"mended_by = NULLIF(mended_by, '{EXPORT}') WHERE table_name = %s AND closed_at IS NULL",
        (to_at, to_at, table),
    )


def decide(tx: Connection, table: str, gaps: Sequence[Gap], mended_by: str, why: str = "") -> None:
    """Note by what these gaps are mended."""
    if gaps:
        marks = ", ".join(["%s"] * len(gaps))
        tx.execute(
            f"UPDATE _twinrow_gap SET mended_by = %s, why = %s WHERE table_name = %s AND id IN ({marks})",
            (mended_by, why or None, table, *(gap.id for gap in gaps)),
        )


def forget_losses(tx: Connection, table: str) -> None:
    """Nobody notes any more what is written since these gaps: a reconcile mends them."""
    tx.execute(
        "UPDATE _twinrow_gap SET lost_from = NULL, mended_by = NULL WHERE table_name = %s AND closed_at IS NULL",
        (table,),
    )


def any_for_reconcile(connection: Connection, table: str) -> bool:
    """Whether an open gap is to be mended by a reconcile, where exports are set."""
    return any(gap.mended_by == RECONCILE for gap in open_gaps(connection, table))


def is_noted(connection: Connection, table: str, cause: str, *, shard: str = "") -> bool:
    """Whether such a gap is open already, so that `record` would not record another."""
    return bool(connection.query(f"{_NOTED} LIMIT 1", (table, shard, cause, table, RECONCILE_BEGUN)))


def open_gaps(connection: Connection, table: str) -> list[Gap]:
    """The gaps of a table that nothing has closed yet."""
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
    """A reconcile has ended, or exports are applied: every gap up to the newest at the beginning is mended."""
    tx.execute(
        "UPDATE _twinrow_gap SET closed_at = %s WHERE table_name = %s AND closed_at IS NULL AND id <= %s",
        (at, table, up_to),
    )
