"""Exports are asked for: where their files go, how far point-in-time recovery reaches back, and the request itself."""

from __future__ import annotations

import uuid
from typing import Any

from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import StartRefused
from twinrow.exports import job as jobs
from twinrow.exports.job import ExportJob
from twinrow.failpoint import fail_point
from twinrow.s3 import S3
from twinrow.table.settings import ExportSettings
from twinrow.table.table import Table
from twinrow.table_description import TableDescription


def settings_of(table: Table) -> ExportSettings:
    """Where exports of the table go. Raises StartRefused where that is not set."""
    export = table.settings.export
    if export is None:
        raise StartRefused("there is no [tables.export]", where=f"table {table.name}", remedy="name a bucket there")
    return export


def s3_of(table: Table, export: ExportSettings) -> S3:
    """The door to the bucket, with the table's own credentials."""
    dynamodb = table.dynamodb
    return S3(export.s3_region or dynamodb.region, export.s3_endpoint_url, dynamodb.access, owner=export.owner)


def earliest_of(table: Table) -> float:
    """How far point-in-time recovery reaches back (epoch seconds). Raises StartRefused where it is off."""
    answer = table.dynamodb.call("describe_continuous_backups", where=f"table {table.name}", TableName=table.name)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        name = table.settings.table.rpartition(":")[2]
        command = (
            f"aws dynamodb update-continuous-backups --table-name {name} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )
        raise StartRefused(
            "its point-in-time recovery is off, which an export needs", where=f"table {table.name}",
            remedy=f"{command}, or set first_copy = \"scan\"", commands=(command,),
        )  # fmt: skip
    return float(recovery.get("EarliestRestorableDateTime", 0.0))


def ask(table: Table, description: TableDescription, job: ExportJob, number: int) -> ExportJob:
    """Send the request of an export of a job; the job is durable by then.

    Raises Transient where it is unknown whether it came through: it is sent again as it was.
    """
    export = settings_of(table)
    more: dict[str, Any] = {}
    if export.prefix is not None:
        more["S3Prefix"] = export.prefix
    if export.owner is not None:
        more["S3BucketOwner"] = export.owner
    if export.kms_key is not None:
        more |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": export.kms_key}
    dynamodb = table.dynamodb
    try:
        answer = dynamodb.call(
            "export_table_to_point_in_time", where=f"table {table.name}", TableArn=description.arn,
            S3Bucket=export.bucket, **more, **jobs.parameters(job, number),
        )  # fmt: skip
    except DynamoDBError as error:
        return jobs.refused(job, number, error.code, error.what, dynamodb.clock.now())
    fail_point("after-export-asked")
    return jobs.begun(job, number, str(answer["ExportDescription"]["ExportArn"]), dynamodb.clock.now())


def new_token() -> str:
    """The base of the client tokens of a job."""
    return f"twinrow-{uuid.uuid4().hex}"
