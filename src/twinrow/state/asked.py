"""Questions that a process asks for all of its tables at once: which have work that is due, which nobody holds.

A question for each table would cost a server as many queries as there are tables, though nearly every answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from twinrow.mysql import Connection
from twinrow.state import outbox, recheck
from twinrow.state.lease import IS_ALIVE

DueKind = Literal["recheck", "link", "pass", "loss"]
"""Work that may wait in MySQL: keys to be rechecked, pending links, a gap or an interrupted pass.

`loss`: MySQL is at a lower generation than its holder knows as committed, so it went back.
"""
DUE_KINDS: Final[tuple[DueKind, ...]] = ("recheck", "link", "pass")
TABLES_A_QUERY_MAX: Final = 500
_RECHECK = (
    "SELECT 1 FROM _twinrow_recheck r WHERE r.table_name = l.table_name "
    "AND (r.due_at <= %s OR (r.due_at > %s AND r.due_at < %s))"
)
_LINK = (
    "SELECT 1 FROM _twinrow_link o WHERE o.table_name = l.table_name "
    "AND (o.due_at <= %s OR o.due_at > %s) AND o.refused IS NULL"
)
_GAP = "SELECT 1 FROM _twinrow_gap g WHERE g.table_name = l.table_name AND g.closed_at IS NULL"
_PASS = "SELECT 1 FROM _twinrow_checkpoint c WHERE c.table_name = l.table_name AND c.part LIKE 'reconcile:%%'"  # noqa: S105


@dataclass(frozen=True, slots=True)
class DueWork:
    """The kinds of work that are due in a table, and the generation of its last commit."""

    kinds: frozenset[DueKind]
    generation: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """A table that a process waits for: `is_free` when nobody alive holds it; what its holder has noted last.

    `holder`: who holds it, or has not let go in good order; "" for none.
    """

    is_free: bool
    generation: int
    reason: str
    holder: str = ""


UNKNOWN: Final = Awaited(True, 0, "")
"""A table that is not in MySQL (any more): whoever waits for it begins anew."""


def due_work(connection: Connection, tables: Sequence[str]) -> dict[str, DueWork]:
    """The work that is due in each of these tables (by MySQL's clock), as `recheck.due` and `outbox.due` find it."""
    found: dict[str, DueWork] = {}
    now = connection.now()
    for first in range(0, len(tables), TABLES_A_QUERY_MAX):
        part = tables[first : first + TABLES_A_QUERY_MAX]
        rows = connection.query(
            f"SELECT l.table_name, l.generation, EXISTS({_RECHECK}), EXISTS({_LINK}), "
            f"EXISTS({_GAP}) OR EXISTS({_PASS}) "
            f"FROM _twinrow_lease l WHERE l.table_name IN ({', '.join(['%s'] * len(part))})",
            (now, now + recheck.PUT_OFF_S_MAX, recheck.NEVER, now, now + outbox.PUT_OFF_S_MAX, *part),
        )
        for table, generation, *flags in rows:
            kinds = frozenset(kind for kind, flag in zip(DUE_KINDS, flags, strict=True) if flag)
            found[str(table)] = DueWork(kinds, int(generation))
    return found


def awaited(connection: Connection, tables: Sequence[str]) -> dict[str, Awaited]:
    """How tables stand that other processes hold; a table that MySQL does not know is missing."""
    found = {}
    for first in range(0, len(tables), TABLES_A_QUERY_MAX):
        part = tables[first : first + TABLES_A_QUERY_MAX]
        rows = connection.query(
            "SELECT l.table_name, l.holder <> '' AND h.fence = l.fence AND "
            f"{IS_ALIVE}, l.generation, t.reason, l.holder FROM _twinrow_lease l "
            "LEFT JOIN _twinrow_heartbeat h USING (table_name) LEFT JOIN _twinrow_table t USING (table_name) "
            f"WHERE l.table_name IN ({', '.join(['%s'] * len(part))})",
            tuple(part),
        )
        found.update(
            {str(table): Awaited(not held, int(generation), str(reason or ""), str(holder))
             for table, held, generation, reason, holder in rows}
        )  # fmt: skip
    return found
