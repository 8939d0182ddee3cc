"""The only door to CloudWatch: whether a table was written. Imported by the scheduled run in AWS Lambda alone."""

from __future__ import annotations

import botocore.exceptions
from botocore.config import Config as BotoConfig

from twinrow.dynamodb import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, DynamoDB
from twinrow.dynamodb_access import session_of
from twinrow.errors import TwinrowError
from twinrow.table_description import name_in_dynamodb

PERIOD_S = 3600


def units_written(dynamodb: DynamoDB, table: str, from_at: float, to_at: float) -> float:
    """The write units that a table consumed between two epoch seconds, as CloudWatch has counted them.

    Raises TwinrowError when that is not known: no rights, no network, or a DynamoDB Local.
    """
    if dynamodb.endpoint_url is not None:
        raise TwinrowError("there is no CloudWatch beside another endpoint", where=f"table {table}")
    config = BotoConfig(
        connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 2}
    )
    try:
        client = session_of(dynamodb.access, dynamodb.region).create_client(
            "cloudwatch", region_name=dynamodb.region, config=config
        )
        answer = client.get_metric_statistics(
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
