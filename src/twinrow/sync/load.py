"""The fast way of a first copy: a page of items that fit the schema becomes loaded rows, no item looked at by itself.

It is taken only where nothing but the rows is at stake: no link or mark is owed, no tombstone stands, no key of it is
parked, and the load itself proves that every row was absent. Whatever does not hold leaves the page to `apply`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinrow.capture.scan import ScannedPage
from twinrow.change import Item
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.errors import SchemaMoved, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.schema.row import Row
from twinrow.sink import bulk
from twinrow.sink.writer import Written
from twinrow.state import checkpoint, dead_letter, lease, tombstone
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync.apply import Applied
from twinrow.sync.copy import Copy
from twinrow.sync.settings import Settings


def passed_over(settings: Settings) -> frozenset[str]:
    """Twinrow's own attributes that say nothing of what becomes of an item; others are for `apply`."""
    telling = set()
    if settings.pending is not None:
        if settings.capture == "pending-index":
            telling.add(settings.pending.attribute)
        if settings.pending.deleted is not None:
            telling.add(settings.pending.deleted)
    return settings.own - telling


class Loader:
    """Loads pages of one first copy; its decoder is made anew when the schema moves on."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._decoder: PageDecoder | None = None
        self._spare: frozenset[str] = frozenset()
        self._ignored = passed_over(copy.settings)

    def load(self, page: ScannedPage, parts: Mapping[str, Checkpoint]) -> Applied | None:
        """Make a page durable with its position; None, and nothing is written, when it is one for `apply`."""
        copy = self._copy
        if copy.settings.linked or not copy.first_copy:
            return None
        if self._decoder is None or self._decoder.schema is not copy.schema:
            self._decoder = PageDecoder(copy.schema, copy.flavour, self._ignored, self._spare)
        rows = self._decoder.rows(page.page.raw)
        if rows is None or not bulk.can_load(copy.writer, len(rows)):
            return None
        text = bulk.text_of(rows)
        fail_point("before-transaction")
        try:
            with copy.writer.transaction() as tx:
                if not self._insert(tx, rows, text, parts):
                    return None
        except (SchemaMoved, TransactionRetry):
            return None  # `apply` takes the new schema, and knows how often to try
        copy.counters.add("PUT", "SCAN", len(rows))
        return Applied([], Written(inserted=len(rows), rows_delta=len(rows)), 0)

    def _insert(self, tx: Connection, rows: Sequence[Row], text: str, parts: Mapping[str, Checkpoint]) -> bool:
        copy = self._copy
        locked = lease.lock(tx, copy.lease, copy.schema.version)
        fail_point("after-lock")
        parked = dead_letter.parked(tx, copy.table)
        if tombstone.any_stands(tx, copy.table) or (parked and not parked.isdisjoint(row.key for row in rows)):
            return False
        if not bulk.load_text(tx, copy.schema, text, len(rows)):
            return False
        fail_point("after-rows")
        checkpoint.save(tx, copy.table, parts)
        lease.leave(tx, copy.lease, locked, rows_delta=len(rows))
        return True

    def taught(self, items: Sequence[Item]) -> None:
        """`apply` took a page of these: attributes that it knows as NULL only are no reason to refuse the next one."""
        found = null_only(self._copy.schema, items)
        if not found <= self._spare:
            self._spare |= found
            self._decoder = None
