"""Follow the pending index: query every pending value side by side, copy what is marked, pay what is owed."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from twinrow import clock
from twinrow.change import AttributeValue, Change, Item
from twinrow.clock import Stop
from twinrow.decode.attribute import digest
from twinrow.dynamodb import STATEMENTS_MAX, budgeted
from twinrow.dynamodb_wire import ItemsPage
from twinrow.errors import Throttled, Transient
from twinrow.link.queue import CALLS_AT_ONCE_MAX, LinkView
from twinrow.link.threads import Linker
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint, key_of
from twinrow.state import recheck
from twinrow.table.context import TableContext
from twinrow.table.settings import PendingIndex
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch

QUERIES_AT_ONCE_MAX = 8
OTHERS = b""
"""Stands for all left out items where they are too many."""
IDLE_S_MIN = 0.02
"""An index shows a cleared mark some milliseconds longer; asked sooner, it would show the same items again."""
IDLE_S_MAX = 0.4
ANSWER_WAIT_S = 0.2
LINKS_WAIT_S = 0.1
MARKS_WAITING_MAX = 2_000
"""While so many marks wait to be cleared no more pages are taken: a backlog of any length stays in the index."""
LEFT_OUT_MAX = 50_000
"""More items that a round left out share an entry: 5 MB."""
BUSY_ROUNDS_MAX = 5
"""`--once` waits for a round that shows nothing, since an index may lag; where the app never pauses, so many do."""


class Poll:
    """Rounds over the index. A round proves that every mark set before it began was copied.

    Not so for the items that it left out (their link was under way, their image seemed stale, the index has keys only):
    for those, what the last round before proved stands until a round shows them no more, or takes them.
    """

    def __init__(
        self, context: TableContext, linker: Linker, pending: PendingIndex, whole_items: bool, *, once: bool
    ) -> None:
        self._context = context
        self._linker = linker
        self._pending = pending
        self._whole = whole_items
        # once: fewer requests count more than the lag
        self._marks_beside_max = 0 if once else CALLS_AT_ONCE_MAX * STATEMENTS_MAX
        self._pool = ThreadPoolExecutor(QUERIES_AT_ONCE_MAX, thread_name_prefix=f"poll-{context.name}")
        self._asked: dict[Future[ItemsPage], tuple[AttributeValue, float]] = {}
        self._round_at: float | None = None
        self._seen = self._fresh = 0
        self._once = once
        self._first_at = self._proved_at = 0.0
        self._left_out: dict[bytes, float] = {}
        self._left_out_now: dict[bytes, float] = {}
        self._busy_rounds = 0
        self._idle_s = IDLE_S_MIN
        self._due_at = 0.0
        self._throttles = self._pages = 0
        self._refused = ""
        self._over = Stop()
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.retention_left_s: float | None = None
        self.trouble = ""

    def step(self) -> tuple[bool, Applied | None]:
        """Begin a round when it is due, or take answers of the round, up to the first that has something to apply.

        A value whose query is throttled is left to the next round, which waits; the other values are read all the same.
        """
        if self._round_at is None:
            if clock.monotonic() < self._due_at:
                return False, None
            # Items whose mark is still to be cleared are in the index: a query now would return them again.
            links = self._links(self._marks_beside_max)
            if links.left_marks or links.marks > self._marks_beside_max:
                if self._first_at:  # meanwhile nobody knows what the app has written
                    self.oldest_at = self.oldest_at or max(self._first_at, self._proved_at)
                return False, None
            self._round_at, self._seen, self._fresh = self._context.table.dynamodb.clock.now(), 0, 0
            self._first_at = self._first_at or self._round_at
            self._refused, self._pages, self._left_out_now = "", 0, {}
            for mark in self._pending.marks:
                self._ask(mark, None)
        answered, _ = wait(self._asked, timeout=ANSWER_WAIT_S, return_when=FIRST_COMPLETED)
        applied: Applied | None = None
        for answer in answered:
            links = self._links(MARKS_WAITING_MAX)
            if links.marks > MARKS_WAITING_MAX or self._rechecks_are_many():
                return False, None  # the items of another page would only wait here
            mark, asked_at = self._asked.pop(answer)
            try:
                page = answer.result()
            except Throttled as trouble:
                self._refused = str(trouble)
                continue
            except Transient:
                self._abandon()
                raise
            self._pages += 1
            if page.next_key is not None:
                self._ask(mark, page.next_key)
            applied = self._take(page.items, asked_at, links)
            if applied is not None:  # its links are submitted before the next page is looked at
                break
        if not self._asked:
            self._end_round()
        return self._fresh > 0 or (applied is not None and bool(self._asked)), applied

    def _ask(self, mark: AttributeValue, start_key: Item | None) -> None:
        context, pending = self._context, self._pending

        def query() -> ItemsPage:
            return context.table.dynamodb.query_page(
                context.name, pending.index, pending.attribute, mark, start_key, None
            )

        self._asked[self._pool.submit(budgeted, query, context.table.read_budget, self._over)] = (
            mark,
            clock.monotonic(),
        )

    def _links(self, marks_max: int) -> LinkView:
        """How the links stand once at most so many marks wait to be cleared, or after LINKS_WAIT_S."""
        asked_at = min((asked_at for _, asked_at in self._asked.values()), default=clock.monotonic())
        return self._linker.view(asked_at, marks_max, LINKS_WAIT_S)

    def _take(self, items: list[Item], asked_at: float, links: LinkView) -> Applied | None:
        context = self._context
        keyed = [(fingerprint(context.live.keys, item), item) for item in items]
        fresh = [
            (key_hash, item)
            for key_hash, item in keyed
            if key_hash not in links.in_flight and not self._is_stale(links, key_hash, item, asked_at)
        ]
        if not self._whole:  # their recheck waits; entered again, it would be due at once
            fresh = [(key_hash, item) for key_hash, item in fresh if key_hash not in links.backing_off]
            self._fresh += len(fresh)
        self._seen += len(keyed)
        if keyed and self.oldest_at is None:
            self.oldest_at = self._round_at
        copied = {key_hash for key_hash, _ in fresh} if self._whole else set()
        self._leave_out([key_hash for key_hash, _ in keyed if key_hash not in copied])
        if not fresh:
            return None
        if not self._whole:
            recheck.add(
                context.tenure.open_writer(),
                context.name,
                [(one, key_of(context.live.keys, item)) for one, item in fresh],
                "keys only",
            )
            return None
        at = context.table.dynamodb.clock.now()
        keys = context.live.keys
        changes = [
            Change("PUT", "PENDING", key_of(keys, item), item, at=at, key_hash=key_hash) for key_hash, item in fresh
        ]
        applied = apply(context, Batch(changes))
        self._leave_out(list(applied.doubted))
        # images that change nothing and owe nothing new are no reason to ask again at once
        self._fresh += len(applied.debts) + applied.written.inserted + applied.written.updated + applied.parked
        return applied

    def _rechecks_are_many(self) -> bool:
        """Whether rechecks are many: with an index that has keys only, each item goes to recheck."""
        return (
            not self._whole
            and recheck.count(self._context.tenure.open_writer(), self._context.name) > MARKS_WAITING_MAX
        )

    def _leave_out(self, hashes: list[bytes]) -> None:
        """The round proves nothing about these items; the proof of an earlier round stands."""
        others = self._left_out.get(OTHERS, self._proved_at)
        self._left_out_now |= {key_hash: self._left_out.get(key_hash, others) for key_hash in hashes}
        self._left_out_now = _bounded(self._left_out_now)

    def _is_stale(self, links: LinkView, key_hash: bytes, item: Item, asked_at: float) -> bool:
        """Whether the mark may be cleared by now. A mark that stands is seen again in a later round."""
        cleared = links.cleared_since(key_hash, asked_at)
        if cleared is None or cleared.at > asked_at:
            return cleared is not None
        return self._whole and digest(item, self._context.settings.own) == cleared.digest

    def _end_round(self) -> None:
        began, self._round_at = self._round_at or 0.0, None
        if self._refused:
            self._left_out = _bounded(self._left_out_now | self._left_out)  # it has not shown which are through
            self._wait_after(began)
            return
        self._left_out, self._proved_at = self._left_out_now, began
        proved_at = min(self._left_out.values(), default=began)
        self._busy_rounds = self._busy_rounds + 1 if self._seen else 0
        if not (self._once and 0 < self._busy_rounds < BUSY_ROUNDS_MAX):
            self.caught_up_at = proved_at
        self.oldest_at = max(self._first_at, proved_at) if self._left_out else None
        self.backlog = None if OTHERS in self._left_out else len(self._left_out)
        self._throttles, self.trouble = 0, ""
        self._idle_s = IDLE_S_MIN if self._fresh else min(IDLE_S_MAX, self._idle_s * 1.5)
        self._due_at = clock.monotonic() + self._idle_s

    def _wait_after(self, began: float) -> None:
        """A round in which DynamoDB throttled: what it did not show may be as old as the round."""
        self._throttles = 1 if self._pages else self._throttles + 1
        self._due_at = clock.monotonic() + back_off_s(self._throttles)
        self.trouble, self.backlog = self._refused, None
        self.oldest_at = self.oldest_at or began

    def _abandon(self) -> None:
        """A query failed: the round proves nothing; answers still under way are not waited for."""
        for answer in self._asked:
            answer.cancel()
        self._asked.clear()
        self._round_at = None

    def close(self) -> None:
        """Wait for queries under way, each bounded by its time-out; those that wait for the budget are not sent."""
        self._over.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _bounded(left_out: dict[bytes, float]) -> dict[bytes, float]:
    """The same with at most LEFT_OUT_MAX entries: more share an entry, with the proof that holds for all of them."""
    return left_out if len(left_out) <= LEFT_OUT_MAX else {OTHERS: min(left_out.values())}
