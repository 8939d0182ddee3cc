"""Link back: row ids into items and marks off them, in conditional batches; every answer is settled by its meaning.

No image from an answer is ever written: by the time it arrives it may be old. Only "success, and the image before is
what the row was made from, and nobody has written the row since" pays a debt; what is unclear goes to recheck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from twinrow import clock
from twinrow.change import AttributeValue
from twinrow.decode.attribute import digest
from twinrow.dynamodb import STATEMENTS_MAX, DynamoDBError, Statement, StatementAnswer
from twinrow.errors import Throttled, TransactionRetry, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.state import foreign_link, outbox, recheck
from twinrow.state.outbox import Debt
from twinrow.sync.copy import Copy

CALLS_AT_ONCE_MAX = 8
SETTLE_TRIES_MAX = 8
POSTPONE_S_MAX = 30.0
HOT_ITEM_RECHECK_S = 0.2
RETRYABLE = frozenset({
    "ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded", "TransactionConflict",
    "InternalServerError",
    "ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException", "DuplicateItem",
    "InternalServerErrorException", "ReplicatedWriteConflictException",
})  # fmt: skip
FOR_GOOD = frozenset({
    "ValidationError", "ValidationException", "ItemCollectionSizeLimitExceeded",
    "ItemCollectionSizeLimitExceededException",
})  # fmt: skip
NO_RIGHTS = frozenset({"AccessDenied", "AccessDeniedException"})
"""Trouble of the whole table, not of an item: the debts wait, and `status` says why."""
NO_ANSWER = "NoAnswer"
LATE_RECHECK_S = 900.0
"""AWS refuses a request whose signature is older than 15 minutes: after that no call that was given up can arrive."""


Result = TypeVar("Result")


class Linker:
    """Pays the debts of one table with several calls in flight; settles on sessions of its own, one per thread."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE_MAX, thread_name_prefix=f"link-{copy.table}")
        if copy.settings.linked or copy.settings.pending is not None:
            self._pool.submit(copy.dynamodb.prepare_to_link)  # what fails here fails at the first call again
        self._sessions = threading.local()
        self._opened: list[Connection] = []
        self._lock = threading.Lock()
        self._flying: dict[bytes, int] = {}
        self._calls: set[Future[None]] = set()
        self.trouble = ""
        self.denied: TwinrowError | None = None
        self._failed: BaseException | None = None

    def submit(self, debts: Sequence[Debt]) -> None:
        """Send the calls for these debts (distinct keys). Raises what an earlier call failed with."""
        self.raise_failure()
        for first in range(0, len(debts), STATEMENTS_MAX):
            part = list(debts[first : first + STATEMENTS_MAX])
            with self._lock:
                for debt in part:
                    self._flying[debt.key_hash] = self._flying.get(debt.key_hash, 0) + 1
                call = self._pool.submit(self._work, part)
                self._calls.add(call)
            call.add_done_callback(self._over)

    def in_flight(self) -> set[bytes]:
        """The keys whose call is under way."""
        with self._lock:
            return set(self._flying)

    def calls(self) -> int:
        """How many calls are under way or wait for a thread."""
        with self._lock:
            return len(self._calls)

    def drain(self, seconds: float) -> bool:
        """Wait until no call is under way, at most `seconds`; whether it came to that."""
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0:
            with self._lock:
                waiting = list(self._calls)
            if not waiting:
                self.raise_failure()
                return True
            wait(waiting, timeout=min(left, 1.0), return_when=FIRST_COMPLETED)
        return not self.calls()

    def raise_failure(self) -> None:
        """Raise what a call failed with outside of DynamoDB's answers (MySQL gone, a bug)."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Wait for calls under way (each bounded by its time-out) and close the sessions."""
        self._pool.shutdown(wait=True, cancel_futures=True)
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

    def _work(self, debts: list[Debt]) -> None:
        try:
            self._pay(debts)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - handed to the table's thread, which raises it
            self._failed = error
        finally:
            with self._lock:
                for debt in debts:
                    left = self._flying[debt.key_hash] - 1
                    if left:
                        self._flying[debt.key_hash] = left
                    else:
                        del self._flying[debt.key_hash]

    def _over(self, call: Future[None]) -> None:
        with self._lock:
            self._calls.discard(call)

    def _pay(self, debts: list[Debt]) -> None:
        copy = self._copy
        copy.write_budget.wait(copy.stop)
        if copy.stop or not copy.may_call():
            return  # the debts stand in the outbox; who holds the lease next rechecks them
        fail_point("before-link-call")
        try:
            answers, units = _send(copy, debts)
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
            self._settled(lambda: outbox.postpone(self._session(), self._copy.table, debts, clock.now() + wait_s))
        else:
            self._given_up(debts)

    def _given_up(self, debts: Sequence[Debt]) -> None:
        """A call without an answer may still be on its way and clear the mark of a newer write: looked at twice."""
        self._to_recheck(debts, "no answer to the link")
        keys = [(debt.key_hash, debt.key) for debt in debts]
        due_at = clock.now() + LATE_RECHECK_S
        self._settled(
            lambda: recheck.add(
                self._session(), self._copy.table, keys, "no answer to the link, again", due_at=due_at, late=True
            )
        )

    def _to_recheck(self, debts: Sequence[Debt], cause: str, wait_s: float = 0.0) -> None:
        keys = [(debt.key_hash, debt.key) for debt in debts]
        due_at = clock.now() + wait_s if wait_s else 0.0
        self._settled(lambda: recheck.add(self._session(), self._copy.table, keys, cause, due_at=due_at))

    def _settle(self, debts: list[Debt], answers: list[StatementAnswer]) -> None:
        copy = self._copy
        good: list[Debt] = []
        unclear: list[Debt] = []
        later: list[Debt] = []
        silent: list[Debt] = []
        for debt, answer in zip(debts, answers, strict=True):
            if answer.code is None:
                is_same = answer.old is not None and digest(answer.old, copy.settings.own) == debt.digest
                (good if is_same else unclear).append(debt)
            elif answer.code in RETRYABLE or answer.code in NO_RIGHTS:
                later.append(debt)
                self._refusal(answer)
            elif answer.code in FOR_GOOD and debt.row_id is not None:
                self._refused(debt, answer)
            else:
                (silent if answer.code == NO_ANSWER else unclear).append(debt)
        fail_point("before-link-paid")
        moved = self._settled(lambda: outbox.pay(self._session(), copy.table, good))
        fail_point("after-link-paid")
        copy.counters.links_paid += len(good) - len(moved)
        if moved:
            self._to_recheck(moved, "written again while its link was under way")
        if unclear:
            self._to_recheck(unclear, "the item had changed", HOT_ITEM_RECHECK_S if unclear[0].attempts else 0.0)
        if silent:
            self._given_up(silent)
        if later:
            if any(one.code and ("Throttl" in one.code or "Throughput" in one.code) for one in answers):
                copy.write_budget.throttled()
            wait_s = back_off_s(max(debt.attempts for debt in later) + 1, POSTPONE_S_MAX)
            self._settled(lambda: outbox.postpone(self._session(), copy.table, later, clock.now() + wait_s))
        met = [debt.key_hash for debt in good if debt.key_hash in copy.foreign and debt.row_id is not None]
        if met:
            self._settled(lambda: foreign_link.arm(self._session(), copy.table, met))

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
            cleared, units = _send(copy, [bare])
            copy.write_budget.pay(units)
            is_same = cleared[0].old is not None and digest(cleared[0].old, copy.settings.own) == debt.digest
            if cleared[0].code is not None or not is_same:
                self._to_recheck([debt], "the item had changed")
                return
        self._settled(lambda: outbox.refuse(self._session(), copy.table, debt, reason))


def _quotable(name: str) -> bool:
    """Whether PartiQL can name it: doubled quotes work, control characters and the empty name do not."""
    return bool(name) and name.isprintable()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def statement(copy: Copy, debt: Debt) -> Statement:
    """The PartiQL UPDATE of one debt; it never creates an item, and the condition names the mark that was seen."""
    settings = copy.settings
    sets: list[str] = []
    parameters: list[AttributeValue] = []
    removes: list[str] = []
    if debt.row_id is not None:
        sets.append(f"SET {_quoted(settings.link_attribute)}=?")
        parameters.append({"N": str(debt.row_id)})
    where = [f"{_quoted(name)}=?" for name in debt.key]
    conditions = list(debt.key.values())
    if debt.mark is not None and settings.pending is not None:
        if settings.pending.done is None:
            removes.append(f"REMOVE {_quoted(settings.pending.attribute)}")
        else:
            sets.append(f"SET {_quoted(settings.pending.attribute)}=?")
            parameters.append(settings.pending.done)
        where.append(f"{_quoted(settings.pending.attribute)}=?")
        conditions.append(debt.mark)
    text = f"UPDATE {_quoted(copy.table)} {' '.join(sets + removes)} WHERE {' AND '.join(where)} RETURNING ALL OLD *"
    return Statement(text, (*parameters, *conditions))


def _send(copy: Copy, debts: list[Debt]) -> tuple[list[StatementAnswer], float]:
    """One batch call, or one UpdateItem each where PartiQL is not allowed or cannot name something."""
    names = {copy.settings.link_attribute, *(debts[0].key if debts else ())}
    if copy.settings.pending is not None:
        names.add(copy.settings.pending.attribute)
    if copy.partiql and all(map(_quotable, names)):
        try:
            answers, units = copy.dynamodb.execute_statements(copy.table, [statement(copy, debt) for debt in debts])
            return _send_denied(copy, debts, answers, units)
        except DynamoDBError as error:
            if error.code == "ValidationException" and len(debts) > 1:
                return _send_each(copy, debts)
            if error.code not in ("AccessDeniedException", "UnknownOperationException", "ValidationException"):
                raise
            copy.partiql = error.code == "ValidationException"
    return _send_each(copy, debts)


def _send_denied(
    copy: Copy, debts: list[Debt], answers: list[StatementAnswer], units: float
) -> tuple[list[StatementAnswer], float]:
    """Statements for which PartiQL's own right is missing go by UpdateItem, now and from now on."""
    denied = [number for number, answer in enumerate(answers) if answer.code in NO_RIGHTS]
    if not denied:
        return answers, units
    copy.partiql = False
    again, more = _send_each(copy, [debts[number] for number in denied])
    settled = dict(zip(denied, again, strict=True))
    return [settled.get(number, answer) for number, answer in enumerate(answers)], units + more


def _send_each(copy: Copy, debts: list[Debt]) -> tuple[list[StatementAnswer], float]:
    answers, units = [], 0.0
    for debt in debts:
        try:
            answer, cost = copy.dynamodb.update_item(copy.table, debt.key, **update(copy, debt))
        except Throttled as trouble:
            answer, cost = StatementAnswer("ThrottlingError", str(trouble), None), 0.0
        except Transient as trouble:
            answer, cost = StatementAnswer(NO_ANSWER, str(trouble), None), 0.0
        answers.append(answer)
        units += cost
    return answers, units


def update(copy: Copy, debt: Debt) -> dict[str, object]:
    """The same write as `statement`, as UpdateItem's parameters; `attribute_exists` keeps it from creating an item."""
    settings = copy.settings
    names = {f"#k{n}": name for n, name in enumerate(debt.key)}
    conditions = [f"attribute_exists({alias})" for alias in names]
    values: dict[str, AttributeValue] = {}
    sets: list[str] = []
    removes: list[str] = []
    if debt.row_id is not None:
        names["#l"] = settings.link_attribute
        values[":l"] = {"N": str(debt.row_id)}
        sets.append("#l = :l")
    if debt.mark is not None and settings.pending is not None:
        names["#m"] = settings.pending.attribute
        values[":m"] = debt.mark
        conditions.append("#m = :m")
        if settings.pending.done is None:
            removes.append("#m")
        else:
            values[":d"] = settings.pending.done
            sets.append("#m = :d")
    parts = (["SET " + ", ".join(sets)] if sets else []) + (["REMOVE " + ", ".join(removes)] if removes else [])
    asked: dict[str, object] = {
        "UpdateExpression": " ".join(parts), "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
    }  # fmt: skip
    if values:
        asked["ExpressionAttributeValues"] = values
    return asked


def pay_what_is_due(copy: Copy, linker: Linker, limit: int) -> int:
    """Send debts of the outbox whose time has come and whose call is not under way; how many."""
    flying = linker.in_flight()
    due = [debt for debt in outbox.due(copy.writer, copy.table, clock.now(), limit) if debt.key_hash not in flying]
    linker.submit(due)
    return len(due)


def unanswered_to_recheck(copy: Copy, *, taken_over: bool) -> None:
    """On start nobody knows what became of the calls that the outbox speaks of: all of it is rechecked.

    On takeover a second time after LATE_RECHECK_S, when no request signed by the former holder can still arrive.
    """
    outbox.to_recheck(copy.writer, copy.table, "unfinished link", late=False, due_at=0.0)
    if taken_over:
        outbox.to_recheck(
            copy.writer, copy.table, "unfinished link, again", late=True, due_at=clock.now() + LATE_RECHECK_S
        )


def check_may_link(copy: Copy) -> None:
    """Raise TwinrowError when the link attribute cannot be written at all."""
    names = {name for name, _ in ((one.name, one.kind) for one in copy.schema.keys)}
    if copy.settings.link_attribute in names:
        raise TwinrowError(
            f"`link_attribute` {copy.settings.link_attribute!r} is a key attribute", where=f"table {copy.table}",
            remedy="name another attribute",
        )  # fmt: skip
