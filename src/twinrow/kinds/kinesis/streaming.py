"""How a table's changes come into its Kinesis stream: the destination in DynamoDB, and the stream itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from twinrow.capture.shard_reader import NOT_FOUND
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.kinesis import Kinesis
from twinrow.table.settings import KinesisStream
from twinrow.table_description import Streaming, TableDescription

ABSENT: Final = "ABSENT"
STREAM_ABSENT: Final = "STREAM_ABSENT"
UNKNOWN: Final = "UNKNOWN"
IS_OFF: Final = frozenset({"DISABLING", "DISABLED", "ENABLE_FAILED", ABSENT, STREAM_ABSENT})
"""Changes do not come, or will not for long."""
IS_STARTING: Final = frozenset({"ENABLING"})
"""Changes come from a moment on that DynamoDB chooses and does not say (AWS API reference, DestinationStatus)."""
UNKNOWN_OPERATION: Final = "UnknownOperationException"
"""The answer of DynamoDB Local, which has no such destinations."""


def described(dynamodb: DynamoDB, kinesis: Kinesis, table: str, stream: KinesisStream) -> TableDescription:
    """DescribeTable, with what DynamoDB says of the destination, and Kinesis of the stream."""
    description = dynamodb.describe(table)
    status, precision = destination(dynamodb, table, stream.arn)
    try:
        summary = kinesis.summary(stream.arn)
    except DynamoDBError as error:
        if error.code != NOT_FOUND:
            raise
        return replace(description, streaming=Streaming(stream.arn, STREAM_ABSENT))
    return replace(
        description,
        streaming=Streaming(
            f"{stream.arn}@{summary.created_at:.3f}", status, precision, summary.retention_s, summary.record_kib_max,
            summary.shards, summary.scatters,
        ),
    )  # fmt: skip


def destination(dynamodb: DynamoDB, table: str, arn: str) -> tuple[str, str]:
    """Status and precision of the destination with that ARN."""
    try:
        answer = dynamodb.call("describe_kinesis_streaming_destination", where=f"table {table}", TableName=table)
    except DynamoDBError as error:
        if error.code == UNKNOWN_OPERATION:
            return UNKNOWN, ""
        raise
    for found in answer.get("KinesisDataStreamDestinations", ()):
        if found.get("StreamArn") == arn:
            precision = found.get("ApproximateCreationDateTimePrecision", "")
            return str(found.get("DestinationStatus", ABSENT)), str(precision)
    return ABSENT, ""
