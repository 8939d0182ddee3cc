"""Link back: row ids into items and marks off them, in conditional batches; every answer is settled by its meaning.

No image from an answer is ever written: by the time it arrives it may be old. Only "success, and the image before is
what the row was made from, and nobody has written the row since" pays a debt; what is unclear goes to recheck.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from twinrow import clock
from twinrow.change import Item
from twinrow.decode.attribute import digest
from twinrow.dynamodb import STATEMENTS_MAX
from twinrow.dynamodb_wire import StatementAnswer
from twinrow.errors import Throttled, TransactionRetry, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.state import foreign_link, outbox, recheck
from twinrow.state.outbox import Debt
from twinrow.sync.copy import Copy
from twinrow.sync.fruitless import TOLD_CALLS, FruitlessCalls
from twinrow.sync.link_write import NO_ANSWER, NO_RIGHTS, NOT_SENT, refused_for_good, send

CALLS_AT_ONCE_MIN = 2
CALLS_AT_ONCE_MAX = 8
DEBTS_WAITING_MAX = 20_000
"""Debts held in memory, 1.2 KB each; more are left to the outbox, where all of them stand, until their turn comes."""
BUDGET_WAIT_S = 0.5
SETTLE_TRIES_MAX = 8
RECHECK_FIRST_S = 2.0
"""A debt that goes to recheck is not sent again by itself so soon: the recheck takes milliseconds, mostly."""
POSTPONE_S_MAX = 30.0
RETRYABLE = frozenset({
    "ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded", "TransactionConflict",
    "InternalServerError",
    "ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException", "DuplicateItem",
    "InternalServerErrorException", "ReplicatedWriteConflictException",
})  # fmt: skip
CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
LATE_RECHECK_S = 1800.0
"""After that no call that was given up can arrive: AWS refuses a signature whose time is more than 15 minutes off.

Twice that, since a clock 15 minutes fast signs for 30 minutes; no signature is younger than its lease (`may_call`).
"""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Paid:
    """A mark that was cleared: when its answer was there (monotonic seconds), and the digest of the image it was on."""

    at: float
    digest: bytes


def _calls_for(debts: int) -> int:
    return -(-debts // STATEMENTS_MAX)


class Linker:
    """Pays the debts of one table with several calls in flight; settles on sessions of its own, one per thread."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE_MAX, thread_name_prefix=f"link-{copy.table}")
        if copy.settings.linked or copy.settings.pending is not None:
            self._pool.submit(copy.dynamodb.prepare_to_link)  # what fails here fails at the first call again
        self._sessions = threading.local()
        self._opened: list[Connection] = []
        self._lock = threading.Condition()
        self._marked: deque[Debt] = deque()
        self._bare: OrderedDict[bytes, Debt] = OrderedDict()  # links that wait with no mark to clear
        self._flying: dict[bytes, int] = {}
        self._marks = self._working = 0
        self._over = False
        self.left_marks = False
        self.left_after = b""
        self._paid: dict[bytes, Paid] = {}
        self._forgot_at = 0.0
        self.fruitless = FruitlessCalls()
        self.trouble = ""
        self.denied: TwinrowError | None = None
        self._failed: BaseException | None = None

    def submit(self, debts: Sequence[Debt]) -> None:
        """Pay these debts of the outbox as soon as a call is free. Raises what an earlier call failed with.

        Marks go before bare links: a poll waits for them. What is more than DEBTS_WAITING_MAX is left to the outbox,
        the newest first.
        """
        self.raise_failure()
        with self._lock:
            for debt in debts:
                self._bare.pop(debt.key_hash, None)
                if debt.mark is None:
                    self._bare[debt.key_hash] = debt
                else:
                    self._marked.append(debt)
                    self._begin(debt)
            while self._bare and len(self._bare) + len(self._marked) > DEBTS_WAITING_MAX:
                self._bare.popitem()
            left = [self._marked.pop() for _ in range(len(self._marked) - DEBTS_WAITING_MAX)]
            if left:
                self.left_marks, self.left_after = True, b""
            self._forget(left)
            # Where calls are under way, a few debts wait for the next one: full calls cost both servers less than many.
            is_busy = self._working >= CALLS_AT_ONCE_MIN
            waiting = len(self._marked) + len(self._bare)
            wanted = waiting // STATEMENTS_MAX if is_busy else _calls_for(waiting)
            more = max(0, min(CALLS_AT_ONCE_MAX - self._working, wanted))
            self._working += more
        for _ in range(more):
            self._pool.submit(self._work)

    def in_flight(self) -> set[bytes]:
        """The keys whose call is under way, or whose mark waits for its turn."""
        with self._lock:
            return set(self._flying)

    def known(self) -> set[bytes]:
        """Those, and the keys whose bare link waits for its turn."""
        with self._lock:
            return self._flying.keys() | self._bare.keys()

    def paid(self, key_hash: bytes) -> Paid | None:
        """The mark of this key that was cleared last, if it was not long ago (see `forget_paid`)."""
        return self._paid.get(key_hash)

    def forget_paid(self, before: float) -> None:
        """Forget what was paid before a moment (monotonic seconds); looked at once a second."""
        with self._lock:
            if clock.monotonic() - self._forgot_at > 1.0:
                self._forgot_at = clock.monotonic()
                self._paid = {key: paid for key, paid in self._paid.items() if paid.at >= before}

    def calls(self) -> int:
        """How many calls are under way or wait for a thread."""
        with self._lock:
            return self._working + _calls_for(len(self._marked) + len(self._bare))

    def marks(self) -> int:
        """How many debts that clear a mark are under way or wait for their turn."""
        with self._lock:
            return self._marks

    def drain_marks(self, most: int, seconds: float) -> bool:
        """Wait until at most `most` marks wait to be cleared, at most `seconds`; whether it came to that."""
        with self._lock:
            over = self._lock.wait_for(lambda: self._marks <= most, timeout=seconds)
        self.raise_failure()
        return over

    def drain(self, seconds: float) -> bool:
        """Wait until no call is under way, at most `seconds`; whether it came to that."""
        with self._lock:
            over = self._lock.wait_for(lambda: not self._working, timeout=seconds)
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
        """Wait for calls under way (each bounded by its time-out; none is begun) and close the sessions."""
        with self._lock:
            self._over = True
            self._clear()
        self._pool.shutdown(wait=True)
        for session in self._opened:
            session.close()

    def _session(self) -> Connection:
        session: Connection | None = getattr(self._sessions, "session", None)
        if session is not None and self._copy.stale(session):
            session.close()
        if session is None or not session.open:
            # Paused inside its transaction it would keep rows locked: the server ends it after the lease time.
            session = self._copy.mysql.connect(idle_s=self._copy.mysql.lease_s)
            self._sessions.session = session
            with self._lock:
                self._opened = [*(one for one in self._opened if one.open), session]
        return session

    def _work(self) -> None:
        """Call after call while debts wait: the busier the calls are, the fuller is the next one."""
        while True:
            # Before the debts are taken: what waits for units is not under way, and a mark may still go before it.
            while not (self._copy.stop or self._over or self._copy.write_budget.ready(self._copy.stop, BUDGET_WAIT_S)):
                pass
            debts = self._next_call()
            if not debts:
                return
            try:
                self._pay(debts)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - handed to the table's thread, which raises it
                self._failed = error
            finally:
                self._landed(debts)

    def _next_call(self) -> list[Debt]:
        """The next debts, of distinct keys (two statements for one key fail a whole call); none: the thread ends."""
        with self._lock:
            if self._failed is not None:
                self._clear()  # the table's thread will raise it and begin anew
            call: dict[bytes, Debt] = {}
            again: list[Debt] = []
            while self._marked and len(call) < STATEMENTS_MAX:
                debt = self._marked.popleft()
                if debt.key_hash in call:
                    again.append(debt)
                else:
                    call[debt.key_hash] = debt
            self._marked.extendleft(reversed(again))
            while self._bare and len(call) < STATEMENTS_MAX and next(iter(self._bare)) not in call:
                key_hash, debt = self._bare.popitem(last=False)
                self._begin(debt)
                call[key_hash] = debt
            if not call:
                self._working -= 1
                self._lock.notify_all()
            return list(call.values())

    def _landed(self, debts: list[Debt]) -> None:
        with self._lock:
            self._forget(debts)
            self._lock.notify_all()

    def _clear(self) -> None:
        """Drop what waits: it stands in the outbox; the lock is held."""
        self._marked.clear()
        self._bare.clear()

    def _begin(self, debt: Debt) -> None:
        """A debt is under way from now on; the lock is held."""
        self._marks += debt.mark is not None
        self._flying[debt.key_hash] = self._flying.get(debt.key_hash, 0) + 1

    def _forget(self, debts: Sequence[Debt]) -> None:
        """These debts are no longer under way; the lock is held."""
        for debt in debts:
            self._marks -= debt.mark is not None
            left = self._flying[debt.key_hash] - 1
            if left:
                self._flying[debt.key_hash] = left
            else:
                del self._flying[debt.key_hash]

    def _pay(self, debts: list[Debt]) -> None:
        copy = self._copy
        if copy.stop or self._over or not copy.may_call():
            return  # the debts stand in the outbox; who holds the lease next rechecks them
        fail_point("before-link-call")
        try:
            answers, units = send(copy, debts)
        except Transient as trouble:
            self._postpone(debts, trouble)
            return
        copy.write_budget.pay(units)
        self.trouble, self.denied = "", None
        fail_point("after-link-call")
        if not copy.may_write():
            self._to_recheck(debts, "answered after the lease was lost")
            return
        self._settle(debts, answers)

    def _postpone(self, debts: list[Debt], trouble: Transient) -> None:
        """No answer: the writes may have happened or not. Throttled as a whole: they have not."""
        self.trouble = str(trouble)
        if isinstance(trouble, Throttled):
            self._copy.write_budget.throttled()
            wait_s = back_off_s(max(debt.attempts for debt in debts) + 1, POSTPONE_S_MAX)
            self._settled(lambda: self._put_off(debts, wait_s))
        else:
            self._given_up(debts)

    def _pays_nothing(self, debts: Sequence[Debt], cause: str) -> int:
        """The items are read again, each time later than before. How many such calls it were in a row, at most."""
        found = self.fruitless.note(debts)
        for again in found:
            # the debt comes after the recheck, which settles it or owes it anew: else each look would make two calls
            self._settled(partial(self._put_off, again.debts, again.wait_s + RECHECK_FIRST_S))
            self._to_recheck(again.debts, cause, again.wait_s)
        return max(again.calls for again in found)

    def _given_up(self, debts: Sequence[Debt]) -> None:
        """A call without an answer may still be on its way and clear the mark of a newer write: looked at twice."""
        self._pays_nothing(debts, "no answer to the link")
        keys = [(debt.key_hash, debt.key) for debt in debts]
        self._settled(lambda: self._suspect(keys, "no answer to the link, again", LATE_RECHECK_S, late=True))

    def _to_recheck(self, debts: Sequence[Debt], cause: str, wait_s: float = 0.0) -> None:
        keys = [(debt.key_hash, debt.key) for debt in debts]
        self._settled(lambda: self._suspect(keys, cause, wait_s))

    def _suspect(self, keys: Sequence[tuple[bytes, Item]], cause: str, wait_s: float, *, late: bool = False) -> None:
        session = self._session()
        due_at = session.now() + wait_s if wait_s else 0.0
        recheck.add(session, self._copy.table, keys, cause, due_at=due_at, late=late)

    def _put_off(self, debts: Sequence[Debt], wait_s: float) -> None:
        session = self._session()
        outbox.postpone(session, self._copy.table, debts, session.now() + wait_s)

    def _settle(self, debts: list[Debt], answers: list[StatementAnswer]) -> None:
        copy = self._copy
        good: list[Debt] = []
        unclear: list[Debt] = []
        failed: list[tuple[Debt, StatementAnswer]] = []
        later: list[Debt] = []
        silent: list[Debt] = []
        for debt, answer in zip(debts, answers, strict=True):
            if answer.code == NOT_SENT:
                continue  # still owed
            if answer.code is None:
                is_same = _pays(copy, debt, answer)
                (good if is_same else unclear).append(debt)
            elif answer.code in RETRYABLE or answer.code in NO_RIGHTS:
                later.append(debt)
                self._refusal(answer)
            elif refused_for_good(answer) and debt.row_id is not None:
                self._refused(debt, answer)
            elif answer.code == NO_ANSWER:
                silent.append(debt)
            else:
                failed.append((debt, answer))
        fail_point("before-link-paid")
        at = clock.monotonic()
        with self._lock:
            self._paid |= {debt.key_hash: Paid(at, debt.digest) for debt in good if debt.mark is not None}
        self.fruitless.paid(good)
        moved = [
            debt for debt in self._settled(lambda: outbox.pay(self._session(), copy.table, good)) if not _told(debt)
        ]
        fail_point("after-link-paid")
        copy.counters.links_paid += len(good) - len(moved)
        if moved:
            self._to_recheck(moved, "written again while its link was under way")
        if unclear:
            self._to_recheck(unclear, "the item had changed")
        if failed:
            self._failures(failed)
        if silent:
            self._given_up(silent)
        if later:
            if any(one.code and ("Throttl" in one.code or "Throughput" in one.code) for one in answers):
                copy.write_budget.throttled()
            wait_s = back_off_s(max(debt.attempts for debt in later) + 1, POSTPONE_S_MAX)
            self._settled(lambda: self._put_off(later, wait_s))
        met = [debt.key_hash for debt in good if copy.foreign.met(debt.key_hash) and debt.row_id is not None]
        if met:
            copy.foreign.link_is_through(met, clock.monotonic())
            self._settled(lambda: foreign_link.arm(self._session(), copy.table, met))

    def _failures(self, failed: Sequence[tuple[Debt, StatementAnswer]]) -> None:
        """Calls that changed nothing: a condition that failed, or an answer of which it is not known what it means."""
        calls = self._pays_nothing([debt for debt, _ in failed], "the item had changed")
        told = next((answer for _, answer in failed if answer.code not in CONDITION_FAILED), None)
        if told is not None and calls >= TOLD_CALLS:
            self._refusal(told)

    def _refusal(self, answer: StatementAnswer) -> None:
        """Say why the links of the whole table wait."""
        self.trouble = f"DynamoDB refuses link writes: {answer.code}: {answer.message}"
        if answer.code in NO_RIGHTS:
            self.denied = TwinrowError(
                self.trouble,
                where=f"table {self._copy.table}",
                remedy="grant the rights that `twinrow iam-policy` prints",
            )

    def _settled(self, work: Callable[[], Result]) -> Result:
        """Run one statement or small transaction; a deadlock with the writer runs it again, a few times."""
        for tried in range(1, SETTLE_TRIES_MAX):
            try:
                return work()
            except TransactionRetry:
                self._copy.stop.wait(back_off_s(tried))
        return work()

    def _refused(self, debt: Debt, answer: StatementAnswer) -> None:
        """DynamoDB will never take this id (an item at 400 KB): clear the mark alone, count the item as unlinked."""
        copy = self._copy
        copy.counters.links_refused += 1
        reason = f"{answer.code}: {answer.message}"
        if debt.mark is not None:
            bare = Debt(debt.key_hash, debt.key, debt.generation, debt.digest, None, debt.mark)
            cleared, units = send(copy, [bare])
            copy.write_budget.pay(units)
            if cleared[0].code == NOT_SENT:
                return  # still owed, and refused again by then
            if cleared[0].code == NO_ANSWER:
                self._given_up([debt])
                return
            if cleared[0].code is not None:
                self._failures([(debt, answer if cleared[0].code in CONDITION_FAILED else cleared[0])])
                return
            if not _pays(copy, debt, cleared[0]):
                self._to_recheck([debt], "the item had changed")
                return
        self._settled(lambda: outbox.refuse(self._session(), copy.table, debt, reason))


def _told(debt: Debt) -> bool:
    """Whether a stream tells of every other write: what it has shown since has a debt of its own, or owes nothing.

    Often that is our own write, come back before its answer was settled.
    """
    return debt.digest == outbox.NO_DIGEST


def _pays(copy: Copy, debt: Debt, answer: StatementAnswer) -> bool:
    """Whether a success met the image that the row was made from, as far as that matters."""
    if _told(debt):
        return True
    return answer.old is not None and digest(answer.old, copy.settings.own) == debt.digest


def pay_what_is_due(copy: Copy, linker: Linker, limit: int) -> int:
    """Send debts of the outbox whose time has come and whose call is not under way; how many."""
    known = linker.known()
    due = [debt for debt in outbox.due(copy.writer, copy.table, copy.writer.now(), limit) if debt.key_hash not in known]
    linker.submit(due)
    return len(due)


def clear_left_marks(copy: Copy, linker: Linker, limit: int) -> int:
    """Send the next marks that were left to the outbox, by a walk over it from `left_after` on; how many."""
    due = outbox.due_marks(copy.writer, copy.table, copy.writer.now(), linker.left_after, limit)
    linker.left_marks = len(due) == limit
    linker.left_after = due[-1].key_hash if linker.left_marks else b""
    known = linker.known()
    ready = [debt for debt in due if debt.key_hash not in known]
    linker.submit(ready)
    return len(ready)


def unanswered_to_recheck(copy: Copy) -> None:
    """On start nobody knows what became of the calls that the outbox speaks of: all of it is rechecked."""
    outbox.to_recheck(copy.writer, copy.table, "unfinished link", late=False, due_at=0.0)


def late_to_recheck(copy: Copy) -> None:
    """On takeover again after LATE_RECHECK_S, when no request signed by the former holder can still arrive."""
    due_at = copy.writer.now() + LATE_RECHECK_S
    outbox.to_recheck(copy.writer, copy.table, "unfinished link, again", late=True, due_at=due_at)
