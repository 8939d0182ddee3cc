"""Stream capture: every change, from the table's stream, in the order of each item's writes.

In: the shards and their durable positions. Out: batches of changes with the positions they reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture.shard_log import RETENTION_S
from twinrow.capture_kind import POSSIBLE, ConfigLines, Remark, Right, TableChange, Traits, Try
from twinrow.errors import StartRefused

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.sync.kind import Source, SourceNeeds
    from twinrow.table.context import TableContext
    from twinrow.table.settings import Settings
    from twinrow.table_description import TableDescription

STREAM_VIEW = "NEW_AND_OLD_IMAGES"
READS = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")


class Stream:
    """The kind `stream`."""

    traits: Final = Traits(
        label="stream", origin="STREAM", tells_every_change=True, tells_deletes=True, consistent_scan=True,
        retention_s=RETENTION_S, unpriced="reading the stream is priced by the call, and not in it",
    )  # fmt: skip

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable says all."""
        return dynamodb.describe(settings.table)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused where the stream is off."""
        if description.stream_arn is None:
            raise StartRefused(
                "has no stream",
                where=f"table {settings.table}",
                remedy="twinrow check --fix turns it on",
                commands=("twinrow check --fix",),
                by_fix=True,
            )

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """The shards and their positions: what is written from now on is in what is followed."""
        from twinrow.kinds.stream.follow import enter_stream

        if description.stream_arn is not None:
            enter_stream(context, description.stream_arn)

    def source(self, needs: SourceNeeds) -> Source:
        """The shards, from their durable positions on."""
        from twinrow.kinds.stream.follow import Follow

        return Follow(needs.context, needs.description)

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """The stream's view."""
        return f"on, {description.stream_view}"

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:  # noqa: ARG002 - as above
        """A view without the new image."""
        if description.stream_view in (None, STREAM_VIEW):
            return ()
        text = f"{description.stream_view}: each change costs one read more"
        return (Remark("stream view", text, f"a stream with {STREAM_VIEW}"),)

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:  # noqa: ARG002 - as above
        """Turn the stream on, with both images."""
        if description.stream_arn is not None:
            return None
        return TableChange(
            f"turn the stream on ({STREAM_VIEW})",
            "The stream itself costs nothing, reading it one stream read unit a GetRecords call. "
            "The table stays in use.",
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW}},
            "the stream",
            lambda now: bool(now.stream_arn),
            makes="stream",
        )

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:  # noqa: ARG002 - of the protocol
        """To read the stream, which has another name each time it is turned on."""
        return (Right(READS, f"{arn}/stream/*"),)

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:  # noqa: ARG002
        """Read from a stream's first shard, as a sync will."""
        arn = description.stream_arn
        if arn is None:
            return ()

        def read_some() -> None:
            for shard in dynamodb.describe_stream(arn).shards[:1]:
                dynamodb.records(dynamodb.shard_iterator(arn, str(shard["ShardId"]), "TRIM_HORIZON"))

        return (
            Try("dynamodb:DescribeStream", lambda: dynamodb.describe_stream(arn)),
            Try("dynamodb:GetShardIterator, dynamodb:GetRecords", read_some),
        )

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:  # noqa: ARG002
        """Reading a stream takes none of the table's capacity."""
        return 0.0

    def suits(self, description: TableDescription) -> int:  # noqa: ARG002 - of the protocol
        """Any table."""
        return POSSIBLE

    def template(self, description: TableDescription) -> ConfigLines:  # noqa: ARG002 - of the protocol
        """Nothing to be set."""
        return ConfigLines("             # every change, from the table's stream")


KIND: Final = Stream()
