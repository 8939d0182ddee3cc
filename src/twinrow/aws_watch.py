"""The door of the scheduled run in AWS Lambda: CloudWatch, and the event source mappings of Lambda.

Nothing else imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import botocore.exceptions
from botocore.config import Config as BotoConfig

from twinrow.dynamodb import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, DynamoDB
from twinrow.dynamodb_access import session_of
from twinrow.errors import TwinrowError
from twinrow.table_description import name_in_dynamodb

PERIOD_S = 3600
MAPPING_PAGES_MAX: Final = 10
"""A page has up to 100 mappings; a function with more than these is not asked to the end."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """An event source mapping: its UUID, its State, and the ARN of its stream."""

    id: str
    state: str
    source_arn: str


def units_written(dynamodb: DynamoDB, table: str, from_at: float, to_at: float) -> float:
    """The write units that a table consumed between two epoch seconds, as CloudWatch has counted them.

    Raises TwinrowError when that is not known: no rights, no network, or a DynamoDB Local.
    """
    if dynamodb.endpoint_url is not None:
        raise TwinrowError("there is no CloudWatch beside another endpoint", where=f"table {table}")
    try:
        answer = _client("cloudwatch", dynamodb, None) .get_metric_statistics(
            Namespace="AWS/DynamoDB", MetricName="ConsumedWriteCapacityUnits", Statistics=["Sum"], Period=PERIOD_S,
            Dimensions=[{"Name": "TableName", "Value": name_in_dynamodb(table)}], StartTime=from_at, EndTime=to_at,
        )  # fmt: skip
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise TwinrowError(
            f"CloudWatch cannot be asked: {error}",
            where=f"table {table}",
            remedy="grant cloudwatch:GetMetricStatistics",
        ) from error
    return float(sum(point.get("Sum", 0.0) for point in answer.get("Datapoints", ())))


def mappings(dynamodb: DynamoDB, function: str, endpoint_url: str | None = None) -> list[Mapping]:
    """The event source mappings of a function (its name or ARN), in the Region and account of the table.

    Raises TwinrowError when they are not known: no rights, no network, no such function.
    """
    found: list[Mapping] = []
    try:
        client = _client("lambda", dynamodb, endpoint_url)
        asked: dict[str, Any] = {"FunctionName": function}
        for _ in range(MAPPING_PAGES_MAX):
            answer = client.list_event_source_mappings(**asked)
            found += [
                Mapping(str(each.get("UUID", "")), str(each.get("State", "")), str(each.get("EventSourceArn", "")))
                for each in answer.get("EventSourceMappings", ())
            ]
            if not answer.get("NextMarker"):
                return found
            asked["Marker"] = answer["NextMarker"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise TwinrowError(
            f"Lambda cannot be asked for the mappings of {function}: {error}",
            remedy="grant lambda:ListEventSourceMappings, or do not set TWINROW_HANDLER",
        ) from error
    raise TwinrowError(f"function {function} has more than {MAPPING_PAGES_MAX * 100:,} mappings")


def _client(service: str, dynamodb: DynamoDB, endpoint_url: str | None) -> Any:
    config = BotoConfig(
        connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 2}
    )
    return session_of(dynamodb.access, dynamodb.region).create_client(
        service, region_name=dynamodb.region, endpoint_url=endpoint_url, config=config
    )
