"""A first copy from a full export: it is asked for once, loaded beside the stream, and asked for anew where it fails.

The stream's positions are durable before the job is made, and the job before the request goes out. The export's moment
is later than what the stream is followed from, so every change is in the export, in the stream, or in both.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from twinrow.capture.export_pages import ExportPages, WantedExport
from twinrow.capture.pages import Page, Pages, PageSource
from twinrow.clock import Stop
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import StartRefused, Transient
from twinrow.exports import job as jobs
from twinrow.exports.damaged import DamagedExport
from twinrow.exports.job import AskFor, ExportJob, GiveUp
from twinrow.failpoint import fail_point
from twinrow.s3 import S3
from twinrow.schema.row import fingerprint
from twinrow.state import checkpoint, recheck
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync import page_source
from twinrow.sync.snapshot import PART, ReadBy
from twinrow.table.context import TableContext
from twinrow.table.settings import ExportSettings
from twinrow.table_description import TableDescription
from twinrow.write.load import Loader, ReadPage

JOB: Final = "export:first-copy"
"""The checkpoint that keeps the job; its `info` is the number of segments of later passes."""
KEYS_A_STATEMENT: Final = 500


class PlannedExport:
    """The pages of an export that is not asked for yet: there are none."""

    def __init__(self, plan: str) -> None:
        self.plan = plan
        self.parts: Sequence[str] = ()
        self.spec = None

    def first(self, stop: Stop) -> list[Page]:  # noqa: ARG002 - of the protocol
        """Nothing is read before the export is complete; columns come with its pages."""
        return []

    def pages(self, part: str, position: str | None, stop: Stop) -> Iterator[Page]:  # noqa: ARG002 - as above
        """None."""
        return iter(())


def new(context: TableContext, plan: str) -> PageSource:
    """Make the job of a copy that begins now, durable before anything is asked for.

    `plan` is what later passes over the table go by. Raises StartRefused where point-in-time recovery is off.
    """
    _begin_job(context, plan)
    return PlannedExport(plan)


def of_copy(context: TableContext, description: TableDescription, plan: str) -> ExportPages:
    """The pages of the export; it is asked for now where that has not been done, or where the last export failed.

    Raises Transient where DynamoDB does not take the request now, StartRefused where it never will.
    """
    export = _settings(context)
    known = checkpoint.load(context.tenure.open_writer(), context.name, JOB).get(JOB)
    job = jobs.from_json(known.position) if known is not None and known.position else _begin_job(context, plan)
    if job.exports[0].arn and _has_failed(context, job.exports[0].arn):
        job = _begin_job(context, plan)  # of a later moment, which the stream is followed from before, too
    while not (asked := job.exports[0]).arn:
        step = jobs.next_step(job, context.table.dynamodb.clock.now())
        if isinstance(step, GiveUp):
            _begin_job(context, plan)  # whoever mends the reason starts again, and then another export is asked for
            raise StartRefused(step.why, where=f"table {context.name}", remedy="mend what it names, then start again")
        if not isinstance(step, AskFor):
            raise Transient(asked.trouble or "the export is not due yet", where=f"table {context.name}")
        job = _ask(context, description, job)
        _save(context, job, plan)
    wanted = WantedExport(
        job.exports[0].arn, description.arn, description.table_id, export.bucket, float(job.exports[0].to_at)
    )
    return ExportPages(context.table.dynamodb, s3_of(context, export), wanted, plan)


def guarded(context: TableContext, source: PageSource, read_by: ReadBy) -> ReadBy:
    """The same reading; where a file proves to be damaged, its keys go to recheck and the export counts as failed."""
    if not isinstance(source, ExportPages):
        return read_by

    def read(source: PageSource, positions: Mapping[str, str | None], loader: Loader, stop: Stop) -> Pages[ReadPage]:
        return _CheckedPages(context, source, read_by(source, positions, loader, stop))

    return read


class _CheckedPages:
    """Pages whose damage is noted before it is raised."""

    def __init__(self, context: TableContext, source: PageSource, pages: Pages[ReadPage]) -> None:
        self._context = context
        self._source = source
        self._pages = pages

    @property
    def done(self) -> bool:
        """Whether every part's last page was taken."""
        return self._pages.done

    @property
    def trouble(self) -> str:
        """Why it waits, when it does."""
        return self._pages.trouble

    def take(self, wait_s: float) -> ReadPage | None:
        """The next page. Raises DamagedExport once what it means is durable."""
        try:
            return self._pages.take(wait_s)
        except DamagedExport as damage:
            if isinstance(self._source, ExportPages):
                _note_damage(self._context, self._source, damage)
            raise

    def close(self) -> None:
        """Stop reading."""
        self._pages.close()


def _note_damage(context: TableContext, source: ExportPages, damage: DamagedExport) -> None:
    """Rows made of files that are not proved are read again consistently, and another export is asked for.

    The damaged file is not known by its lane here, so the files that other lanes are in are doubted with it.
    """
    writer, keys = context.tenure.open_writer(), context.live.keys
    known = checkpoint.load(writer, context.name, PART)
    names = [key.name for key in keys]
    for part, position in page_source.positions(known, PART, source.parts).items():
        found = []
        try:
            for key in source.keys_read(part, position, names, context.table.stop):
                found.append((fingerprint(keys, key), key))
                if len(found) >= KEYS_A_STATEMENT:
                    recheck.add(writer, context.name, found, recheck.NOT_UNDERSTOOD)
                    found = []
        except DamagedExport:
            context.counters.doubt(1, "a file of an export that is damaged before the last line that was copied")
        recheck.add(writer, context.name, found, recheck.NOT_UNDERSTOOD)
    kept = checkpoint.load(writer, context.name, JOB)[JOB]
    job = jobs.failed(jobs.from_json(kept.position or ""), 0, str(damage), context.table.dynamodb.clock.now())
    with context.tenure.transaction() as tx:
        checkpoint.save(tx, context.name, {JOB: Checkpoint(jobs.to_json(job), info=kept.info)})
        checkpoint.forget(tx, context.name, f"{PART}export/")


def earliest_of(context: TableContext) -> float:
    """How far point-in-time recovery reaches back (epoch seconds). Raises StartRefused where it is off."""
    answer = context.table.dynamodb.call(
        "describe_continuous_backups", where=f"table {context.name}", TableName=context.name
    )
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        name = context.settings.table.rpartition(":")[2]
        command = (
            f"aws dynamodb update-continuous-backups --table-name {name} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )
        raise StartRefused(
            "its point-in-time recovery is off, which an export needs", where=f"table {context.name}",
            remedy=f"{command}, or set first_copy = \"scan\"", commands=(command,),
        )  # fmt: skip
    return float(recovery.get("EarliestRestorableDateTime", 0.0))


def s3_of(context: TableContext, export: ExportSettings) -> S3:
    """The door to the bucket, with the table's own credentials."""
    dynamodb = context.table.dynamodb
    return S3(export.s3_region or dynamodb.region, export.s3_endpoint_url, dynamodb.access, owner=export.owner)


def _begin_job(context: TableContext, plan: str) -> ExportJob:
    """A new job, durable. The positions of the capture are durable already, so its moment is later than they are."""
    earliest = math.ceil(earliest_of(context))
    job = jobs.full_job(_token(), max(jobs.full_export_at(context.table.dynamodb.clock.now()), earliest))
    _save(context, job, plan)
    fail_point("before-export-asked")
    return job


def _ask(context: TableContext, description: TableDescription, job: ExportJob) -> ExportJob:
    """Send the request. Raises Transient where it is unknown whether it came through: it is sent again as it was."""
    export = _settings(context)
    more: dict[str, Any] = {}
    if export.prefix is not None:
        more["S3Prefix"] = export.prefix
    if export.owner is not None:
        more["S3BucketOwner"] = export.owner
    if export.kms_key is not None:
        more |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": export.kms_key}
    dynamodb = context.table.dynamodb
    try:
        answer = dynamodb.call(
            "export_table_to_point_in_time", where=f"table {context.name}", TableArn=description.arn,
            S3Bucket=export.bucket, **more, **jobs.parameters(job, 0),
        )  # fmt: skip
    except DynamoDBError as error:
        return jobs.refused(job, 0, error.code, error.what, dynamodb.clock.now())
    fail_point("after-export-asked")
    return jobs.begun(job, 0, str(answer["ExportDescription"]["ExportArn"]), dynamodb.clock.now())


def _has_failed(context: TableContext, arn: str) -> bool:
    """Whether an export that was asked for by an earlier run has failed meanwhile: that run has said why."""
    answer = context.table.dynamodb.call("describe_export", where=f"export {arn}", ExportArn=arn)
    return bool(answer["ExportDescription"]["ExportStatus"] == "FAILED")


def _save(context: TableContext, job: ExportJob, plan: str) -> None:
    with context.tenure.transaction() as tx:
        checkpoint.save(tx, context.name, {JOB: Checkpoint(jobs.to_json(job), info=plan)})


def _token() -> str:
    return f"twinrow-{uuid.uuid4().hex}"


def _settings(context: TableContext) -> ExportSettings:
    export = context.settings.export
    if export is None:
        raise StartRefused("there is no [tables.export]", where=f"table {context.name}", remedy="name a bucket there")
    return export
