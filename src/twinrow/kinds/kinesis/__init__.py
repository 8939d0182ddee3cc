"""Kinesis capture: which keys changed comes from a Kinesis stream, and each of them is read consistently.

In: the stream to which DynamoDB writes the table's changes, its positions in MySQL. Out: rows of the keys in it.
Not to be touched: the images in its records, which come twice and out of order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import UNFIT, ConfigLines, Remark, Right, TableChange, Traits, Try
from twinrow.errors import StartRefused

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.kinesis import Kinesis
    from twinrow.sync.kind import Source, SourceNeeds
    from twinrow.table.context import TableContext
    from twinrow.table.settings import KinesisStream, Settings
    from twinrow.table_description import Streaming, TableDescription

READS = ("kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")
DESTINATION = "dynamodb:DescribeKinesisStreamingDestination"
RECORD_KIB_WANTED = 10 * 1024
"""The largest that a stream can be set to (AWS, "Large records"); no item's record is larger."""


class KinesisKind:
    """The kind `kinesis`."""

    traits: Final = Traits(
        label="Kinesis stream", origin="KINESIS", tells_deletes=True, in_order=False, consistent_scan=True,
        waits_for_adoption=True, part="kinesis",
        unpriced="DynamoDB's writing to the stream and the stream itself are not in it",
        fix_rights=("dynamodb:EnableKinesisStreamingDestination", "dynamodb:DisableKinesisStreamingDestination"),
    )  # fmt: skip

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable, with the state of the destination and of its stream."""
        from twinrow.kinds.kinesis.streaming import described

        stream = _stream(settings)
        return described(dynamodb, _door(stream, dynamodb), settings.table, stream)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused where changes do not come into the stream."""
        from twinrow.kinds.kinesis.streaming import IS_OFF, IS_STARTING, STREAM_ABSENT

        streaming, where = description.streaming, f"table {settings.table}"
        if streaming is not None and streaming.status == STREAM_ABSENT:
            raise StartRefused(
                f"there is no Kinesis stream {_stream(settings).arn}", where=where,
                remedy="create it, or set `stream_arn` in [tables.kinesis] right",
            )  # fmt: skip
        if streaming is not None and streaming.status not in IS_OFF | IS_STARTING:
            return
        status = streaming.status if streaming is not None else "not known"
        raise StartRefused(
            f"DynamoDB does not write its changes to the Kinesis stream (destination: {status})", where=where,
            remedy="twinrow check --fix turns it on", commands=("twinrow check --fix",), by_fix=True,
        )  # fmt: skip

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """The shards and their positions: what is written from now on is in what is followed."""
        from twinrow.kinds.kinesis.follow_hints import enter

        if description.streaming is not None:
            enter(context, description.streaming)

    def source(self, needs: SourceNeeds) -> Source:
        """The stream, from its durable positions on."""
        from twinrow.kinds.kinesis.follow_hints import FollowHints

        return FollowHints(needs)

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """The destination and the stream."""
        streaming = description.streaming
        if streaming is None:
            return "not known"
        said = [
            f"destination {streaming.status}", f"{streaming.shards} shards",
            f"retention {streaming.retention_s / 3600:g} h",
        ]  # fmt: skip
        said += [f"times in {streaming.precision.lower()}s"] if streaming.precision else []
        said += ["records of a key over all shards"] if streaming.scatters else []
        return ", ".join(said)

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:
        """Records that DynamoDB leaves out, and that nothing but a pass over the table finds their changes."""
        streaming = description.streaming
        return () if streaming is None else (*_sizes(settings, streaming), *_pace(settings))

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """Let DynamoDB write the changes to the stream."""
        from twinrow.kinds.kinesis.streaming import IS_STARTING, STREAM_ABSENT, UNKNOWN

        status = description.streaming.status if description.streaming is not None else ""
        if status in ("ACTIVE", "UPDATING", UNKNOWN, STREAM_ABSENT):
            return None
        update = None if status in IS_STARTING else {"StreamArn": _stream(settings).arn}
        return TableChange(
            f"let DynamoDB write its changes to {_stream(settings).arn}",
            "Each change costs a change data capture unit for each KB of the item, and what the stream takes. "
            "The table stays in use.",
            update,
            "the Kinesis destination",
            lambda now: now.streaming is not None and now.streaming.status == "ACTIVE",
            makes="destination",
            name=_stream(settings).arn,
            operation="enable_kinesis_streaming_destination",
        )

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:
        """To ask for the destination, and to read the stream."""
        return (Right((DESTINATION,), arn), Right(READS, _stream(settings).arn))

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:
        """Read from a shard of the stream, as a sync will."""
        from twinrow.kinds.kinesis.streaming import destination

        stream = _stream(settings)
        kinesis = _door(stream, dynamodb)

        def read_some() -> None:
            listed, _ = kinesis.shards(stream.arn, None)
            for shard in listed[:1]:
                name = str(shard["ShardId"])
                kinesis.records(kinesis.iterator(stream.arn, name, "LATEST", None, None), stream.arn, name)

        return (
            Try(DESTINATION, lambda: destination(dynamodb, description.name, stream.arn)),
            Try(READS[0], lambda: kinesis.summary(stream.arn)),
            Try(", ".join(READS[1:]), read_some),
        )  # fmt: skip

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:  # noqa: ARG002
        """A consistent read for each change at most: those of a key that come together are read once."""
        size = description.bytes / description.items if description.items else 0.0
        return changes * max(1.0, size / 4096)

    def suits(self, description: TableDescription) -> int:  # noqa: ARG002 - of the protocol
        """Only by choice: a stream has to be made and paid for."""
        return UNFIT

    def template(self, description: TableDescription) -> ConfigLines:
        """The stream, to be named."""
        parts = description.arn.split(":")
        place = ":".join(parts[3:5]) if len(parts) > 4 else "us-east-1:123456789012"
        return ConfigLines(
            "            # which keys changed, from a Kinesis stream",
            part=("[tables.kinesis]", f'stream_arn = "arn:aws:kinesis:{place}:stream/{description.name}"'),
        )


def _stream(settings: Settings) -> KinesisStream:
    if settings.kinesis is None:
        raise StartRefused("has no [tables.kinesis]", where=f"table {settings.table}", remedy="set its `stream_arn`")
    return settings.kinesis


def _door(stream: KinesisStream, dynamodb: DynamoDB) -> Kinesis:
    from twinrow.kinesis import Kinesis

    return Kinesis(stream.region, stream.endpoint_url, dynamodb.access)


def _sizes(settings: Settings, streaming: Streaming) -> tuple[Remark, ...]:
    size = streaming.record_kib_max
    if size is None or size >= RECORD_KIB_WANTED:
        return ()
    text = f"it takes records of {size} KiB: changes of items from some {size // 30} KB on may be left out, silently"
    remedy = f"aws kinesis update-max-record-size --stream-arn {_stream(settings).arn} --max-record-size-in-ki-b 10240"
    return (Remark("Kinesis record size", text, remedy),)


def _pace(settings: Settings) -> tuple[Remark, ...]:
    if settings.reconcile_s is not None:
        return ()
    text = "only a pass over the table finds a change that DynamoDB leaves out of the stream: reconcile_every is off"
    return (Remark("passes", text, 'reconcile_every = "1d"'),)


KIND: Final = KinesisKind()
