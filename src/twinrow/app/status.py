"""One frozen `Status` that feeds the table, JSON, logs, metrics and page, so that they agree.

It is made from MySQL's state alone, so it is the same whoever asks, while a sync runs and while none does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from twinrow import clock
from twinrow.config import TableConfig
from twinrow.mysql import Connection
from twinrow.state import meta, overview, tables
from twinrow.state.overview import Counts
from twinrow.state.tables import Registered

SILENT_S_MAX = 60.0
"""A sync that holds its lease notes every half second that it has read; silence for so long is worth a word."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """How one table stands. Times are epoch seconds, None where unknown; `*_s` are seconds.

    `lag_s` is 0 when the last read of every shard or pending value was empty, else the age of the oldest change seen
    and not committed yet. `unlinked` counts link writes that are owed, with the `links_refused` that DynamoDB refuses
    for good. `running` tells whether a sync holds the table; `snapshot_share` goes from 0 to 1 during the first copy.
    `notes` is what to know, `remedies` the commands that mend what is wrong.
    """

    table: str
    into: str
    capture: str
    phase: str
    rows: int
    backlog: int | None
    lag_s: float | None
    unlinked: int
    links_refused: int
    dead_letters: int
    gaps: int
    rechecks: int
    reason: str
    running: bool
    items: int | None
    snapshot_share: float | None
    read_at: float | None
    caught_up_at: float | None
    snapshot_done_at: float | None
    reconciled_at: float | None
    retention_left_s: float | None
    verified: dict[str, Any] | None
    notes: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether nothing is known that keeps the copy from equalling its table once it has caught up."""
        return not (self.dead_letters or self.gaps or self.links_refused) and self.phase != "BROKEN"


@dataclass(frozen=True, slots=True)
class Status:
    """All configured tables at one moment (`at`, epoch seconds)."""

    at: float
    tables: tuple[TableStatus, ...]

    @property
    def exit_code(self) -> int:
        """1 when a table is BROKEN, 3 when something is known to differ, else 0."""
        if any(one.phase == "BROKEN" for one in self.tables):
            return 1
        return 0 if all(one.in_step for one in self.tables) else 3

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"at": self.at, "tables": [asdict(one) | {"in_step": one.in_step} for one in self.tables]}


def collect(connection: Connection, chosen: Sequence[TableConfig]) -> Status:
    """The status of the chosen tables. Raises what a query raises."""
    at = clock.now()
    if not meta.installed(connection):
        return Status(at, tuple(_of(table, None, Counts(), at) for table in chosen))
    registered = {one.table_name: one for one in tables.load_all(connection)}
    counts = overview.counts(connection)
    return Status(
        at,
        tuple(_of(table, registered.get(table.name), counts.get(table.name, Counts()), at) for table in chosen),
    )


def _of(table: TableConfig, known: Registered | None, counts: Counts, at: float) -> TableStatus:
    new = known is None or known.phase == "NEW"
    return TableStatus(
        table=table.name,
        into=known.into_table if known else table.into_name,
        capture=table.capture,
        phase=known.phase if known else "NEW",
        rows=0 if known is None else counts.rows,
        backlog=known.backlog if known else None,
        lag_s=None if known is None or new else _lag_s(known, at),
        unlinked=counts.unlinked,
        links_refused=counts.refused,
        dead_letters=counts.dead_letters,
        gaps=counts.gaps,
        rechecks=counts.rechecks,
        reason=known.reason if known else "",
        running=bool(counts.holder),
        items=known.items if known else None,
        snapshot_share=_snapshot_share(known, counts),
        read_at=(known.read_at or None) if known else None,
        caught_up_at=(known.caught_up_at or None) if known else None,
        snapshot_done_at=known.snapshot_done_at if known else None,
        reconciled_at=known.reconciled_at if known else None,
        retention_left_s=known.retention_left_s if known else None,
        verified=json.loads(known.verified) if known and known.verified else None,
        notes=_notes(table, known, counts, at),
        remedies=_remedies(table, known, counts),
    )


def _lag_s(known: Registered, at: float) -> float | None:
    if known.oldest_at is not None:
        return round(max(0.0, at - known.oldest_at), 3)
    return 0.0 if known.caught_up_at > 0 else None


def _snapshot_share(known: Registered | None, counts: Counts) -> float | None:
    if known is None:
        return None
    if known.snapshot_done_at:
        return 1.0
    by_segments = counts.segments_done / counts.segments if counts.segments else 0.0
    by_rows = min(0.99, counts.rows / known.items) if known.items else 0.0
    return round(max(by_segments, by_rows), 3)


def _notes(table: TableConfig, known: Registered | None, counts: Counts, at: float) -> tuple[str, ...]:
    notes = []
    if table.capture == "pending-index" and table.reconcile_s is None:
        notes.append("writes without the mark and hard deletes are not seen: reconcile_every is off")
    if known is not None and not counts.holder:
        last = f", last read {span(at - known.read_at)} ago" if known.read_at else ""
        notes.append(f"no sync is running{last}")
    elif known is not None and counts.holder and known.read_at and at - known.read_at > SILENT_S_MAX:
        notes.append(f"the running sync has read nothing for {span(at - known.read_at)}")
    if counts.refused:
        notes.append(f"{counts.refused} items cannot be linked: DynamoDB refuses the write")
    return tuple(notes)


def _remedies(table: TableConfig, known: Registered | None, counts: Counts) -> tuple[str, ...]:
    remedies = []
    if known is None or not counts.holder:
        remedies.append(f"twinrow sync {table.name}")
    if counts.dead_letters:
        remedies.append(f"twinrow dead-letters list {table.name}")
    if counts.refused:
        remedies.append(f"twinrow verify {table.name}")
    if table.capture == "pending-index" and table.reconcile_s is None and known is not None:
        remedies.append(f"twinrow repair {table.name}")
    return tuple(remedies)


def span(seconds: float) -> str:
    """A span of time as a person says it: `4 s`, `12 min`, `3 h`, `5 d`."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h" if seconds < 172_800 else f"{round(seconds / 86_400)} d"
