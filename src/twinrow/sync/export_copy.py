"""A first copy from a full export: it is asked for once, loaded beside the stream, and asked for anew where it fails.

The stream's positions are durable before the job is made, and the job before the request goes out. The export's moment
is later than what the stream is followed from, so every change is in the export, in the stream, or in both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from twinrow.capture.export_pages import ExportPages, WantedExport
from twinrow.capture.pages import Page, Pages, PageSource
from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient
from twinrow.exports import job as jobs
from twinrow.exports.damaged import DamagedExport
from twinrow.exports.job import AskFor, ExportJob, GiveUp
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.state import checkpoint, gap, since_gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync import adopted_export, doubtful_files, export_asking
from twinrow.sync.snapshot import PART, ReadBy
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.table_description import TableDescription
from twinrow.write.load import Loader, ReadPage

JOB: Final = "export:first-copy"
"""The checkpoint that keeps the job; its `info` is the number of segments of later passes."""
EXPORTED: Final = "EXPORTED"
"""The cause of the gap between an export and the end of its loading, where the capture tells no deletes."""


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
    adopted = adopted_export.known(context.tenure.open_writer(), context.name)
    if adopted is not None:
        adopted_export.begin(context, adopted)
    else:
        if context.settings.fills_behind_copy:
            with context.tenure.transaction() as tx:
                since_gap.clear(tx, context.name)
        _begin_job(context, plan)
    return PlannedExport(plan)


def of_copy(context: TableContext, description: TableDescription, plan: str) -> ExportPages:
    """The pages of the export; it is asked for now where that has not been done, or where the last export failed.

    Raises Transient where DynamoDB does not take the request now, StartRefused where it never will.
    """
    adopted = adopted_export.known(context.tenure.open_writer(), context.name)
    if adopted is not None:
        return adopted_export.pages(context, description, adopted, plan)
    if context.settings.fills_behind_copy:
        context.state.note_hole()
    export = export_asking.settings_of(context.table)
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
        job = export_asking.ask(context.table, description, job, 0)
        _save(context, job, plan)
    wanted = WantedExport(
        job.exports[0].arn, description.arn, description.table_id, export.bucket, float(job.exports[0].to_at)
    )
    return ExportPages(context.table.dynamodb, export_asking.s3_of(context.table, export), wanted, plan)


def note_hole(tx: Connection, table: Table) -> None:
    """The copy is through: what was deleted since the export's moment is still there, and a window of changes tells it.

    Keys that the capture has written since the copy began are noted; their truth is read.
    """
    kept = checkpoint.load(tx, table.name, JOB).get(JOB)
    if kept is None or not kept.position:
        return
    at = jobs.from_json(kept.position).exports[0].to_at
    now = table.dynamodb.clock.now()
    gap.record(tx, table.name, EXPORTED, at=tx.now(), from_at=at, to_at=now, lost_from=at)


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
    """Rows made of files that are not proved are read again consistently, and another export is asked for."""
    doubtful_files.recheck_written(context, source, PART)
    kept = checkpoint.load(context.tenure.open_writer(), context.name, JOB).get(JOB)
    if kept is None:
        return  # an export that was imported: nobody asks for another
    job = jobs.failed(jobs.from_json(kept.position or ""), 0, str(damage), context.table.dynamodb.clock.now())
    with context.tenure.transaction() as tx:
        checkpoint.save(tx, context.name, {JOB: Checkpoint(jobs.to_json(job), info=kept.info)})
        checkpoint.forget(tx, context.name, f"{PART}export/")


def _begin_job(context: TableContext, plan: str) -> ExportJob:
    """A new job, durable. The positions of the capture are durable already, so its moment is later than they are."""
    earliest = math.ceil(export_asking.earliest_of(context.table))
    job = jobs.full_job(
        export_asking.new_token(), max(jobs.full_export_at(context.table.dynamodb.clock.now()), earliest)
    )
    _save(context, job, plan)
    fail_point("before-export-asked")
    return job


def _has_failed(context: TableContext, arn: str) -> bool:
    """Whether an export that was asked for by an earlier run has failed meanwhile: that run has said why."""
    answer = context.table.dynamodb.call("describe_export", where=f"export {arn}", ExportArn=arn)
    return bool(answer["ExportDescription"]["ExportStatus"] == "FAILED")


def _save(context: TableContext, job: ExportJob, plan: str) -> None:
    with context.tenure.transaction() as tx:
        checkpoint.save(tx, context.name, {JOB: Checkpoint(jobs.to_json(job), info=plan)})
