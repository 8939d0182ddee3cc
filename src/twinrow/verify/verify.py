"""Verify: every item against its row, both ways, while the app goes on writing. Suspects are looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twinrow import clock
from twinrow.capture.pages import Page
from twinrow.capture.read_ahead import ReadAhead
from twinrow.capture.scan import TableScan, segments_for
from twinrow.change import Item
from twinrow.compare.items import Difference
from twinrow.compare.seen import SeenRows
from twinrow.errors import Transient
from twinrow.state import dead_letter
from twinrow.verify.reading import Reader, columns_stay, patiently
from twinrow.verify.suspects import Suspects
from twinrow.verify.verdict import Verdict

TROUBLE_S_MAX = 300.0
"""Longest wait for a scan that gets no page, once its trouble is known."""


def verify_table(
    reader: Reader,
    progress: Callable[[int, int], None] = lambda items, of: None,
    on_difference: Callable[[Difference], None] = lambda difference: None,
) -> Verdict:
    """Compare a whole table. `progress` gets items read and the item count, `on_difference` each confirmed difference.

    Memory: one page, one bit a row, at most suspects.SUSPECTS_A_ROUND_MAX suspects. Raises TwinrowError, Transient.
    """
    with columns_stay(reader):
        return _verified(reader, progress, on_difference)


def _verified(
    reader: Reader, progress: Callable[[int, int], None], on_difference: Callable[[Difference], None]
) -> Verdict:
    began = clock.monotonic()
    settings = reader.settings
    description = patiently(reader, lambda: reader.dynamodb.describe(settings.table))
    verdict, seen, suspects = Verdict(settings.table), SeenRows(), Suspects(reader, on_difference)
    segments = segments_for(description.bytes, settings.segments)
    source = TableScan(reader.dynamodb, settings.table, segments, reader.budget, row_filter=settings.row_filter)
    scan: ReadAhead[Page] = ReadAhead(source, dict.fromkeys(source.parts), reader.stop, lambda page: page)
    read_at = clock.monotonic()
    try:
        while not scan.done and not reader.stop:
            page = scan.take(1.0)
            if page is None:
                if scan.trouble and clock.monotonic() - read_at > TROUBLE_S_MAX:
                    raise Transient(scan.trouble, where=f"table {settings.table}")
                continue
            read_at = clock.monotonic()
            page = settings.wanted_of(page)
            verdict.filtered += page.left_out
            compared = suspects.page_comparer().page(page, seen.add)
            verdict.items += compared.items
            suspects.add(compared.found, verdict, item_was_seen=True)
            progress(verdict.items + verdict.filtered, description.items)
    finally:
        scan.close()
    for ids in suspects.comparer.row_ids():
        if reader.stop:
            break
        verdict.rows += len(ids.live)
        verdict.kept += ids.deleted
        lonely = [row_id for row_id in ids.live if row_id not in seen]
        extra = [suspects.comparer.extra(row) for row in suspects.comparer.rows_of(lonely)]
        suspects.add(extra, verdict, item_was_seen=False)
    suspects.settle(verdict)
    verdict.dead_letters = dead_letter.count(reader.connection, settings.table)
    verdict.seconds = round(clock.monotonic() - began, 3)
    return verdict


def verify_keys(reader: Reader, slices: Iterable[Sequence[tuple[bytes, Item]]]) -> Verdict:
    """Compare just these keys (fingerprint, key), slice after slice, looked at until they settle."""
    verdict, suspects = Verdict(reader.settings.table), Suspects(reader, lambda difference: None)
    for keys in slices:
        found = [Difference("DIFFERENT", digest, key, None, orphan=not key) for digest, key in keys]
        suspects.add(found, verdict, item_was_seen=False)
        suspects.settle(verdict)
    return verdict
