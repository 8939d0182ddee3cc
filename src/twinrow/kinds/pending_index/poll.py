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
from twinrow.kinds.pending_index.rounds import IDLE_S_MAX, Rounds
from twinrow.link.queue import CALLS_AT_ONCE_MAX, LinkView
from twinrow.link.threads import Linker
from twinrow.schema.row import fingerprint, key_of
from twinrow.state import recheck
from twinrow.table.context import TableContext
from twinrow.table.settings import PendingIndex
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch

QUERIES_AT_ONCE_MAX = 8
ANSWER_WAIT_S = 0.2
LINKS_WAIT_S = 0.1
MARKS_WAITING_MAX = 2_000
"""While so many marks wait to be cleared no more pages are taken: a backlog of any length stays in the index."""


class Poll:
    """Queries the index in rounds, whose proof is kept by `Rounds`, and copies what they show."""

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
        self._rounds = Rounds(once=once, idle_s_max=context.settings.idle_poll_s or IDLE_S_MAX)
        self._due_at = 0.0
        self._over = Stop()
        self.retention_left_s: float | None = None

    @property
    def caught_up_at(self) -> float:
        """See `Rounds`."""
        return self._rounds.caught_up_at

    @property
    def oldest_at(self) -> float | None:
        """See `Rounds`."""
        return self._rounds.oldest_at

    @property
    def backlog(self) -> int | None:
        """See `Rounds`."""
        return self._rounds.backlog

    @property
    def trouble(self) -> str:
        """See `Rounds`."""
        return self._rounds.trouble

    def step(self) -> tuple[bool, Applied | None]:
        """Begin a round when it is due, or take answers of the round, up to the first that has something to apply.

        A value whose query is throttled is left to the next round, which waits; the other values are read all the same.
        """
        rounds = self._rounds
        if not rounds.under_way:
            if clock.monotonic() < self._due_at:
                return False, None
            # Items whose mark is still to be cleared are in the index: a query now would return them again.
            links = self._links(self._marks_beside_max)
            if links.left_marks or links.marks > self._marks_beside_max:
                rounds.put_off()
                return False, None
            rounds.begin(self._context.table.dynamodb.clock.now())
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
                rounds.refuse(str(trouble))
                continue
            except Transient:
                self._abandon()
                raise
            rounds.answered()
            if page.next_key is not None:
                self._ask(mark, page.next_key)
            applied = self._take(page.items, asked_at, links)
            if applied is not None:  # its links are submitted before the next page is looked at
                break
        if not self._asked:
            rounds.end()
            self._due_at = clock.monotonic() + rounds.pause_s
        return rounds.fresh or (applied is not None and bool(self._asked)), applied

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
        context, rounds = self._context, self._rounds
        keyed = [(fingerprint(context.live.keys, item), item) for item in items]
        fresh = [
            (key_hash, item)
            for key_hash, item in keyed
            if key_hash not in links.in_flight and not self._is_stale(links, key_hash, item, asked_at)
        ]
        if not self._whole:  # their recheck waits; entered again, it would be due at once
            fresh = [(key_hash, item) for key_hash, item in fresh if key_hash not in links.backing_off]
            rounds.take(len(fresh))
        rounds.show(len(keyed))
        copied = {key_hash for key_hash, _ in fresh} if self._whole else set()
        rounds.leave_out([key_hash for key_hash, _ in keyed if key_hash not in copied])
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
        rounds.leave_out(applied.doubted)
        # images that change nothing and owe nothing new are no reason to ask again at once
        rounds.take(len(applied.debts) + applied.written.inserted + applied.written.updated + applied.parked)
        return applied

    def _rechecks_are_many(self) -> bool:
        """Whether rechecks are many: with an index that has keys only, each item goes to recheck."""
        return (
            not self._whole
            and recheck.count(self._context.tenure.open_writer(), self._context.name) > MARKS_WAITING_MAX
        )

    def _is_stale(self, links: LinkView, key_hash: bytes, item: Item, asked_at: float) -> bool:
        """Whether the mark may be cleared by now. A mark that stands is seen again in a later round."""
        cleared = links.cleared_since(key_hash, asked_at)
        if cleared is None or cleared.at > asked_at:
            return cleared is not None
        return self._whole and digest(item, self._context.settings.own) == cleared.digest

    def _abandon(self) -> None:
        """A query failed: the round proves nothing; answers still under way are not waited for."""
        for answer in self._asked:
            answer.cancel()
        self._asked.clear()
        self._rounds.abandon()

    def prove(self, moment: float) -> None:
        """Rounds go on without a pause while there is work; nothing waits for this source's deletes."""

    def close(self) -> None:
        """Wait for queries under way, each bounded by its time-out; those that wait for the budget are not sent."""
        self._over.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
