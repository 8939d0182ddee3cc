"""A first copy from an export that is there already (`twinrow import`), and the hole between it and the stream.

The import is noted before the copy begins. The next sync makes the stream's positions durable, loads the export as
older than all that the stream brings, and fills the changes between both moments as a gap, by incremental exports.
"""

from __future__ import annotations

from typing import Final

import msgspec

from twinrow.capture.export_pages import ExportPages, WantedExport
from twinrow.mysql import Connection
from twinrow.state import checkpoint, gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync import export_asking
from twinrow.sync.shard_positions import STREAM
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.write import note_gaps

PART: Final = "export:import"
IMPORTED: Final = "IMPORTED"
"""The cause of the gap between an export and what the stream still holds."""


class AdoptedExport(msgspec.Struct, frozen=True):
    """A full export, as of `at` (epoch seconds), and where its summary is.

    A window of changes begins at a whole second. Where `at` is none, a reconcile closes the hole: a window from the
    second before would not show that an item which the export still holds was deleted after it.
    """

    arn: str
    bucket: str
    manifest: str
    at: float

    @property
    def can_be_followed(self) -> bool:
        """Whether a window can begin exactly at its moment."""
        return self.at == int(self.at)


_decode: Final = msgspec.json.Decoder(AdoptedExport).decode


def note(connection: Connection, table: str, export: AdoptedExport) -> None:
    """The next copy of the table begins with this export."""
    checkpoint.save(connection, table, {PART: Checkpoint(msgspec.json.encode(export).decode())})


def known(connection: Connection, table: str) -> AdoptedExport | None:
    """The export that a copy begins with, if one was named."""
    kept = checkpoint.load(connection, table, PART).get(PART)
    return _decode(kept.position) if kept is not None and kept.position else None


def begin(context: TableContext, export: AdoptedExport) -> None:
    """The stream's positions are durable: from the export's moment until then changes are missing."""
    entered = checkpoint.load(context.tenure.open_writer(), context.name, STREAM)[STREAM]
    with context.tenure.transaction() as tx:
        gap.record(
            tx, context.name, IMPORTED, at=tx.now(), from_at=export.at, to_at=entered.read_at,
            lost_from=export.at if context.settings.fills_gaps and export.can_be_followed else None,
        )  # fmt: skip
        note_gaps.notice(tx, context.name, entered.read_at)


def pages(context: TableContext, description: TableDescription, export: AdoptedExport, plan: str) -> ExportPages:
    """The pages of the export; keys that the stream writes meanwhile are noted from now on."""
    context.state.note_hole()
    wanted = WantedExport(
        export.arn, description.arn, description.table_id, export.bucket, export.at, manifest=export.manifest
    )
    s3 = export_asking.s3_of(context.table, export_asking.settings_of(context.table))
    return ExportPages(context.table.dynamodb, s3, wanted, plan)
