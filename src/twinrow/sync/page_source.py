"""Which source a table's pages come from, and how far its parts were read: the only place that chooses one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from twinrow.capture.pages import Page, PageSource
from twinrow.capture.scan import TableScan, segments_for
from twinrow.mysql import Connection
from twinrow.state import checkpoint
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.table_description import TableDescription

if TYPE_CHECKING:
    from twinrow.sync.snapshot import ReadBy

PLAN = "segments"


def new(context: TableContext, description: TableDescription) -> PageSource:
    """The source of a first copy that begins now; what is written from now on is in what the capture follows.

    Beside a stream the scan is consistent: records that are older than the scan are left out, so each of them must be
    in what the scan reads.
    """
    segments = segments_for(description.bytes, context.settings.segments)
    if by_export(context):
        from twinrow.sync import export_copy

        return export_copy.new(context, str(segments))
    return _scan(context, segments, consistent=context.settings.traits.consistent_scan)


def by_export(context: TableContext) -> bool:
    """Whether a first copy of the table is made from an export: asked for, or there already (`twinrow import`)."""
    export = context.settings.export
    if export is None or export.first_copy:
        return export is not None
    from twinrow.sync import adopted_export

    return adopted_export.known(context.tenure.open_writer(), context.name) is not None


def of_copy(context: TableContext, description: TableDescription) -> PageSource:
    """The source of a copy that has begun: cut as it was then, since positions are kept by part."""
    segments = _segments(context, description)
    if context.state.first_copy and by_export(context):
        from twinrow.sync import export_copy

        return export_copy.of_copy(context, description, str(segments))
    return _scan(context, segments, consistent=context.settings.traits.consistent_scan)


def of_pass(context: TableContext, *, consistent: bool) -> PageSource:
    """The source of a whole-table pass over a copy that has begun."""
    return _scan(context, int(_known_plan(context) or 1), consistent=consistent)


def guarded(context: TableContext, source: PageSource, read_by: ReadBy) -> ReadBy:
    """Who reads a first copy, with what its source wants to be done where a file of it is damaged."""
    if not by_export(context):
        return read_by
    from twinrow.sync import export_copy

    return export_copy.guarded(context, source, read_by)


def note_hole(tx: Connection, table: Table) -> None:
    """Record what a first copy by export leaves to a window of changes, in the transaction that ends the copy."""
    if table.settings.fills_behind_copy:
        from twinrow.sync import export_copy

        export_copy.note_hole(tx, table)


def look(context: TableContext, description: TableDescription) -> list[Page]:
    """Some items of every part of the table, for a look at what is there."""
    segments = segments_for(description.bytes, context.settings.segments)
    return _scan(context, segments, consistent=False).first(context.table.stop)


def _scan(context: TableContext, segments: int, *, consistent: bool) -> TableScan:
    return TableScan(
        context.table.dynamodb, context.name, segments, context.table.read_budget, consistent=consistent,
        row_filter=context.settings.row_filter,
    )  # fmt: skip


def note(tx: Connection, table: str, source: PageSource) -> None:
    """Make durable how a copy that begins now is cut."""
    checkpoint.save(tx, table, {PLAN: Checkpoint(source.plan)})


def _known_plan(context: TableContext) -> str | None:
    known = checkpoint.load(context.tenure.open_writer(), context.name, PLAN)
    return known[PLAN].position if known else None


def _segments(context: TableContext, description: TableDescription) -> int:
    """A copy that an older Twinrow began may have no plan yet: it gets one."""
    known = _known_plan(context)
    if known is not None:
        return int(known)
    count = segments_for(description.bytes, context.settings.segments)
    checkpoint.save(context.tenure.open_writer(), context.name, {PLAN: Checkpoint(str(count))})
    return count


def positions(known: Mapping[str, Checkpoint], prefix: str, parts: Iterable[str]) -> dict[str, str | None]:
    """Where to read on, by part, for parts that are not through. Their checkpoints are named `prefix` and the part."""
    at = {part: known.get(prefix + part) for part in parts}
    return {part: found.position if found else None for part, found in at.items() if found is None or not found.done}


def checkpoints(prefix: str, pages: Iterable[Page]) -> dict[str, Checkpoint]:
    """The positions after these pages; of pages of one part, which are in order, the last."""
    return {prefix + page.part: Checkpoint(page.position, page.position is None, page.image_at) for page in pages}
