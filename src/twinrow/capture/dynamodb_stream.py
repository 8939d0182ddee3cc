"""A DynamoDB stream as a log of changes."""

from __future__ import annotations

from typing import Any, Protocol

from twinrow.capture import stream_record
from twinrow.capture.shard_log import (
    DYNAMODB_LOCAL_STREAM,
    DYNAMODB_STREAM,
    LogFacts,
    LogPage,
    Shard,
    ShardsPage,
    Start,
)
from twinrow.capture.stream_record import StreamRecord
from twinrow.dynamodb_wire import RecordsPage, StreamPage

LOCAL_REGION = "ddblocal"
LOCAL_ACCOUNT = "000000000000"
ARN_REGION, ARN_ACCOUNT = 3, 4
"""Their places in an ARN: arn:partition:service:region:account:resource (AWS General Reference)."""


class StreamDoor(Protocol):
    """The calls of `DynamoDB` that are needed; they raise the same errors."""

    def describe_stream(self, arn: str, after_shard: str | None = None) -> StreamPage: ...

    def shard_iterator(self, arn: str, shard: str, kind: str, sequence: str | None = None) -> str: ...

    def records(self, iterator: str, where: str = "") -> RecordsPage: ...


class DynamoDBStream:
    """The stream of that ARN."""

    def __init__(self, door: StreamDoor, arn: str) -> None:
        self._door = door
        self.name = arn
        self.facts: LogFacts = DYNAMODB_LOCAL_STREAM if is_local(arn) else DYNAMODB_STREAM

    def shards(self, after: str | None) -> ShardsPage:
        """A page of DescribeStream."""
        page = self._door.describe_stream(self.name, after)
        return ShardsPage(page.status, tuple(map(_shard, page.shards)), page.last_shard)

    def iterator(self, shard: str, start: Start) -> str:
        """An iterator, valid for 15 minutes."""
        return self._door.shard_iterator(self.name, shard, start.kind, start.sequence)

    def records(self, iterator: str, shard: str) -> LogPage[StreamRecord]:
        """Up to 1,000 records or 1 MB."""
        page = self._door.records(iterator, f"shard {shard}")
        records = stream_record.read(page.raw)
        # a record in doubt may have no number: a restart reads from the record before it
        position = next((record.sequence for record in reversed(records) if record.sequence), None)
        return LogPage(records, page.next_iterator, position, empty=not records)


def is_local(arn: str) -> bool:
    """Whether an ARN that DynamoDB gave is DynamoDB Local's: its Region is `ddblocal`, or its account has zeros only.

    The address decides nothing: a proxy on this machine may lead to AWS. (ARNs as DynamoDB Local 3.3 gives them.)
    """
    parts = arn.split(":")
    return len(parts) > ARN_ACCOUNT and (parts[ARN_REGION] == LOCAL_REGION or parts[ARN_ACCOUNT] == LOCAL_ACCOUNT)


def _shard(listed: dict[str, Any]) -> Shard:
    span = listed.get("SequenceNumberRange")
    span = span if isinstance(span, dict) else {}
    parent = listed.get("ParentShardId")
    return Shard(
        str(listed["ShardId"]),
        () if parent is None else (str(parent),),
        str(span.get("StartingSequenceNumber", "")),
        span.get("EndingSequenceNumber"),
    )
