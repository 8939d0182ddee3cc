"""One frozen `Status` that feeds the table, JSON, logs, metrics and page, so that they agree.

It is made from MySQL's state alone, so it is the same whoever asks, while a sync runs and while none does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from twinrow.app.columns.mixed import MixedColumn, mixed_columns
from twinrow.app.observe.standing import Standing, lag_s, standing_of
from twinrow.app.observe.troubles import Trouble, handed_over_no_more, retention_left_s, span, troubles_of
from twinrow.config import TableConfig
from twinrow.mysql import Connection
from twinrow.schema.table import from_json
from twinrow.state import counted, entity, member, meta, overview, tables
from twinrow.state.counted import AppliedCount, Counted, Rates
from twinrow.state.member import LivingMember
from twinrow.state.overview import Counts
from twinrow.state.tables import Registered

if TYPE_CHECKING:
    from twinrow.exports.fill import FillProgress

__all__ = ["Status", "TableStatus", "collect", "span"]
NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DeferredColumn:
    """An attribute of which rows show a rounded value or NULL until its column is there, or wide enough.

    Since `age_s` seconds, for the reason `why`; `rows` counts writes of such rows. Extra holds each value exactly.
    """

    attribute: str
    age_s: float
    why: str
    rows: int


@dataclass(frozen=True, slots=True)
class EntityStatus:
    """An entity of a split, "" for its rest: its MySQL table (None: its items are ignored), its live rows, and how many
    rows came to it from another table of the split.
    """

    name: str
    into: str | None
    rows: int
    moved: int


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The state of a table. Times are epoch seconds by MySQL's clock, None where unknown; `*_s` are seconds.

    `caught_up_at` is a time of DynamoDB's clock.

    `lag_s` is 0 when the last read of every shard or pending value was empty, else the age of the oldest change seen
    and not committed yet. `unlinked` counts link writes that are owed, with the `links_refused` that DynamoDB refuses
    for good. `running` tells whether a sync holds the table, `waits` what a sync waits
    for that does not hold it now and tries again. `phase` is STOPPED where nobody knows how the copy stands:
    the process that copied died, or the last start was refused; `lag_s`, `backlog` and `in_step` are None then, and so
    is what else is not known. A run that ended in good order (`sync --once`, SIGTERM) leaves phase and figures as they
    were at its end, `as_of`. `snapshot_share` goes from 0 to 1 during the first copy,
    `reconcile_share` during a reconcile (None while none is under way).
    `put_off` are the attributes whose columns must come or grow before rows already written show their values.
    `mixed` are the columns in which more than 0.1 % of the values are NULL because they are of another type.
    `troubles` is what is wrong or worth knowing, each with the commands that mend it; `notes` are their texts without
    the `reason`, `remedies` all their commands.

    Under `capture = "events"`, `running` is None; `last_event_at` and `last_scheduled_at` are when the last event and
    the last scheduled run of AWS Lambda came.
    `entities` are those of a split, and `unmatched` its items that match none of them: the rows of the rest table.
    `retention_s`: how long changes that were not read are kept, None where they wait without end.
    `holder` is the process that copies it, "" for none.
    `not_taken` rows MySQL does not take for a reason that is not their content: they are tried again.
    `gap_fill`: the exports that fill the open gaps, None where a reconcile mends them or none is open.

    The counts of the process that copies start at 0 with each process, at `counted_since`: changes `applied` by kind
    and origin, links paid, capacity units consumed. `*_units_max` are the budget's units per second, None without a
    bound. `*_per_s` are means over its last seconds, 0 when no process copies, None where that is not known.
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
    running: bool | None
    items: int | None
    snapshot_share: float | None
    reconcile_share: float | None
    read_at: float | None
    caught_up_at: float | None
    snapshot_done_at: float | None
    reconciled_at: float | None
    retention_left_s: float | None
    verified: dict[str, Any] | None
    notes: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    as_of: float | None = None
    known: bool = True
    not_taken: int = 0
    schema_version: int = 0
    counted_since: float | None = None
    applied: tuple[AppliedCount, ...] = ()
    links_paid: int = 0
    in_extra: int = 0
    not_understood: int = 0
    read_units: float = 0.0
    read_units_max: float | None = None
    read_share: float = 1.0
    write_units: float = 0.0
    write_units_max: float | None = None
    write_share: float = 1.0
    puts_per_s: float | None = 0.0
    deletes_per_s: float | None = 0.0
    links_per_s: float | None = 0.0
    read_units_per_s: float | None = 0.0
    write_units_per_s: float | None = 0.0
    put_off: tuple[DeferredColumn, ...] = ()
    dynamodb_skew_s: float | None = None
    mysql_skew_s: float | None = None
    mixed: tuple[MixedColumn, ...] = ()
    waits: str = ""
    retention_s: float | None = None
    last_event_at: float | None = None
    last_scheduled_at: float | None = None
    gap_fill: FillProgress | None = None
    holder: str = ""
    entities: tuple[EntityStatus, ...] = ()
    unmatched: int | None = None

    @property
    def changes(self) -> int:
        """All changes that became rows since the sync began."""
        return sum(part.count for part in self.applied)

    @property
    def followed(self) -> int:
        """The share of these from index or stream: a recheck, or a scan beside them, reads the same item again."""
        return sum(part.count for part in self.applied if part.origin not in ("SCAN", "RECHECK"))

    @property
    def in_step(self) -> bool | None:
        """Whether nothing is known that keeps the copy from equalling its table once it has caught up.

        None where that is not known: nothing was copied yet, nobody reads, or the running sync has not reported lately.
        """
        if self.dead_letters or self.not_taken or self.gaps or self.links_refused or self.phase == "BROKEN":
            return False
        return True if self.known else None

    def late(self, lag_s_max: float, at: float) -> str:
        """Why the copy is not taken for being at most so many seconds behind at the moment `at`; empty when it is."""
        if self.as_of is not None and at - self.as_of > lag_s_max:
            return f"the last good end of a sync was {span(at - self.as_of)} ago"
        if self.lag_s is None:
            return "its lag is not known"
        return f"its lag is {span(self.lag_s)}" if self.lag_s > lag_s_max else ""


@dataclass(frozen=True, slots=True)
class Status:
    """All configured tables at one moment (`at`, epoch seconds); `members` are the processes that share them."""

    at: float
    tables: tuple[TableStatus, ...]
    members: tuple[LivingMember, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when a table is BROKEN, 3 when something is known to differ or nothing is known, else 0."""
        if any(table.phase == "BROKEN" for table in self.tables):
            return 1
        return 0 if all(table.in_step for table in self.tables) else 3

    def late(self, lag_s_max: float) -> dict[str, str]:
        """The tables whose copy is not known to be at most so many seconds behind, and why."""
        return {table.table: why for table in self.tables if (why := table.late(lag_s_max, self.at))}

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        members = [{"holder": each.holder, "tables": each.held, "waits_for": each.waits} for each in self.members]
        return {"at": self.at, "tables": [_document(table) for table in self.tables], "members": members}


def collect(connection: Connection, chosen: Sequence[TableConfig], waiting: Mapping[str, str] = NOBODY) -> Status:
    """The status of the chosen tables. Raises what a query raises, and as `check_version`.

    `waiting` is why this very process waits, by table: a MySQL that takes no writes has no note of it.
    """
    at = connection.now()
    if not meta.check_version(connection):
        return Status(
            at,
            tuple(table_status_of(table, None, Counts(waits=waiting.get(table.name, "")), at) for table in chosen),
        )
    with connection.snapshot() as moment:  # else a new lease could stand beside the notes of the run before
        registered = {entry.table_name: entry for entry in tables.load_all(moment)}
        counts = overview.counts(moment, with_events=any(table.traits.runs_by_invocations for table in chosen))
        members = tuple(member.living(moment))
        spread = entity.load_all(moment) if any(entry.is_split for entry in registered.values()) else {}
    for table, why in waiting.items():
        here = counts.get(table, Counts())
        counts[table] = replace(here, waits=here.waits or why)
    return Status(
        at,
        tuple(
            _with_entities(
                table_status_of(table, registered.get(table.name), counts.get(table.name, Counts()), at),
                spread.get(table.name, ()),
            )
            for table in chosen
        ),
        members,
    )


def _with_entities(status: TableStatus, entities: Sequence[entity.RegisteredEntity]) -> TableStatus:
    if not entities:
        return status
    shown = tuple(EntityStatus(known.name, known.into, known.rows, known.moved) for known in entities)
    return replace(status, entities=shown, unmatched=sum(known.rows for known in entities if not known.name))


def _document(status: TableStatus) -> dict[str, Any]:
    applied = [{"kind": part.kind, "origin": part.origin, "count": part.count} for part in status.applied]
    document = asdict(status) | {"applied": applied, "in_step": status.in_step}
    del document["known"]  # `in_step` tells it
    return document


def table_status_of(table: TableConfig, known: Registered | None, counts: Counts, at: float) -> TableStatus:
    """How a table stands at the moment `at`, by what is registered and counted (pure)."""
    standing = standing_of(known, counts, at)
    mixed = mixed_columns(from_json(known.table_schema), counts.mixed) if known and counts.mixed else ()
    troubles = troubles_of(table, known, counts, at, mixed)
    reason = known.reason if known else counts.refusal.text
    progress = counted.from_json(known.counters) if known else None
    since, progress = (progress.since, progress) if progress else (None, Counted(0.0))
    return TableStatus(
        table=table.name,
        into=known.into_table if known else table.into_name,
        capture=table.capture,
        phase=standing.phase,
        rows=0 if known is None else counts.rows,
        backlog=known.backlog if known and standing.known else None,
        lag_s=lag_s(known, standing),
        unlinked=counts.unlinked,
        links_refused=counts.refused,
        dead_letters=counts.dead_letters,
        gaps=counts.gaps,
        rechecks=counts.rechecks,
        reason=reason,
        running=None if table.traits.runs_by_invocations else standing.running,
        items=known.items if known else None,
        snapshot_share=_snapshot_share(known, counts),
        reconcile_share=_reconcile_share(progress, counts),
        read_at=(known.read_at or None) if known else None,
        caught_up_at=(known.caught_up_at or None) if known else None,
        snapshot_done_at=known.snapshot_done_at if known else None,
        reconciled_at=known.reconciled_at if known else None,
        retention_left_s=retention_left_s(known, at),
        verified=json.loads(known.verified) if known and known.verified else None,
        notes=tuple(trouble.text for trouble in troubles if trouble.text != reason),
        remedies=tuple(dict.fromkeys(command for trouble in troubles for command in trouble.commands)),
        troubles=troubles,
        as_of=standing.as_of,
        known=standing.known and not handed_over_no_more(counts),
        not_taken=counts.not_taken,
        schema_version=counts.schema_version,
        counted_since=since,
        applied=progress.applied,
        links_paid=progress.links_paid,
        in_extra=progress.in_extra,
        not_understood=progress.not_understood,
        read_units=progress.read_units,
        read_units_max=progress.read_units_max,
        read_share=progress.read_share,
        write_units=progress.write_units,
        write_units_max=progress.write_units_max,
        write_share=progress.write_share,
        dynamodb_skew_s=progress.dynamodb_skew_s,
        mysql_skew_s=progress.mysql_skew_s,
        mixed=mixed,
        waits=counts.waits if standing.waits else "",
        last_event_at=counts.events.event_at if counts.events else None,
        last_scheduled_at=counts.events.scheduled_at if counts.events else None,
        retention_s=table.traits.retention_s,
        gap_fill=_gap_fill(counts),
        holder=counts.holder,
        entities=(),
        unmatched=None,
        put_off=tuple(
            DeferredColumn(entry.attribute, round(entry.age_s, 3), entry.why, entry.rows) for entry in counts.put_off
        ),
        **_rates(progress, standing),
    )


def _gap_fill(counts: Counts) -> FillProgress | None:
    if not counts.fill:
        return None
    from twinrow.app.observe import filling

    return filling.progress_in(counts.fill)


def _rates(progress: Counted, standing: Standing) -> dict[str, float | None]:
    """Nobody who copies copies nothing; who is silent, or died, may have done anything since."""
    if standing.running and standing.known:
        return msgspec.structs.asdict(progress.rates)
    unknown = standing.running or standing.waits or standing.stopped
    return dict.fromkeys(Rates.__struct_fields__, None if unknown else 0.0)


def _snapshot_share(known: Registered | None, counts: Counts) -> float | None:
    if known is None:
        return None
    if known.snapshot_done_at:
        return 1.0
    by_segments = counts.segments_done / counts.segments if counts.segments else 0.0
    by_rows = min(0.99, counts.rows / known.items) if known.items else 0.0
    return round(max(by_segments, by_rows), 3)


def _reconcile_share(progress: Counted, counts: Counts) -> float | None:
    """The share of a live process only: the next process takes the pass up."""
    if progress.reconcile_rows is None or not counts.holder:
        return None
    return round(min(0.99, progress.reconcile_rows / max(1, counts.rows)), 4)
