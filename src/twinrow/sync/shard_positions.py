"""Following a log of changes: the positions that MySQL keeps for it, and how far that has come.

The checkpoint `stream` names the log and when its copy began; `shard:<id>` keeps the position in each shard.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from twinrow import clock
from twinrow.capture import read_through
from twinrow.capture.shard_listing import ListJob
from twinrow.capture.shard_log import GapFound, Record, ShardLog, ShardPosition
from twinrow.capture.shard_reader import IDLE_S_MAX, idle_proof_s
from twinrow.capture.shard_tree import RECORD_TIME_GRAIN_S
from twinrow.capture.stream import NEWER_S, StreamReader
from twinrow.capture.stream_batch import StreamBatch
from twinrow.errors import Transient
from twinrow.state import checkpoint, gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.write import note_gaps

SHARD = "shard:"
STREAM = "stream"
RECORDS_A_BATCH_MAX = 5000
NOT_READ = "NOT_READ"
RECREATED = "STREAM_RECREATED"
NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
SHARDS_READ_AT_ONCE_MAX = 8
IDLE_WAIT_S = 0.05
"""How long a step waits for records when none are there."""
BUSY_S = NEWER_S + RECORD_TIME_GRAIN_S + 5.0
"""The newest record of a shard that is written all the time proves what was written so long ago."""
LISTING_WAIT_S = 0.5
LISTING_TRIES_MAX = 60
"""A new copy waits half a minute for a complete listing; then the run begins again, with a back-off."""


class Follower(Protocol):
    """A source that follows a log: see `sync.kind.Source`."""

    caught_up_at: float
    oldest_at: float | None
    backlog: int | None
    retention_left_s: float | None
    trouble: str
    wanted_at: float


def note_progress(source: Follower, batch: StreamBatch[Record], now: float, retention_s: float | None) -> None:
    """The progress of the source according to a batch, except `caught_up_at`."""
    source.trouble = batch.waits
    source.oldest_at = None if batch.read_through else batch.oldest_at
    source.backlog = 0 if batch.read_through else None
    if batch.unread_since is not None and retention_s is not None:
        source.retention_left_s = batch.unread_since + retention_s - now


def look_how_far(
    source: Follower, reader: StreamReader[Record], mark: float, now: float, idle_s_max: float | None
) -> None:
    """Up to the beginning (`mark`), as `--once` asks, and then up to a moment that moves along with the clock.

    A shard that is idle shows it for a moment ago, a shard that is written all the time only for BUSY_S ago. While
    somebody waits for a moment (`Source.prove`), that moment is looked at too, and the reader works towards it.
    """
    awaited = max(mark, source.wanted_at)
    if source.caught_up_at < awaited:
        reader.prove(awaited)
    moments = [mark, awaited]
    if source.caught_up_at >= mark:
        moments = [awaited, now - idle_proof_s(reader.log.facts.empty_s, idle_s_max or IDLE_S_MAX), now - BUSY_S]
    for moment in moments:
        if moment > source.caught_up_at and reader.caught_up_since(moment):
            source.caught_up_at = moment


def started_at(context: TableContext, known: Checkpoint) -> float:
    """When the copy of this log began: records well before that are left out.

    A moment that lies ahead was set by a wrong clock. Nothing may be left out by it any more, and what was left out is
    found by a reconcile.
    """
    now = context.table.dynamodb.clock.now()
    if not clock.is_ahead(known.read_at, now):
        return known.read_at
    with context.tenure.transaction() as tx:
        gap.record(tx, context.name, NOT_READ, at=tx.now(), to_at=now)
        checkpoint.save(tx, context.name, {STREAM: replace(known, read_at=0.0)})
    return 0.0


def load(context: TableContext) -> dict[str, ShardPosition]:
    """The durable positions."""
    parts = checkpoint.load(context.tenure.open_writer(), context.name, SHARD)
    return {part.removeprefix(SHARD): _position(known) for part, known in parts.items()}


def parts_of(positions: Mapping[str, ShardPosition]) -> dict[str, Checkpoint]:
    """Positions as the parts of a batch."""
    return {SHARD + shard: _checkpoint(position) for shard, position in positions.items()}


def forget(context: TableContext, shards: Collection[str]) -> None:
    """Drop the positions of shards that nobody needs any more."""
    if not shards:
        return
    with context.tenure.transaction() as tx:
        for shard in shards:
            checkpoint.forget(tx, context.name, SHARD + shard)


def enter(
    context: TableContext,
    log: ShardLog[Record],
    name: str,
    *,
    cause: str = "",
    gap_from_at: float | None = None,
    lost_from: float | None = None,
) -> Checkpoint:
    """Make a log durable under a name, with every shard of its first complete listing; with a `cause` also a gap.

    `lost_from`: every change before it was applied. Positions of another log are forgotten. Raises Transient when the
    shards cannot be listed.
    """
    entered = Checkpoint(name, read_at=context.table.dynamodb.clock.now())
    reader = StreamReader(log, {}, started_at=entered.read_at, now=context.table.dynamodb.clock.now)
    parts, gaps, listed, waits = {STREAM: entered}, list[GapFound](), False, ""
    for _ in range(LISTING_TRIES_MAX):
        with reader.lock:
            job = reader.next_job()
        if isinstance(job, ListJob):  # what may be read already is read by the threads, from the durable positions
            reader.run(job)
        batch = reader.take(RECORDS_A_BATCH_MAX, 0.0)
        parts |= parts_of(batch.positions)
        gaps += batch.gaps
        listed, waits = batch.listed, batch.waits
        if listed or context.table.stop.wait(LISTING_WAIT_S):
            break
    if not listed:
        raise Transient(waits or "the stream's shards cannot be listed", where=f"table {context.name}")
    with context.tenure.transaction() as tx:
        if cause:
            gap.record(
                tx, context.name, cause, at=tx.now(), from_at=gap_from_at, to_at=entered.read_at, lost_from=lost_from
            )
            if context.settings.fills_gaps:
                note_gaps.notice(tx, context.name, entered.read_at)
        for found in gaps:
            gap.record(
                tx, context.name, found.cause, at=tx.now(), shard=found.shard, from_at=found.from_at, to_at=found.to_at
            )
        checkpoint.forget(tx, context.name, SHARD)
        checkpoint.save(tx, context.name, parts)
    if cause:
        context.state.note_gap(is_open=True)
    return entered


def lost_from(context: TableContext) -> float | None:
    """The moment before which every change of a log is applied that can be read no further; None: not known.

    The time up to which a source has caught up is no such moment: a stream that is off is empty, whatever is written.
    Not known during a first copy, which inserts older images still, and where no export fills gaps.
    """
    if context.state.first_copy or not context.settings.fills_gaps:
        return None
    return read_through.of_stream(load(context))


def _checkpoint(position: ShardPosition) -> Checkpoint:
    info = {
        "parents": position.parents, "starts": position.starts, "horizon_at": position.horizon_at,
        "through_at": position.through_at,
    }  # fmt: skip
    return Checkpoint(position.position, position.finished, position.read_at, json.dumps(info))


def _position(known: Checkpoint) -> ShardPosition:
    info = json.loads(known.info or "{}")
    # "parent": as versions before the merges of Kinesis have written it
    parents = info["parents"] if "parents" in info else [info["parent"]] if info["parent"] else []
    return ShardPosition(
        known.position, known.done, known.read_at, tuple(parents), info["starts"], info["horizon_at"],
        info.get("through_at"),
    )  # fmt: skip
