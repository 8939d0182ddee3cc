"""Counts over all tables, one query each, so that `status` costs the same for one table and for two hundred."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twinrow.errors import Reason
from twinrow.mysql import Connection
from twinrow.state import deferred, events, lease, mixed, recheck, refusal
from twinrow.state.checkpoint import FILL_JOB
from twinrow.state.deferred import Deferred
from twinrow.state.events import EventNotes
from twinrow.state.mixed import Mixed


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one table: `refused` are part of `unlinked`; no `holder` means that no sync runs.

    `refusal` is why its first start was refused; `put_off` are the columns that values in extra wait for,
    `events`: what AWS Lambda has handed over, where that was asked for.
    `mixed` those of which too many values are NULL for their type. `not_taken` rows
    MySQL did not take, for a reason that is not their content. `fill` is the plan of exports that fill the gaps, as
    `exports.fill` keeps it, `gaps_why` the reason for a reconcile where exports are set. `waits` is what a sync waits
    for that has given its lease back and tries again.
    """

    rows: int = 0
    schema_version: int = 0
    holder: str = ""
    unlinked: int = 0
    refused: int = 0
    rechecks: int = 0
    dead_letters: int = 0
    gaps: int = 0
    gaps_why: str = ""
    fill: str = ""
    segments_done: int = 0
    segments: int = 0
    refusal: Reason = field(default_factory=Reason)
    put_off: tuple[Deferred, ...] = ()
    mixed: tuple[Mixed, ...] = ()
    waits: str = ""
    not_taken: int = 0
    not_taken_for: str = ""
    events: EventNotes | None = None


_QUERIES: dict[tuple[str, ...], str] = {
    ("rows", "schema_version"): "SELECT table_name, row_count, schema_version FROM _twinrow_lease",
    ("holder",): "SELECT l.table_name, l.holder FROM _twinrow_lease l JOIN _twinrow_heartbeat h USING (table_name) "
    f"WHERE h.fence = l.fence AND l.holder <> '' AND {lease.IS_ALIVE}",
    ("waits",): "SELECT l.table_name, h.waits_for FROM _twinrow_lease l JOIN _twinrow_heartbeat h USING (table_name) "
    f"WHERE h.fence IN (0, l.fence) AND h.waits_for IS NOT NULL AND {lease.WAITS}",  # 0: given back
    ("unlinked", "refused"): "SELECT table_name, COUNT(*), SUM(refused IS NOT NULL) FROM _twinrow_link "
    "GROUP BY table_name",
    ("rechecks",): "SELECT table_name, COUNT(*) FROM _twinrow_recheck WHERE late = 0 GROUP BY table_name",
    ("not_taken", "not_taken_for"): "SELECT table_name, COUNT(*), COALESCE(MIN(message), '') "
    f"FROM _twinrow_recheck WHERE cause = '{recheck.NOT_TAKEN}' GROUP BY table_name",
    ("dead_letters",): "SELECT table_name, COUNT(*) FROM _twinrow_dead_letter GROUP BY table_name",
    ("gaps", "gaps_why", "fill"): "SELECT g.table_name, COUNT(*), COALESCE(MIN(g.why), ''), "
    "COALESCE((SELECT c.position FROM _twinrow_checkpoint c WHERE c.table_name = g.table_name "
    f"AND c.part = '{FILL_JOB}'), '') "
    "FROM _twinrow_gap g WHERE g.closed_at IS NULL GROUP BY g.table_name",
    ("segments_done",): "SELECT table_name, SUM(done) FROM _twinrow_checkpoint WHERE part LIKE 'segment:%' "
    "GROUP BY table_name",
    ("segments",): "SELECT table_name, CAST(position AS UNSIGNED) FROM _twinrow_checkpoint WHERE part = 'segments'",
}  # fmt: skip


def counts(connection: Connection, *, with_events: bool = False) -> dict[str, Counts]:
    """The counts of every table that has state here; `with_events`: also what AWS Lambda has handed over."""
    found: dict[str, dict[str, Any]] = {}
    for names, sql in _QUERIES.items():
        for table, *values in connection.query(sql):
            for name, value in zip(names, values, strict=True):
                found.setdefault(str(table), {})[name] = value if isinstance(value, str) else int(value or 0)
    for table, known in mixed.of_all(connection).items():
        found.setdefault(table, {})["mixed"] = tuple(entry for entry in known if entry.reported)
    for table, put_off in deferred.of_all(connection).items():
        found.setdefault(table, {})["put_off"] = tuple(put_off)
    for table, reason in refusal.of_all(connection).items():
        found.setdefault(table, {})["refusal"] = reason
    if with_events:
        for table, known_events in events.of_all(connection).items():
            found.setdefault(table, {})["events"] = known_events
    return {table: Counts(**values) for table, values in found.items()}
