"""Reconcile: a whole-table pass that sends every suspect to recheck. Re-copy, gap repair and scan capture are this."""

from __future__ import annotations

from twinrow import clock
from twinrow.capture.pages import Page
from twinrow.capture.read_ahead import ReadAhead
from twinrow.change import Item
from twinrow.compare import seen
from twinrow.compare.items import Comparer, Difference
from twinrow.compare.lonely import LonelyRows
from twinrow.compare.page import PageComparer
from twinrow.compare.seen import SeenRows
from twinrow.errors import Broken
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.state import checkpoint, dead_letter, gap, lease, recheck, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.settling import Settling
from twinrow.sync import page_source
from twinrow.table import counting, identity
from twinrow.table.context import TableContext

PART = "reconcile:"
CAUSE = "reconcile"
RECHECKS_WAITING_MAX = 20_000
"""Above this many waiting suspects the pass waits for recheck to work them off."""
SAVE_EVERY_PAGES = 8
ASK_EVERY_S = 0.1
"""How often, at the end of a pass, it is asked which suspects still wait."""
RECOUNT_ROWS_MAX = 1_000_000
"""Counting a table of so many rows takes less than a second; larger ones are counted by `repair` alone."""


class Reconcile:
    """Passes over one table: when a gap is open, and every `reconcile_every`. `step` handles one page.

    With `once_at` (of `boot_time`) nothing is begun that became due later. A scan capture's first pass here begins
    after it: a pass taken up from an earlier process has read before. `through_at` is when the last pass that is
    through began, by DynamoDB's clock; the pace goes by MySQL's, which a process that comes later knows, too.
    """

    def __init__(self, context: TableContext, once_at: float | None = None) -> None:
        self._context = context
        self._once_at = once_at
        self._scan: ReadAhead[Page] | None = None
        self._comparer: Comparer | None = None
        self._pages: PageComparer | None = None
        self._seen = SeenRows()
        self._pass_at = self._read_from = 0.0
        self._gaps_up_to = 0
        self._rows: LonelyRows | None = None
        self._is_decided = False
        self._pages_since = 0
        self._suspected = False
        self._settling: Settling | None = None
        self._positions: dict[str, Checkpoint] = {}
        self._checked_at = self._asked_at = 0.0
        self.through_at = 0.0
        registered = tables.load(context.tenure.open_writer(), context.name)
        self._last_at = (registered.reconciled_at or registered.snapshot_done_at or 0.0) if registered else 0.0

    @property
    def running(self) -> bool:
        """Whether a pass is under way."""
        return self._pass_at > 0

    @property
    def rows_met(self) -> int | None:
        """How many rows the pass under way has met, those before an interruption included; None while none is."""
        return len(self._seen) if self.running else None

    @property
    def trouble(self) -> str:
        """Why the pass waits for DynamoDB, when it does."""
        waiting = self._rows.trouble if self._rows is not None else ""
        return waiting or (self._scan.trouble if self._scan is not None else "")

    def step(self, *, looks: bool = True) -> bool:
        """Begin a pass when it is due, or handle a page of it; whether there was anything to do.

        `looks`: MySQL may know of a gap, or of a pass that was interrupted.
        """
        if not self.running and not (self._due(looks=looks) and self._begin()):
            return False
        if recheck.count(self._context.tenure.open_writer(), self._context.name) > RECHECKS_WAITING_MAX:
            return False
        if self._rows is not None:
            return self._rows_step(self._rows)
        scan = self._scan
        page = scan.take(0.0) if scan is not None else None
        if page is not None:
            self._page(page)
        if scan is None or scan.done:
            self._save()
            # Rows written since the scan ended are not asked for: on a busy table there would be no end of them.
            until = self._current().last_row_id()
            self._rows = LonelyRows(
                self._context, self._seen, until, self._suspect_keys, self._decided, decided=self._is_decided
            )
        return page is not None

    def snapshot_is_through(self, started_at: float) -> None:
        """A snapshot begun at `started_at` (DynamoDB's clock) and read in one go counts as a pass of scan capture."""
        self.through_at, self._last_at = started_at, self._context.tenure.open_writer().now()

    def _due(self, *, looks: bool) -> bool:
        """Looked at every second: an open gap, an interrupted pass, or the pace."""
        if clock.monotonic() - self._checked_at < 1.0 and self._checked_at:
            return False
        self._checked_at = clock.monotonic()
        context = self._context
        if looks and self._waits_in_mysql():
            return True
        every = context.settings.reconcile_s
        if context.settings.traits.passes_only and self.through_at <= self._wanted_at():
            return True
        if every is None:
            return False
        now = context.tenure.open_writer().now()
        if clock.is_ahead(self._last_at, now):  # nobody knows when the last pass was
            return True
        # by the pace what was due when --once began: a pass may last longer than that, and another would follow it
        since_once_s = clock.boot_time() - self._once_at if self._once_at is not None else 0.0
        return now - since_once_s - self._last_at >= every

    def _waits_in_mysql(self) -> bool:
        session, table = self._context.tenure.open_writer(), self._context.name
        waits = gap.any_for_reconcile if self._context.settings.asks_for_windows else gap.open_gaps
        return bool(waits(session, table) or checkpoint.load(session, table, PART))

    def _wanted_at(self) -> float:
        return 0.0 if self._once_at is None else self._context.table.dynamodb.clock.now(self._once_at)

    def _begin(self) -> bool:
        context = self._context
        identity.look(context.tenure.open_writer(), context.table)
        known = checkpoint.load(context.tenure.open_writer(), context.name, PART)
        info = known.get(checkpoint.RECONCILE_BEGUN)
        self._seen, self._rows, self._suspected, self._settling = SeenRows(), None, info is not None, None
        self._is_decided = info is not None and info.done
        if info is not None and info.position:
            self._pass_at, self._gaps_up_to = float(info.position), int(info.info or 0)
            # when a pass of a wrong clock began is not known: it proves nothing of what was written since
            self._read_from = 0.0 if clock.is_ahead(info.read_at, context.table.dynamodb.clock.now()) else info.read_at
            self._seen.load(context.tenure.open_writer(), context.name, self._pass_at)
        else:
            known = {}
            session = context.tenure.open_writer()
            self._pass_at, self._gaps_up_to = session.now(), gap.newest(session, context.name)
            self._read_from = context.table.dynamodb.clock.now()
            began = Checkpoint(repr(self._pass_at), read_at=self._read_from, info=str(self._gaps_up_to))
            with context.tenure.transaction() as tx:
                checkpoint.save(tx, context.name, {checkpoint.RECONCILE_BEGUN: began})
                # a parked item has no row that a look could find different, or left over
                recheck.add(tx, context.name, dead_letter.keys(tx, context.name), CAUSE)
        self._comparer = self._new_comparer()
        # A gap in a stream may have ended a moment ago, and the stream does not tell again what was in it.
        has_gap = bool(gap.open_gaps(context.tenure.open_writer(), context.name))
        consistent = context.settings.traits.consistent_scan and has_gap
        source = page_source.of_pass(context, consistent=consistent)
        positions = page_source.positions(known, PART, source.parts)
        self._scan = ReadAhead(source, positions, context.table.stop, lambda page: page)
        return True

    def _new_comparer(self) -> Comparer:
        context = self._context
        return Comparer(
            context.tenure.open_writer(),
            context.live.catalogue,
            context.settings,
            dead_letter.parked(context.tenure.open_writer(), context.name),
        )

    def _current(self) -> Comparer:
        """The comparer of today's schema and session: an item's new columns are learned before it is compared."""
        context, known = self._context, self._comparer
        if (
            known is None
            or known.catalogue is not context.live.catalogue
            or known.connection is not context.tenure.open_writer()
        ):
            known = self._comparer = self._new_comparer()
        return known

    def _current_pages(self) -> PageComparer:
        comparer = self._current()
        if self._pages is None or self._pages.comparer is not comparer:
            self._pages = PageComparer(self._context.tenure.open_writer(), comparer, self._context.settings)
        return self._pages

    def _page(self, page: Page) -> None:
        context = self._context
        page = context.settings.wanted_of(page)  # the rows of the others are met by nobody, so they are looked at
        compared = self._current_pages().fitting_page(page, self._seen.add)
        if compared is None:  # it may have something to teach, which comes before it is compared
            context.live.learn(page.items)
            compared = self._current_pages().odd_page(page, self._seen.add)
        self._suspect(compared.found)
        self._positions |= page_source.checkpoints(PART, [page])
        self._pages_since += 1
        if self._pages_since >= SAVE_EVERY_PAGES:
            self._save()

    def _suspect(self, found: list[Difference]) -> None:
        self._suspect_keys([(one.hash, one.key) for one in found])

    def _suspect_keys(self, keys: list[tuple[bytes, Item]]) -> None:
        self._suspected |= bool(keys)
        recheck.add(self._context.tenure.open_writer(), self._context.name, keys, CAUSE)

    def _save(self) -> None:
        """Positions and met rows, durable together: an interrupted pass goes on from here."""
        context = self._context
        with context.tenure.transaction() as tx:  # a process that was paused has another pass in mind
            self._seen.save(tx, context.name, self._pass_at)
            checkpoint.save(tx, context.name, self._positions)
        self._positions.clear()
        self._pages_since = 0

    def _rows_step(self, rows: LonelyRows) -> bool:
        """Rows that no scanned item had: their items are gone, or came after the scan had passed; recheck tells."""
        if rows.through:
            self._end()
            return not self.running
        try:
            return rows.step(self._current())
        except Broken:
            self._give_up()
            raise

    def _decided(self) -> None:
        """The rows may go, be it by their number or by the word of a person; an interrupted pass does not ask again."""
        context = self._context
        began = Checkpoint(repr(self._pass_at), True, self._read_from, str(self._gaps_up_to))
        with context.tenure.transaction() as tx:
            checkpoint.save(tx, context.name, {checkpoint.RECONCILE_BEGUN: began})
        fail_point("before-mass-delete")

    def _give_up(self) -> None:
        """The pass is not gone on with: what it has read may be of a wrong table. The next start begins another."""
        context = self._context
        with context.tenure.transaction() as tx:
            forget_pass(tx, context.name)

    def _end(self) -> None:
        """Every suspect found is in recheck; gaps found before the pass began are mended once those are worked off.

        Later entries are not waited for: on a busy table there is always something.
        """
        context = self._context
        if clock.monotonic() - self._asked_at < ASK_EVERY_S:
            return
        self._asked_at = clock.monotonic()
        if self._settling is None:
            self._settling = Settling(lambda limit: recheck.waiting(context.tenure.open_writer(), context.name, limit))
        if not self._settling.through():
            return
        if self._suspected and lease.row_count(context.tenure.open_writer(), context.name) <= RECOUNT_ROWS_MAX:
            counting.recount(context.tenure.open_writer(), context.name, context.live.catalogue)
        fail_point("before-reconcile-done")
        with context.tenure.transaction() as tx:
            gap.close(tx, context.name, self._gaps_up_to, tx.now())
            forget_pass(tx, context.name)
            tables.update(tx, context.name, reconciled_at=self._pass_at)
        self.through_at, self._last_at, self._pass_at = self._read_from, self._pass_at, 0.0
        self.close()

    def close(self) -> None:
        """Stop reading; an interrupted pass is taken up at the next start."""
        if self._scan is not None:
            self._scan.close()
            self._scan = None


def forget_pass(tx: Connection, table: str) -> None:
    """A pass is through, or not gone on with."""
    checkpoint.forget(tx, table, PART)
    seen.forget(tx, table)
