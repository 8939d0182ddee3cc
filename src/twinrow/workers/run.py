"""A table's thread: win the lease, give the work its turns until stopped, or once until all is copied."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow import clock
from twinrow.dynamodb_error import WITHHELD_CODES as DYNAMODB_WITHHELD
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import (
    ConfigError,
    ConnectionLost,
    LeaseLost,
    ServerState,
    StartRefused,
    Transient,
    TwinrowError,
    fault_of,
    reason_of,
)
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import BY_HAND_CODES, KNOWN_CODES, REFUSED_START_CODES
from twinrow.mysql_session import SessionRefused
from twinrow.retry import BACK_OFF_S_MAX, back_off_s
from twinrow.state import dead_letter, gap, lease, meta, outbox, recheck, refusal, tables
from twinrow.state.settling import Settling
from twinrow.sync.table_work import TableWork
from twinrow.table.context import TableContext
from twinrow.workers.shared import Shared, StandingBy

STAND_BY_S = 0.5
MOVES = "moves to another process, for fair shares"
ASK_YOURSELF_S = 10.0
"""A table that stands by looks for itself after so long, whatever the shared question says."""
TURN_S = 1.0
"""Time for which a table's thread gives its work a turn."""
START_TRIES_MAX = 4
GIVE_UP_S_MAX = 60.0
"""`--once` waits at most this long for a state of MySQL, or after an error that is not known, without progress."""
STEADY_S = BACK_OFF_S_MAX
"""A failure this long after the last, or after a commit, counts as a new failure: waits begin small again."""


@dataclass
class Outcome:
    """How a table's run ended: an error (None: well), and whether another process did the work."""

    error: TwinrowError | None = None
    dead_letters: int = 0
    left_to_holder: bool = False


class TableRun:
    """The life of one table in this process: its lease is won, its work gets turns, and trouble is waited out."""

    def __init__(self, context: TableContext, shared: Shared) -> None:
        self.context = context
        self.shared = shared
        self.work = TableWork(context, shared)
        self._gave_up = False
        shared.adds(self)
        context.table.stop.tells(context.table.bell.ring)
        self._holders: Settling | None = None
        self._trouble_at = 0.0

    @property
    def phase(self) -> str:
        """The phase of the copy, "" before its work has begun."""
        return self.work.phase

    @property
    def holds(self) -> bool:
        """Whether this process holds the table's lease, as far as it knows."""
        return self.shared.holds(self.context.name)

    @property
    def waits(self) -> str:
        """Why it waits at this moment, empty while it goes on."""
        return self.work.waits

    @property
    def counted_since(self) -> float | None:
        """Since when this process counts (MySQL's clock), which tells its counts from those of others."""
        return self.work.counted_since

    def run(self) -> Outcome:
        """Until stopped (or once); troubles that pass are waited out, a lost lease is waited for again."""
        attempt = 0
        while not self.context.table.stop:
            began, known = clock.monotonic(), self.context.tenure.generation
            try:
                if self._stand_by():
                    return Outcome(left_to_holder=True)
                if self.context.table.stop:
                    break
                self.work.begin()
                if self._work():
                    return self._finish()
            except LeaseLost as lost:
                self.work.close()
                self.shared.leases.pop(self.context.name, None)
                self.context.tenure.let_go()
                self.work.begun_at = 0.0
                self.shared.on_waiting(self.context.name, str(lost))
            except TwinrowError as error:
                if self.context.table.stop and isinstance(error, Transient):
                    break
                error = self._by_hand(error)
                if not self._passes(error):
                    self._broken(error)
                    return Outcome(error=error)
                moved = self.context.tenure.generation > known or clock.monotonic() - began > STEADY_S
                attempt = 1 if moved else attempt + 1
                if not self._trouble_at or self.context.tenure.generation > known:
                    self._trouble_at = clock.monotonic()
                if self._gives_up(error, attempt):
                    self.work.close()
                    self._let_go()
                    return Outcome(error=error)
                self._wait_for(error, attempt)
            except Exception as fault:  # noqa: BLE001 - reported as this table's end; nobody would go on with its lease
                broken = fault_of(fault, self.context.name)
                self._broken(broken)
                return Outcome(error=broken)
        self.work.close()
        self._let_go(ended=True)
        return Outcome()

    def _work(self) -> bool:
        """Give the work its turns until it is through or stopped; False when the table goes on in another process."""
        name = self.context.name
        while not self.context.table.stop:
            if self.work.turn(clock.monotonic() + TURN_S).through:
                return True
            if name in self.shared.give_up:
                self.shared.give_up.discard(name)
                if self.shared.may_move(name):
                    self._move()
                    return False
        return True

    def _move(self) -> None:
        """Let go in good order: who takes the table goes on where it stands."""
        settled = self.work.close()
        self._let_go(settled=settled, waits_for=MOVES)
        self.work.begun_at, self._gave_up = 0.0, True

    def _gives_up(self, error: TwinrowError, attempt: int) -> bool:
        """Whether `--once` ends: at its very start a server that does not answer is an error, not a wait.

        For a state of MySQL, or an error that is not known, it waits GIVE_UP_S_MAX, and then it ends, too.
        """
        if not self.shared.once:
            return False
        if not isinstance(error, Transient) or (isinstance(error, ServerState) and self.phase == ""):
            return clock.monotonic() - self._trouble_at > GIVE_UP_S_MAX
        return self.phase == "" and attempt >= START_TRIES_MAX

    def _passes(self, error: TwinrowError) -> bool:
        """Whether a trouble is waited for.

        So is what is not known of MySQL, wherever it comes, and rights and logins taken away from a sync that runs.
        """
        if isinstance(error, Transient):
            return True
        if isinstance(error, MySQLError):
            if error.code not in KNOWN_CODES:
                return True
            return not self.shared.once and self.phase != ""
        if self.shared.once or self.phase == "":
            return False
        return isinstance(error, SessionRefused) or (
            isinstance(error, DynamoDBError) and error.code in DYNAMODB_WITHHELD
        )

    def _stand_by(self) -> bool:
        """Win the lease; True when another process holds it and has done (for `--once`) what was asked for."""
        table = self.context.table
        try:
            if self._gave_up:  # tried at once, it would be taken back
                self._gave_up = False
                self._wait_until_free()
            while not table.stop:
                with table.mysql.pool.lent() as session:
                    meta.install(session)
                    lease.enter(session, table.name)
                    if self._wins(session):
                        return False
                    if self.shared.once and self._holder_has_done_all(session):
                        return True
                if self.shared.once:
                    table.stop.wait(STAND_BY_S)
                else:
                    self._wait_until_free()
            return False
        finally:
            self.shared.waiting.pop(table.name, None)

    def _wins(self, session: Connection) -> bool:
        context, at = self.context, clock.boot_time()
        held = lease.acquire(session, context.name, self.shared.holder, context.table.mysql.lease_s, for_run=True)
        if held is None:
            return False
        fail_point("after-lease")
        context.tenure.hold(held, at)
        self.shared.give_up.discard(context.name)  # an older decision
        self.shared.leases[context.name] = context
        return True

    def _holder_has_done_all(self, session: Connection) -> bool:
        """For `--once`: whether the process that holds the table has copied and settled all from before the start."""
        context = self.context
        # what a holder has committed, a successor must find
        context.tenure.committed(lease.generation(session, context.name))
        registered = tables.load(session, context.name)
        if self._holder_has_caught_up(registered) and self._holder_is_through(session):
            return True
        self._tell_standing_by(registered.reason if registered is not None else "")
        return False

    def _wait_until_free(self) -> None:
        """Wait until nobody alive holds the table, as `workers.asks` hears for all tables; at most ASK_YOURSELF_S."""
        shared, table = self.shared, self.context.table
        standing = shared.waiting[table.name] = StandingBy()
        until = clock.monotonic() + ASK_YOURSELF_S
        while not table.stop and (left_s := until - clock.monotonic()) > 0:
            if (answer := standing.answer) is not None:
                if answer.is_free:
                    return
                # what a holder has committed, a successor must find
                self.context.tenure.committed(answer.generation)
                self._tell_standing_by(answer.reason)
            table.bell.wait(min(STAND_BY_S, left_s))

    def _tell_standing_by(self, reason: str) -> None:
        text = f"stands by: another process copies this table{f' ({reason})' if reason else ''}"
        self.shared.on_waiting(self.context.name, text)

    def _holder_has_caught_up(self, registered: tables.Registered | None) -> bool:
        """Whether the holder has copied what was written before this process began, both by DynamoDB's clock.

        It is read by two processes with a grain of a second each.
        """
        their_clock = self.context.table.dynamodb.clock
        if not their_clock.is_known:
            self.context.table.dynamodb.describe(self.context.name)
        if (
            registered is None
            or not registered.snapshot_done_at
            or clock.is_ahead(registered.caught_up_at, their_clock.now())
        ):
            return False
        return registered.caught_up_at > their_clock.latest(self.shared.began) + clock.DATE_GRAIN_S

    def _holder_is_through(self, session: Connection) -> bool:
        """Whether the process that holds the table has settled what it owed and suspected once it had caught up."""
        table = self.context.name
        if self._holders is None:
            self._holders = Settling(
                lambda limit: recheck.waiting(session, table, limit) | outbox.owing(session, table, limit)
            )
        return self._holders.through() and not gap.open_gaps(session, table)

    def _wait_for(self, trouble: TwinrowError, attempt: int) -> None:
        """Drop what hangs on the lost session; the next try reads positions and pending links from MySQL."""
        self.work.close()
        self.work.waits = str(trouble)
        self.shared.on_waiting(self.context.name, str(trouble))
        try:
            if not isinstance(trouble, ConnectionLost):
                self.work.trouble = reason_of(trouble)
                tables.note(self._writer(), self.context.tenure.lease, **tables.because(self.work.trouble))
        except TwinrowError as also:
            self._not_noted(also)
        self._let_go(waits_for=str(trouble))
        self.context.table.stop.wait(back_off_s(attempt))

    def _by_hand(self, error: TwinrowError) -> TwinrowError:
        """What a person has to mend: at a start a login or a database's name, else a copy that was changed by hand.

        "No such table" and the like may also speak of a table of somebody's trigger: that is waited for.
        """
        if not isinstance(error, MySQLError):
            return error
        if self.phase == "" and error.code in REFUSED_START_CODES:
            return StartRefused(error.what, where=error.where, remedy=error.remedy, commands=error.commands)
        if self.phase == "" or error.code not in BY_HAND_CODES:
            return error
        return self.work.changed_by_hand() or error

    def _broken(self, error: TwinrowError) -> None:
        """This table stops; the reason stays in `status` (a refusal to start leaves the phase as it was)."""
        self.work.close()
        context = self.context
        try:
            refused = not self.phase and isinstance(error, StartRefused | ConfigError | MySQLError | DynamoDBError)
            values = {**tables.because(reason_of(error)), "ended_at": None} | ({} if refused else {"phase": "BROKEN"})
            meta.check_version(self._writer())  # a state that a newer Twinrow has written is left as it is
            if tables.load(self._writer(), context.name) is None:
                refusal.note(self._writer(), context.name, reason_of(error))
            elif context.tenure.held is not None:
                tables.note(self._writer(), context.tenure.held, **values)
            elif lease.holder_of(self._writer(), context.name) is None:  # else another process copies it, and tells how
                tables.update(self._writer(), context.name, **values)
        except TwinrowError as also:
            self._not_noted(also)
        self._let_go()

    def _not_noted(self, error: TwinrowError) -> None:
        """What `status` should show, or the end of the lease, did not reach MySQL: the log says so, `status` cannot."""
        self.shared.on_waiting(self.context.name, f"how it stands could not be noted in MySQL: {error}")

    def _finish(self) -> Outcome:
        context = self.context
        settled = self.work.finish()
        letters = dead_letter.count(self._writer(), context.name)
        self._let_go(settled=settled)
        return Outcome(dead_letters=letters)

    def _let_go(self, *, settled: bool = False, ended: bool = False, waits_for: str = "") -> None:
        """Give the lease back where that is possible; else it runs out by itself, or is taken again by this process.

        `ended`: by request, so what was noted holds as of now. `waits_for`: it goes on later; until it has read
        again nothing is known, as after its beginning.
        """
        context = self.context
        held = self.shared.leases.pop(context.name, None)
        try:
            if held is not None:
                if ended or waits_for:
                    again = {"begun_at": self.work.begun_at or self._writer().now()} if waits_for else {}
                    tables.note(
                        self._writer(),
                        context.tenure.lease,
                        ended_at=self._writer().now(),
                        **again,
                    )
                lease.release(self._writer(), context.tenure.lease, settled=settled, waits_for=waits_for)
        except TwinrowError as error:
            self._not_noted(error)
        context.tenure.let_go()

    def _writer(self) -> Connection:
        return self.context.tenure.open_writer()
