"""The threads that send links and settle them, with several calls in flight, on sessions that all tables share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from twinrow import clock
from twinrow.budget import BUDGET_WAIT_S, Budget
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_wire import StatementAnswer
from twinrow.errors import TransactionRetry, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.link import settle
from twinrow.link.fruitless import FruitlessCalls
from twinrow.link.queue import CALLS_AT_ONCE_MAX, LinkQueue, LinkView
from twinrow.link.send import LinkWriter
from twinrow.link.settle import CallOutcome, ClearMarkAlone, Later, Recheck, Refused, Settled, Step
from twinrow.link.update import LinkRules
from twinrow.mysql import MySQL
from twinrow.retry import back_off_s
from twinrow.state import foreign_link, outbox, recheck
from twinrow.state.outbox import PendingLink

SETTLE_TRIES_MAX = 8
"""Tries of a settlement that deadlocks with the writer; after the last try the table's run begins anew."""

Result = TypeVar("Result")


class LinkCounters(Protocol):
    """The counters of links."""

    def add_links(self, *, paid: int = 0, refused: int = 0) -> None:
        """Count links that are settled, and links that DynamoDB refused for good."""


class ForeignIdNotes(Protocol):
    """Items met with an id that is not ours."""

    def met(self, key_hash: bytes) -> bool:
        """Whether this item was met with a foreign id."""

    def link_is_through(self, keys: Iterable[bytes], at: float) -> None:
        """Our own link of these items got through (monotonic seconds)."""


class LinkSettings(Protocol):
    """The settings that links hang on."""

    @property
    def link_rules(self) -> LinkRules:
        """Which attributes a link writes."""


class LinkedTable(Protocol):
    """The table whose items are linked, and the doors to both sides."""

    @property
    def name(self) -> str:
        """The DynamoDB table's name."""

    @property
    def settings(self) -> LinkSettings:
        """The settings that links hang on."""

    @property
    def dynamodb(self) -> DynamoDB:
        """The door to DynamoDB."""

    @property
    def mysql(self) -> MySQL:
        """The door to MySQL."""

    @property
    def write_budget(self) -> Budget:
        """The units that link writes may take."""

    @property
    def stop(self) -> Stop:
        """The request to stop."""


class LinkTenure(Protocol):
    """The questions of the link room about the lease under which links are written."""

    def may_call(self) -> bool:
        """Whether the lease outlasts a link call that is sent now."""

    def may_write(self) -> bool:
        """Whether this process still believes that it holds the lease."""


class Linker:
    """Sends the pending links of one table and settles them.

    `trouble` says why the links of the whole table wait, `denied` that a right is missing.
    """

    def __init__(self, table: LinkedTable, tenure: LinkTenure, counters: LinkCounters, foreign: ForeignIdNotes) -> None:
        self._table = table
        self._tenure = tenure
        self._counters = counters
        self._foreign = foreign
        rules = table.settings.link_rules
        self._own = rules.own
        self._writer = LinkWriter(table.dynamodb, table.name, rules, tenure.may_call)
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE_MAX, thread_name_prefix=f"link-{table.name}")
        if rules.link_attribute is not None or rules.mark_attribute is not None:
            self._pool.submit(table.dynamodb.prepare_to_link)  # what fails here fails at the first call again
        self._lock = threading.Condition()
        self._queue = LinkQueue()
        self._fruitless = FruitlessCalls()
        self._over = False
        self.trouble = ""
        self.denied: TwinrowError | None = None
        self._failed: BaseException | None = None

    def submit(self, links: Sequence[PendingLink]) -> None:
        """Send these links of the outbox as soon as a call is free. Raises what an earlier call failed with."""
        self.raise_failure()
        with self._lock:
            more = self._queue.submit(links)
        for _ in range(more):
            self._pool.submit(self._work)

    def view(self, asked_at: float, marks_max: int, wait_s: float) -> LinkView:
        """Wait at most `wait_s` until at most `marks_max` marks wait to be cleared; how the links stand then.

        For a reader that asked the index at `asked_at` (monotonic seconds) at the earliest. Raises what a call failed
        with.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._queue.marks <= marks_max, timeout=wait_s)
            view = self._queue.view(clock.monotonic(), asked_at, self._fruitless.waiting())
        self.raise_failure()
        return view

    def in_flight(self) -> set[bytes]:
        """The keys whose call is under way, or whose mark waits for its turn."""
        with self._lock:
            return self._queue.in_flight()

    def known(self) -> set[bytes]:
        """The keys whose call is under way, or whose link waits for its turn."""
        with self._lock:
            return self._queue.known()

    def calls(self) -> int:
        """How many calls are under way or wait for a thread."""
        with self._lock:
            return self._queue.calls()

    def marks(self) -> int:
        """How many links that clear a mark are under way or wait for their turn."""
        with self._lock:
            return self._queue.marks

    @property
    def left_marks(self) -> bool:
        """Whether marks were left to the outbox, from which `due.send_left_marks` takes them."""
        return self._queue.left_marks

    @property
    def left_after(self) -> bytes:
        """The fingerprint from which the walk over the marks that were left goes on."""
        return self._queue.left_after

    def walked(self, found: Sequence[PendingLink], *, is_last: bool) -> None:
        """The walk over the marks that were left has found these; `is_last`: there are no more behind."""
        with self._lock:
            self._queue.walked(found, is_last=is_last)

    def drain(self, seconds: float) -> bool:
        """Wait until no call is under way, at most `seconds`; whether it came to that."""
        with self._lock:
            over = self._lock.wait_for(lambda: not self._queue.workers, timeout=seconds)
        self.raise_failure()
        return over

    @property
    def failed(self) -> bool:
        """Whether a call failed with something that was not raised yet."""
        return self._failed is not None

    def raise_failure(self) -> None:
        """Raise what a call failed with outside of DynamoDB's answers (MySQL gone, a bug)."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Wait for calls under way (each bounded by its time-out; none is begun) and are settled."""
        with self._lock:
            self._over = True
            self._queue.drop_waiting()
        self._pool.shutdown(wait=True)

    def _work(self) -> None:
        """Call after call while links wait: the busier the calls are, the fuller is the next call."""
        table = self._table
        while True:
            # Before the links are taken: what waits for units is not under way, and a mark may still go before it.
            while not (table.stop or self._over or table.write_budget.ready(table.stop, BUDGET_WAIT_S)):
                pass
            links = self._next_call()
            if not links:
                return
            try:
                self._call(links)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - handed to the table's thread, which raises it
                self._failed = error
            finally:
                with self._lock:
                    self._queue.landed(links)
                    self._lock.notify_all()

    def _next_call(self) -> list[PendingLink]:
        with self._lock:
            if self._failed is not None:
                self._queue.drop_waiting()  # the table's thread will raise it and begin anew
            links = self._queue.next_call()
            if not links:
                self._lock.notify_all()
            return links

    def _call(self, links: list[PendingLink]) -> None:
        table = self._table
        if table.stop or self._over or not self._tenure.may_call():
            return  # the links stand in the outbox; who holds the lease next rechecks them
        fail_point("before-link-call")
        try:
            answers, units = self._writer.send(links)
        except Transient as trouble:
            self._take(settle.settle_no_answer(links, trouble, self._fruitless))
            return
        table.write_budget.pay(units)
        self.trouble, self.denied = "", None
        fail_point("after-link-call")
        if not self._tenure.may_write():
            self._do(settle.lease_lost(links))
            return
        self._settle(links, answers)

    def _settle(self, links: Sequence[PendingLink], answers: Sequence[StatementAnswer]) -> None:
        outcome = settle.settle(links, answers, self._own, self._fruitless)
        fail_point("before-link-paid")
        with self._lock:
            for step in outcome.steps:
                if isinstance(step, Settled):
                    self._queue.cleared(step.links, clock.monotonic())
        refused = sum(isinstance(step, Refused | ClearMarkAlone) for step in outcome.steps)
        if refused:
            self._counters.add_links(refused=refused)
        self._take(outcome)

    def _take(self, outcome: CallOutcome) -> None:
        """Say why the links wait, and do what follows from the answers."""
        if outcome.throttled:
            self._table.write_budget.throttled()
        if outcome.trouble:
            self.trouble = outcome.trouble
        if outcome.denied:
            where, remedy = f"table {self._table.name}", "grant the rights that `twinrow iam-policy` prints"
            self.denied = TwinrowError(outcome.denied, where=where, remedy=remedy, commands=("twinrow iam-policy",))
        self._do(outcome.steps)

    def _do(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Settled):
                self._do_settled(step.links)
            elif isinstance(step, ClearMarkAlone):
                self._clear_mark_alone(step)
            else:
                self._retried(partial(self._note, step))

    def _note(self, step: Later | Recheck | Refused) -> None:
        """Note in MySQL what is to become of links that are not settled."""
        table = self._table.name
        with self._table.mysql.pool.lent() as session:
            if isinstance(step, Refused):
                outbox.refuse(session, table, step.link, step.reason)
            elif isinstance(step, Later):
                outbox.postpone(session, table, step.links, session.now() + step.wait_s)
            else:
                due_at = session.now() + step.wait_s if step.wait_s else 0.0
                keys = [(link.key_hash, link.key) for link in step.links]
                recheck.add(session, table, keys, step.cause, due_at=due_at, late=step.late)

    def _settle_in_mysql(self, links: Sequence[PendingLink]) -> list[PendingLink]:
        # Paused inside its transaction it would keep rows locked: the server ends its session after the lease time.
        with self._table.mysql.pool.lent() as session:
            return outbox.settle(session, self._table.name, links)

    def _arm(self, met: Sequence[bytes]) -> None:
        with self._table.mysql.pool.lent() as session:
            foreign_link.arm(session, self._table.name, met)

    def _do_settled(self, links: Sequence[PendingLink]) -> None:
        moved = self._retried(partial(self._settle_in_mysql, links))
        fail_point("after-link-paid")
        unsettled = [link for link in moved if not settle.any_success_settles(link)]
        self._counters.add_links(paid=len(links) - len(unsettled))
        self._do(settle.written_again(moved))
        met = [link.key_hash for link in links if self._foreign.met(link.key_hash) and link.row_id is not None]
        if met:
            self._foreign.link_is_through(met, clock.monotonic())
            self._retried(partial(self._arm, met))

    def _clear_mark_alone(self, refused: ClearMarkAlone) -> None:
        link = refused.link
        bare = PendingLink(link.key_hash, link.key, link.generation, link.digest, None, link.mark)
        try:
            answers, units = self._writer.send([bare])
        except Transient as trouble:
            self._take(settle.settle_no_answer([link], trouble, self._fruitless))
            return
        self._table.write_budget.pay(units)
        self._take(settle.settle_mark_alone(refused, answers[0], self._own, self._fruitless))

    def _retried(self, work: Callable[[], Result]) -> Result:
        """Run one statement or small transaction; a deadlock with the writer runs it again, a few times."""
        for tried in range(1, SETTLE_TRIES_MAX):
            try:
                return work()
            except TransactionRetry:
                self._table.stop.wait(back_off_s(tried))
        return work()
