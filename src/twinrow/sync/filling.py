"""A gap of a stream is filled by incremental exports over the missing window; a reconcile mends what they cannot.

Every step is durable before its effect. The stream goes on meanwhile: keys that it writes since the gap was noticed are
its own (`state.since_gap`). A gap that is noticed meanwhile drops the plan, and windows are planned anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from twinrow import clock
from twinrow.capture.export_pages import ExportPages, WantedExport
from twinrow.capture.pages import Page
from twinrow.capture.read_ahead import ReadAhead
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import StartRefused, Transient
from twinrow.exports import fill as fills
from twinrow.exports import job as jobs
from twinrow.exports import price, windows
from twinrow.exports.damaged import DamagedExport, UnfitExport
from twinrow.exports.fill import Fill
from twinrow.exports.job import AskFor, GiveUp, LookAt, Read
from twinrow.exports.lines import ExportedChange, changes_of
from twinrow.failpoint import fail_point
from twinrow.s3 import S3Error
from twinrow.state import checkpoint, dead_letter, gap, recheck, since_gap
from twinrow.state.checkpoint import FILL, FILL_FILES, FILL_JOB, Checkpoint
from twinrow.state.gap import Gap
from twinrow.state.settling import Settling
from twinrow.sync import doubtful_files, export_asking, page_source, written_rows
from twinrow.sync.adopted_export import IMPORTED
from twinrow.sync.apply_window import apply_window
from twinrow.sync.export_copy import EXPORTED
from twinrow.sync.reconcile import RECHECKS_WAITING_MAX
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.write.batch import Applied

CAUSE: Final = "gap"
FILLABLE: Final = frozenset({"TRIMMED", "SHARD_LOST", "NOT_READ", "STREAM_RECREATED", "STREAM_DISABLED"})
"""Causes of gaps of a stream itself; all others may concern rows of any age."""
BEHIND_A_COPY: Final = frozenset({IMPORTED, EXPORTED})
"""Causes of the hole behind an export that a first copy was made from."""
LOOK_EVERY_S: Final = 1.0
PAGE_BYTES: Final = 200_000
"""The lines of a page are compared with their rows under the table's lock, some thousand a second."""
MYSQL_CLOCK_S: Final = 900.0
"""Rows count as written so much later than MySQL's clock says: it may have been set meanwhile."""


def _seen(dynamodb: DynamoDB, change: ExportedChange) -> ExportedChange:
    """The change as everything behind the door to DynamoDB sees it: see `protect.door`."""
    old, new = (None if image is None else dynamodb.seen_key(image) for image in (change.old, change.new))
    return replace(change, key=dynamodb.seen_key(change.key), old=old, new=new)


class Filling:
    """The filling of a table's gaps; `step` does a piece of it. `trouble` says why it waits, when it does."""

    def __init__(self, context: TableContext, description: TableDescription) -> None:
        self.trouble = ""
        self._context = context
        self._description = description
        self._looked_at: float | None = None
        self._began_at = clock.monotonic()
        self._fill: Fill | None = None
        self._number = 0
        self._source: ExportPages | None = None
        self._pages: ReadAhead[tuple[Page, list[ExportedChange]]] | None = None
        self._settling: Settling | None = None

    def step(self, *, looks: bool = True) -> tuple[bool, Applied | None]:
        """Do what is due; whether there was any, and what was applied. Raises DamagedExport for a file of an export.

        `looks`: MySQL may know of a gap.
        """
        if self._pages is not None:
            return self._read_some(self._pages)
        if not looks and self._fill is None and self._looked_at is not None:
            return False, None
        if self._looked_at is not None and clock.monotonic() - self._looked_at < LOOK_EVERY_S:
            return False, None
        self._looked_at = clock.monotonic()
        found = gap.open_gaps(self._context.tenure.open_writer(), self._context.name)
        if not found:
            self._nothing_is_open()
        elif self._is_for_exports(found):
            try:
                return self._advance(found), None
            except Transient as trouble:
                self.trouble = str(trouble)
            except DynamoDBError as error:  # a right is missing, or the export is gone
                self._leave_to_reconcile(found, str(error))
        return False, None

    def close(self) -> None:
        """Stop reading; what was read and not applied is read again."""
        if self._pages is not None:
            self._pages.close()
        self._pages = self._source = None

    def _nothing_is_open(self) -> None:
        self.trouble, self._fill = "", None
        if self._context.state.may_have_gap:
            with self._context.tenure.transaction() as tx:
                checkpoint.forget(tx, self._context.name, FILL)
            self._nothing_to_note()

    def _nothing_to_note(self) -> None:
        """No gap waits for exports: keys that are written need not be noted until the next gap is noticed."""
        if self._context.state.may_have_gap:
            left = True
            while left:
                with self._context.tenure.transaction() as tx:
                    left = since_gap.clear_some(tx, self._context.name)
            self._context.state.note_gap(is_open=False)

    def _is_for_exports(self, found: Sequence[Gap]) -> bool:
        """Whether exports fill all of these. A reconcile that is needed for any of them mends all."""
        if all(each.mended_by == gap.RECONCILE for each in found):
            self._nothing_to_note()
            return False
        why = next((each.why or "" for each in found if each.mended_by == gap.RECONCILE), None)
        if any(each.cause in BEHIND_A_COPY for each in found):
            if len(found) > 1:
                why = "changes were missed before the hole behind the export of the first copy was filled"
            elif found[0].lost_from is None:
                why = "the imported export is of a moment between two seconds, at which no window can begin"
        for each in found:
            if each.cause not in FILLABLE | BEHIND_A_COPY:
                why = f"a gap of the cause {each.cause} is no gap of the stream"
            elif each.lost_from is None:
                why = why or "it is not known from when on changes were missed"
        if why is not None:
            self._leave_to_reconcile(found, why)
        return why is None

    def _leave_to_reconcile(self, found: Sequence[Gap], why: str) -> None:
        """The whole-table pass mends these gaps, for this reason."""
        with self._context.tenure.transaction() as tx:
            gap.decide(tx, self._context.name, found, gap.RECONCILE, why)
            checkpoint.forget(tx, self._context.name, FILL)
        self._nothing_to_note()
        self.trouble, self._fill = "", None

    def _advance(self, found: Sequence[Gap]) -> bool:
        context = self._context
        known = checkpoint.load(context.tenure.open_writer(), context.name, FILL_JOB).get(FILL_JOB)
        if known is None or known.position is None:
            return self._plan(found)
        fill = self._fill = fills.from_json(known.position)
        if fill.walked_to is not None and self._may_add_rechecks():
            self._walk(fill, fill.walked_to)
            return True
        step = jobs.next_step(fill.job, context.table.dynamodb.clock.now())
        self.trouble = f"a gap is filled by exports: {fills.progress_of(fill).state}"
        if isinstance(step, AskFor):
            job = export_asking.ask(context.table, self._description, fill.job, step.number)
            self._save(msgspec.structs.replace(fill, job=job))
        elif isinstance(step, LookAt):
            self._look_at(fill, step.number)
        elif isinstance(step, Read):
            self._open(fill, step.number)
        elif isinstance(step, GiveUp):
            self._leave_to_reconcile(found, step.why)
        elif isinstance(step, jobs.Done):
            return self._end(fill)
        else:
            return False
        return True

    def _plan(self, found: Sequence[Gap]) -> bool:
        """Plan the windows, or find out why a reconcile has to do it."""
        if any(each.to_at is None for each in found):
            return False  # the stream is off: when it is on again, the end of the gap is known
        context = self._context
        lost_from, to_at = min(each.lost_from or 0.0 for each in found), max(each.to_at or 0.0 for each in found)
        is_behind = found[0].cause in BEHIND_A_COPY
        plan = windows.plan_after_export(int(lost_from), to_at) if is_behind else fills.window_plan(lost_from, to_at)
        expected = self._changes_a_second() * self._item_bytes() * (plan.to_at - plan.from_at)
        why = self._why_no_exports(plan, expected, must=is_behind)
        if why:
            self._leave_to_reconcile(found, why)
            return True
        writer = context.tenure.open_writer()
        recheck_since = plan.recheck_since or 0.0
        ahead_s = writer.now() - context.table.dynamodb.clock.now()
        fill = Fill(
            jobs.windows_job(export_asking.new_token(), plan.windows), max(each.id for each in found),
            recheck_since, recheck_since + ahead_s - MYSQL_CLOCK_S, price.windows_dollars(expected, len(plan.windows)),
            walked_to=None if plan.recheck_since is None else 0,
        )  # fmt: skip
        with context.tenure.transaction() as tx:
            gap.decide(tx, context.name, found, gap.EXPORT)
            checkpoint.save(tx, context.name, {FILL_JOB: Checkpoint(fills.to_json(fill))})
            recheck.add(tx, context.name, dead_letter.keys(tx, context.name), CAUSE)
        self._settling = None
        return True

    def _why_no_exports(self, plan: windows.WindowPlan, expected: float, *, must: bool) -> str:
        table = self._context.table
        try:
            why = windows.why_not_covered(plan, export_asking.earliest_of(table))
        except (StartRefused, DynamoDBError) as error:
            return error.what
        if why or must or export_asking.settings_of(table).gap_fill == "export":
            return why
        return fills.why_a_pass_is_cheaper(self._description.bytes, expected, len(plan.windows))

    def _changes_a_second(self) -> float:
        """As this process has met them; 0 where it has only begun."""
        applied = sum(self._context.counters.now().applied.values())
        return applied / max(clock.monotonic() - self._began_at, 60.0)

    def _item_bytes(self) -> float:
        return self._description.bytes / self._description.items if self._description.items else 0.0

    def _may_add_rechecks(self) -> bool:
        writer = self._context.tenure.open_writer()
        return recheck.count(writer, self._context.name) <= RECHECKS_WAITING_MAX

    def _walk(self, fill: Fill, after: int) -> None:
        """Rows written since a margin before the loss are read again: an item deleted in it may have no line."""
        context = self._context
        if not after:
            reborn = since_gap.reborn_since(context.tenure.open_writer(), context.name, fill.recheck_since)
            written_rows.recheck_keys(context.tenure.open_writer(), context, reborn, CAUSE)
        last = written_rows.recheck_some(context.tenure.open_writer(), context, after, fill.rows_since, CAUSE)
        fail_point("before-fill-saved")
        self._save(msgspec.structs.replace(fill, walked_to=last))

    def _look_at(self, fill: Fill, number: int) -> None:
        dynamodb, arn = self._context.table.dynamodb, fill.job.exports[number].arn
        answer = dynamodb.call("describe_export", where=f"export {arn}", ExportArn=arn)["ExportDescription"]
        self._save(fills.billed(fill, jobs.described(fill.job, number, answer, dynamodb.clock.now()), answer))

    def _open(self, fill: Fill, number: int) -> None:
        """Begin to read the files of a window, from where the durable positions are."""
        context, asked = self._context, fill.job.exports[number]
        export = export_asking.settings_of(context.table)
        description, dynamodb = self._description, context.table.dynamodb
        keys = [key.name for key in context.live.keys]
        wanted = WantedExport(
            asked.arn, description.arn, description.table_id, export.bucket, float(asked.to_at), asked.from_at
        )
        source = ExportPages(context.table.dynamodb, export_asking.s3_of(context.table, export), wanted, "", PAGE_BYTES)
        known = checkpoint.load(context.tenure.open_writer(), context.name, FILL_FILES)
        positions = page_source.positions(known, FILL_FILES, source.parts)
        self._source, self._number = source, number
        self._pages = ReadAhead(
            source,
            positions,
            context.table.stop,
            lambda page: (page, [_seen(dynamodb, change) for change in changes_of(page.raw, keys, asked.arn)]),
        )

    def _read_some(self, pages: ReadAhead[tuple[Page, list[ExportedChange]]]) -> tuple[bool, Applied | None]:
        context = self._context
        known = checkpoint.load(context.tenure.open_writer(), context.name, FILL_JOB).get(FILL_JOB)
        if known is None or known.position is None or fills.from_json(known.position) != self._fill:
            self.close()  # a gap was noticed since: windows are planned anew
            return True, None
        if not self._may_add_rechecks():
            return False, None
        try:
            taken = pages.take(0.0)
        except DamagedExport as damage:
            self._note_damage(damage)
            raise
        except (S3Error, UnfitExport) as error:
            self.close()
            self._leave_to_reconcile(gap.open_gaps(context.tenure.open_writer(), context.name), str(error))
            return True, None
        if pages.trouble:
            self.trouble = pages.trouble
        if taken is None:
            if pages.done:
                self._is_read()
            return pages.done, None
        page, changes = taken
        fail_point("before-window-page")
        applied = apply_window(context, changes, page_source.checkpoints(FILL_FILES, [page]), f"export {page.part}")
        if pages.done:
            self._is_read()
        return True, applied

    def _is_read(self) -> None:
        """Every file of the window is applied."""
        fill, context = self._fill, self._context
        self.close()
        if fill is None:
            return
        self._fill = msgspec.structs.replace(fill, job=jobs.read(fill.job, self._number))
        fail_point("before-fill-saved")
        with context.tenure.transaction() as tx:
            checkpoint.save(tx, context.name, {FILL_JOB: Checkpoint(fills.to_json(self._fill))})
            checkpoint.forget(tx, context.name, FILL_FILES)
        self._looked_at = None

    def _save(self, fill: Fill) -> None:
        with self._context.tenure.transaction() as tx:
            checkpoint.save(tx, self._context.name, {FILL_JOB: Checkpoint(fills.to_json(fill))})
        self._looked_at = None

    def _note_damage(self, damage: DamagedExport) -> None:
        """Keys of files that are not proved are read consistently, and another export of the window is asked for."""
        fill, source, context = self._fill, self._source, self._context
        self.close()
        if fill is None or source is None:
            return
        doubtful_files.recheck_written(context, source, FILL_FILES)
        job = jobs.failed(fill.job, self._number, str(damage), context.table.dynamodb.clock.now())
        with context.tenure.transaction() as tx:
            checkpoint.save(
                tx, context.name, {FILL_JOB: Checkpoint(fills.to_json(msgspec.structs.replace(fill, job=job)))}
            )
            checkpoint.forget(tx, context.name, FILL_FILES)

    def _end(self, fill: Fill) -> bool:
        """Every window is applied: the gaps are mended once the keys that are in doubt by now are worked off."""
        context = self._context
        if self._settling is None:
            self._settling = Settling(lambda limit: recheck.waiting(context.tenure.open_writer(), context.name, limit))
        if fill.walked_to is not None or not self._settling.through():
            return False
        fail_point("before-gap-closed")
        with context.tenure.transaction() as tx:
            gap.close(tx, context.name, fill.gaps_up_to, tx.now())
            checkpoint.forget(tx, context.name, FILL)
        self._settling, self._fill, self.trouble = None, None, ""
        return True
