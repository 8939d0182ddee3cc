"""A `where` that became tighter: rows that it leaves out go, found inside MySQL, while the capture goes on.

Each row rebuilds its item, so DynamoDB is not read. What is written meanwhile obeys the new `where` already, so the
pass ends at the highest id that there was when it began.
"""

from __future__ import annotations

from dataclasses import dataclass

from twinrow import clock
from twinrow.change import Change, Item
from twinrow.compare.items import KEYS_A_QUERY_MAX, Comparer, StoredRow
from twinrow.errors import SchemaMoved, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.state import checkpoint
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.write.apply import transact
from twinrow.write.batch import Batch
from twinrow.write.cells import LOCK_RETRY_S

PART = "where:pass"
"""The checkpoint of a pass under way: the last id looked at, and as `info` the id at which it ends."""
ROWS_BEFORE_SAVE_MAX = 20_000
"""A pass that is interrupted looks at so many rows once more. Rows that stay cost no transaction until then."""


def begin(tx: Connection, context: TableContext) -> None:
    """From now on rows are written under another `where`: those that are there are looked at, from the first on."""
    last = _comparer(context, tx).last_row_id()
    checkpoint.save(tx, context.name, {PART: Checkpoint("0", info=str(last))})


def _comparer(context: TableContext, session: Connection) -> Comparer:
    return Comparer(session, context.live.catalogue, context.settings, set())


def is_under_way(connection: Connection, table: str) -> bool:
    """Whether some rows are still to be looked at."""
    return bool(checkpoint.load(connection, table, PART))


def forget(tx: Connection, table: str) -> None:
    """All rows were looked at, or none need it."""
    checkpoint.forget(tx, table, PART)


@dataclass(slots=True)
class _Walk:
    """The progress of a pass: `at` is the last id that was looked at, `saved` the last that is durable."""

    at: int
    ends_at: int
    saved: int


class FilterPass:
    """The pass over one table; `step` looks at some rows. A table without `where` costs no query."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._try_at = 0.0
        self._walk: _Walk | None = None
        if context.settings.row_filter is not None:
            known = checkpoint.load(context.tenure.open_writer(), context.name, PART).get(PART)
            if known is not None:
                at = int(known.position or 0)
                self._walk = _Walk(at, int(known.info or 0), at)

    @property
    def through(self) -> bool:
        """Whether no row is left to be looked at."""
        return self._walk is None

    def step(self) -> bool:
        """Look at some rows, and take those away that are left out; whether there was anything to do."""
        walk = self._walk
        if walk is None or clock.monotonic() < self._try_at:
            return False
        try:
            self._look(walk)
        except SchemaMoved:
            self._context.live.load()
        except TransactionRetry:  # a lock that somebody holds: these rows can wait, the capture comes first
            self._try_at = clock.monotonic() + LOCK_RETRY_S
            return False
        return True

    def _look(self, walk: _Walk) -> None:
        context = self._context
        comparer = _comparer(context, context.tenure.open_writer())
        rows = comparer.rows_between(walk.at, walk.ends_at)
        is_last = len(rows) < KEYS_A_QUERY_MAX
        last = walk.ends_at if is_last else rows[-1].row_id
        left_out = [row.row_id for row in rows if not row.deleted and self._goes(comparer, row)]
        if left_out or last - walk.saved >= ROWS_BEFORE_SAVE_MAX:
            self._take_away(left_out, last, walk.ends_at)
            walk.saved = last
        walk.at = last
        if is_last:
            fail_point("before-where-done")
            with context.tenure.transaction() as tx:
                forget(tx, context.name)
            self._walk = None

    def _goes(self, comparer: Comparer, row: StoredRow) -> bool:
        """Whether a row is left out, or gives no item because it was changed by hand."""
        item = comparer.item_of(row)
        return not item or self._context.settings.leaves_out(item)

    def _take_away(self, row_ids: list[int], last: int, until: int) -> None:
        """Delete the rows that are still left out under the lock, with the position, in one transaction."""

        def read(tx: Connection) -> Batch:
            comparer = _comparer(self._context, tx)
            gone, unknown = list[Change](), list[tuple[bytes, Item]]()
            for row in comparer.rows_of(row_ids):
                if not self._goes(comparer, row):
                    continue
                found = comparer.extra(row)
                if found.orphan:
                    unknown.append((row.hash, {}))
                else:
                    gone.append(Change("DELETE", "RECHECK", found.key, key_hash=row.hash))
            return Batch(gone, {PART: Checkpoint(str(last), info=str(until))}, suspects=unknown)

        transact(self._context, read)
        fail_point("after-where")
