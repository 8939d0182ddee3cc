"""Follow a Kinesis stream: each key that its records name is read consistently, under the table's lock.

A batch of records becomes durable together with the rows of its keys. A key that cannot be read now, because DynamoDB
throttles, the budget is spent, or a link write of it is under way, goes to recheck instead.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from twinrow import clock
from twinrow.capture.key_hint import FoldedHints, KeyHint, KeyReads, fold
from twinrow.capture.kinesis_log import KinesisLog, SharedReadings
from twinrow.capture.reader_threads import ReaderThreads
from twinrow.capture.shard_log import GapFound
from twinrow.capture.shard_reader import IDLE_S_MAX
from twinrow.capture.stream import StreamReader
from twinrow.capture.stream_batch import StreamBatch
from twinrow.change import Item
from twinrow.dynamodb_access import Access
from twinrow.errors import Broken, Throttled, Transient
from twinrow.kinds.kinesis.streaming import IS_OFF, IS_STARTING, described
from twinrow.kinesis import Kinesis
from twinrow.mysql import Connection
from twinrow.state import checkpoint, gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync import shard_positions
from twinrow.sync.kind import SourceNeeds
from twinrow.sync.recheck import read_truth
from twinrow.sync.shard_positions import IDLE_WAIT_S, RECREATED, SHARDS_READ_AT_ONCE_MAX, STREAM
from twinrow.table import wide_read
from twinrow.table.context import TableContext
from twinrow.table.settings import KinesisStream
from twinrow.table_description import Streaming, TableDescription, name_in_dynamodb
from twinrow.write.apply import apply, transact
from twinrow.write.batch import Applied, Batch

LOOK_EVERY_S = 20.0
"""How often it is asked whether DynamoDB still writes to the stream, and whether the stream is still the same."""
DESTINATION_OFF = "DESTINATION_OFF"

_readings: dict[tuple[KinesisStream, Access], SharedReadings] = {}
_readings_lock = threading.Lock()


def readings_of(stream: KinesisStream, access: Access) -> SharedReadings:
    """The readings of a stream that all tables of this process share."""
    with _readings_lock:
        if (stream, access) not in _readings:
            door = Kinesis(stream.region, stream.endpoint_url, access)
            _readings[stream, access] = SharedReadings(door, stream.arn)
        return _readings[stream, access]


class FollowHints:
    """The stream of a table from its durable positions on; `step` handles a batch."""

    def __init__(self, needs: SourceNeeds) -> None:
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.retention_left_s: float | None = None
        self.trouble = ""
        self.wanted_at = 0.0
        self._context, self._linker = needs.context, needs.linker
        self._reads = KeyReads()
        stream = stream_of(needs.context)
        self._kinesis = Kinesis(stream.region, stream.endpoint_url, needs.context.table.dynamodb.access)
        self._mark = needs.context.table.dynamodb.clock.now()
        self._looked_at = clock.monotonic()
        self._streaming = _streaming_of(needs.description)
        self._begin(_entered(needs.context, self._streaming))

    def _begin(self, known: Checkpoint) -> None:
        context = self._context
        log = log_of(context, self._streaming)
        self._reader = StreamReader(
            log, shard_positions.load(context), started_at=shard_positions.started_at(context, known),
            now=context.table.dynamodb.clock.now, on_news=context.table.bell.ring,
            idle_s_max=context.settings.idle_poll_s or IDLE_S_MAX,
        )  # fmt: skip
        self._threads = ReaderThreads(self._reader, SHARDS_READ_AT_ONCE_MAX)
        self._threads.__enter__()

    def step(self) -> tuple[bool, Applied | None]:
        """Read the keys that were named, and write their rows."""
        context = self._context
        batch = self._reader.take(wide_read.keys_at_once(context.table.read_budget), IDLE_WAIT_S)
        applied = self._apply(batch)
        now = context.table.dynamodb.clock.now()
        shard_positions.note_progress(self, batch, now, self._streaming.retention_s)
        shard_positions.look_how_far(self, self._reader, self._mark, now, self._context.settings.idle_poll_s)
        if batch.ended:
            raise self._stopped("its Kinesis stream is gone", "set `stream_arn` in [tables.kinesis] right")
        self._look_at_destination()
        return bool(batch.records), applied

    def prove(self, moment: float) -> None:
        """List and read as the proof of that moment needs it."""
        self.wanted_at = moment

    def _apply(self, batch: StreamBatch[KeyHint]) -> Applied | None:
        context, applied = self._context, None
        if batch.records or batch.positions or batch.gaps:
            folded = fold(context.live.keys, batch.records, context.table.dynamodb.seen_key)
            gaps = [*batch.gaps, *self._doubts(folded)]
            applied = self._write(folded, shard_positions.parts_of(batch.positions), gaps)
        shard_positions.forget(context, batch.forgotten)
        return applied

    def _doubts(self, folded: FoldedHints) -> list[GapFound]:
        """Count what was not understood; a record of this table without its key is a change that only a pass finds."""
        doubts = (*folded.lost, *folded.foreign)
        if doubts:
            self._context.counters.doubt(len(doubts), f"a record of Kinesis: {doubts[-1]}")
        return [GapFound("", "NOT_UNDERSTOOD", None, self._context.table.dynamodb.clock.now())] if folded.lost else []

    def _write(self, folded: FoldedHints, parts: Mapping[str, Checkpoint], gaps: Sequence[GapFound]) -> Applied:
        context = self._context
        keys = self._reads.uncovered(folded.keys)
        flying = self._linker.in_flight()
        later = {key_hash: key for key_hash, key in keys.items() if key_hash in flying}
        now = {key_hash: key for key_hash, key in keys.items() if key_hash not in flying}
        if not now or not context.table.read_budget.ready(context.table.stop, 0.0):
            return apply(context, Batch((), parts, suspects=list(keys.items()), gaps=gaps))
        began_at = context.table.dynamodb.clock.now()
        try:
            applied, read = _read_and_write(context, now, later, parts, gaps)
        except Throttled:
            return apply(context, Batch((), parts, suspects=list(keys.items()), gaps=gaps))
        self._reads.note(read, began_at)
        context.counters.add_rechecked(len(read))
        return applied

    def _look_at_destination(self) -> None:
        """Whether DynamoDB still writes to this very stream; what was missed meanwhile is a gap."""
        if clock.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = clock.monotonic()
        context = self._context
        try:
            stream = stream_of(context)
            found = _streaming_of(described(context.table.dynamodb, self._kinesis, context.name, stream))
        except Transient as trouble:
            self.trouble = str(trouble)
            return
        if found.status in IS_OFF:
            raise self._stopped(f"DynamoDB does not write to its Kinesis stream ({found.status})", "", by_fix=True)
        if found.status in IS_STARTING and self._streaming.status not in IS_STARTING:
            self._record(DESTINATION_OFF)
        before, self._streaming = self._streaming, found
        if before.name != found.name or before.retention_s != found.retention_s:
            self.close()
            self._begin(_entered(context, found))

    def _stopped(self, what: str, remedy: str, *, by_fix: bool = False) -> Broken:
        self._record(DESTINATION_OFF)
        remedy, commands = ("twinrow check --fix turns it on", ("twinrow check --fix",)) if by_fix else (remedy, ())
        return Broken(what, where=f"table {self._context.name}", remedy=remedy, commands=commands)

    def _record(self, cause: str) -> None:
        writer = self._context.tenure.open_writer()
        gap.record(writer, self._context.name, cause, at=writer.now(), from_at=self.caught_up_at or None)

    def close(self) -> None:
        """End the reading threads; what was read and not written is read again from the durable positions."""
        self._threads.__exit__(None, None, None)


def _read_and_write(
    context: TableContext,
    keys: dict[bytes, Item],
    later: Mapping[bytes, Item],
    parts: Mapping[str, Checkpoint],
    gaps: Sequence[GapFound],
) -> tuple[Applied, set[bytes]]:
    """Read keys under the lock, and write their rows in the same transaction as all else; also the keys read."""
    ttl = context.table.ttl_attribute()
    unanswered: set[bytes] = set()

    def read(tx: Connection) -> Batch:
        nonlocal unanswered
        changes, unanswered = read_truth(tx, context, keys, ttl)
        suspects = [*later.items(), *((key_hash, keys[key_hash]) for key_hash in unanswered)]
        return Batch(changes, parts, suspects=suspects, truth=True, gaps=gaps)

    applied = transact(context, read)
    return applied, keys.keys() - unanswered


def log_of(context: TableContext, streaming: Streaming) -> KinesisLog:
    """The table's hints in its stream."""
    stream = stream_of(context)
    return KinesisLog(
        readings_of(stream, context.table.dynamodb.access), name_in_dynamodb(context.name), streaming.retention_s
    )


def enter(
    context: TableContext, streaming: Streaming, *, cause: str = "", gap_from_at: float | None = None
) -> Checkpoint:
    """Make the stream durable with all its shards: what is written from now on is in what is followed."""
    return shard_positions.enter(
        context, log_of(context, streaming), streaming.name, cause=cause, gap_from_at=gap_from_at
    )  # fmt: skip


def stream_of(context: TableContext) -> KinesisStream:
    """The stream of the configuration. Raises Broken where there is none, which the configuration refuses."""
    if context.settings.kinesis is None:
        raise Broken("has no [tables.kinesis]", where=f"table {context.name}", remedy="set its `stream_arn`")
    return context.settings.kinesis


def _entered(context: TableContext, streaming: Streaming) -> Checkpoint:
    """The stream that is durable; another stream than that of before is entered anew, with a gap."""
    known = checkpoint.load(context.tenure.open_writer(), context.name, STREAM).get(STREAM)
    if known is None or known.position is None:
        return enter(context, streaming)
    if known.position != streaming.name:
        return enter(context, streaming, cause=RECREATED, gap_from_at=known.read_at)
    return known


def _streaming_of(description: TableDescription) -> Streaming:
    if description.streaming is None:
        raise Broken(
            "its Kinesis stream was not looked at", where=f"table {description.name}", remedy="please report it"
        )
    return description.streaming
