"""Files of an export that are not proved: whatever was written from them is read again consistently."""

from __future__ import annotations

from typing import Final

from twinrow.capture.export_pages import ExportPages
from twinrow.exports.damaged import DamagedExport
from twinrow.schema.row import fingerprint
from twinrow.state import checkpoint, recheck
from twinrow.sync import page_source
from twinrow.table.context import TableContext

KEYS_A_STATEMENT: Final = 500


def recheck_written(context: TableContext, source: ExportPages, prefix: str) -> None:
    """Enter the keys of the lines before the durable positions (their checkpoints begin with `prefix`).

    The damaged file is not known by its lane here, so the files that other lanes are in are doubted with it.
    """
    writer, keys = context.tenure.open_writer(), context.live.keys
    known = checkpoint.load(writer, context.name, prefix)
    names = [key.name for key in keys]
    for part, position in page_source.positions(known, prefix, source.parts).items():
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
