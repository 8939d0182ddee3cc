"""One table's thread: win the lease, make ready, then step after step until stopped, or once until all is copied."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from twinrow import clock
from twinrow.dynamodb_error import WITHHELD_CODES as DYNAMODB_WITHHELD
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import (
    Broken,
    ConfigError,
    ConnectionLost,
    LeaseLost,
    Reason,
    ServerState,
    StartRefused,
    Throttled,
    Transient,
    TwinrowError,
    fault_of,
    reason_of,
)
from twinrow.failpoint import fail_point
from twinrow.link import due
from twinrow.link.queue import CALLS_AT_ONCE_MAX
from twinrow.link.settle import POSTPONE_S_MAX
from twinrow.link.threads import Linker
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import BY_HAND_CODES, KNOWN_CODES, REFUSED_START_CODES
from twinrow.mysql_session import SessionRefused
from twinrow.retry import BACK_OFF_S_MAX, back_off_s
from twinrow.sink import by_hand
from twinrow.state import counted, dead_letter, gap, lease, meta, outbox, recheck, refusal, tables
from twinrow.state.settling import Settling
from twinrow.sync import page_source, start
from twinrow.sync.kind import Source, SourceNeeds, kind_of
from twinrow.sync.progress import Teller
from twinrow.sync.recheck import recheck_some
from twinrow.sync.reconcile import Reconcile
from twinrow.sync.snapshot import Snapshot, finish
from twinrow.table import identity
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers import readers
from twinrow.write import loss
from twinrow.write.cells import PutOff
from twinrow.write.mixed import MixedTypes

IDLE_S = 0.05
IDLE_S_MIN = 0.01
"""The first pause after work: what was just begun (a link, a query) is often through by then."""
NOTE_EVERY_S = 0.5
STAND_BY_S = 0.5
SOURCE_LOOK_EVERY_S = 60.0
"""DescribeTable costs nothing, but AWS takes only so many of them a second from an account."""
DUE_LINKS_MAX = 500
DUE_LINKS_EVERY_S = 0.5
LINK_CALLS_WAITING_MAX = 64
LINKS_WAIT_S = 0.25
"""So long a step lets the links catch up; a stream is followed meanwhile, and rows come before their links."""
START_TRIES_MAX = 4
GIVE_UP_S_MAX = 60.0
"""So long `--once` waits for a state of MySQL, or for an error that is not known, without getting on."""
STEADY_S = BACK_OFF_S_MAX
"""Trouble after so long, or after a commit, is another one than before: waits begin small again."""


@dataclass
class Outcome:
    """How a table's run ended: an error (None: well), and whether another process did the work."""

    error: TwinrowError | None = None
    dead_letters: int = 0
    left_to_holder: bool = False


@dataclass
class Shared:
    """What the table threads of one process share: leases for the heartbeat, and how they are going.

    `began` is when the process began its work, of `clock.boot_time`; each server's clock tells its time of that.
    """

    holder: str
    once: bool
    began: float
    leases: dict[str, TableContext] = field(default_factory=dict)
    on_waiting: Callable[[str, str], None] = lambda table, reason: None
    on_described: Callable[[TableDescription], None] = lambda description: None


class TableRun:
    """The life of one table in this process; `waits` is why it waits at this moment, empty while it goes on."""

    def __init__(self, context: TableContext, shared: Shared) -> None:
        self.context = context
        self.shared = shared
        self.phase = ""
        self.waits = ""
        self._teller: Teller | None = None
        self._cells = PutOff(context)
        self._mixed = MixedTypes(context)
        self._source: Source | None = None
        self._snapshot: Snapshot | None = None
        self._reconcile: Reconcile | None = None
        self._linker: Linker | None = None
        self._noted_at = 0.0
        self._due_at = 0.0
        self._source_at = clock.monotonic()
        self._recheck_at = 0.0
        self._throttles = 0
        self._recheck_trouble = ""
        self._holders: Settling | None = None
        self._snapshot_over_at = 0.0
        self._trouble_at = 0.0
        self._begun_at = 0.0
        self._looped = False
        self._tried_again = False
        self._trouble = Reason()  # the last one, until this run has read how the copy stands

    @property
    def counted_since(self) -> float | None:
        """Since when this process counts (MySQL's clock), which tells its counts from those of others."""
        return self._teller.since if self._teller is not None else None

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
                self._begin()
                self._loop()
                return self._finish()
            except LeaseLost as lost:
                self._end_parts()
                self.shared.leases.pop(self.context.name, None)
                self.context.tenure.let_go()
                self._begun_at = 0.0
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
                    self._end_parts()
                    self._let_go()
                    return Outcome(error=error)
                self._wait_for(error, attempt)
            except Exception as fault:  # noqa: BLE001 - told as this table's end; nobody would go on with its lease
                broken = fault_of(fault, self.context.name)
                self._broken(broken)
                return Outcome(error=broken)
        self._end_parts()
        self._let_go(ended=True)
        return Outcome()

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
        context = self.context
        session = context.table.mysql.connect(idle_s=60)
        try:
            meta.install(session)
            lease.enter(session, context.name)
            while not context.table.stop:
                at = clock.boot_time()
                held = lease.acquire(
                    session, context.name, self.shared.holder, context.table.mysql.lease_s, for_run=True
                )
                if held is not None:
                    fail_point("after-lease")
                    context.tenure.hold(held, at)
                    self.shared.leases[context.name] = context
                    return False
                # what a holder has committed, a successor must find
                context.tenure.committed(lease.generation(session, context.name))
                registered = tables.load(session, context.name)
                if self.shared.once and self._holder_has_caught_up(registered) and self._holder_is_through(session):
                    return True
                reason = f" ({registered.reason})" if registered is not None and registered.reason else ""
                self.shared.on_waiting(context.name, f"stands by: another process copies this table{reason}")
                context.table.stop.wait(STAND_BY_S)
            return False
        finally:
            session.close()

    def _holder_has_caught_up(self, registered: tables.Registered | None) -> bool:
        """Whether the holder has copied what was written before this process began, both by DynamoDB's clock.

        It is read by two processes with a grain of a second each.
        """
        told = self.context.table.dynamodb.clock
        if not told.is_known:
            self.context.table.dynamodb.describe(self.context.name)
        if registered is None or not registered.snapshot_done_at or clock.is_ahead(registered.caught_up_at, told.now()):
            return False
        return registered.caught_up_at > told.latest(self.shared.began) + clock.DATE_GRAIN_S

    def _holder_is_through(self, session: Connection) -> bool:
        """Whether the process that holds the table has settled what it owed and suspected once it had caught up."""
        table = self.context.name
        if self._holders is None:
            self._holders = Settling(
                lambda limit: recheck.waiting(session, table, limit) | outbox.owing(session, table, limit)
            )
        return self._holders.through() and not gap.open_gaps(session, table)

    def _begin(self) -> None:
        context = self.context
        # until this run ends in good order, nothing that the one before has noted counts as known
        self._begun_at, self._looped = self._begun_at or self._writer().now(), False
        tables.note(self._writer(), context.tenure.lease, begun_at=self._begun_at, ended_at=None)
        if context.tenure.lease.taken_over:
            due.recheck_unfinished_late(self._writer(), context.name)
        description = context.table.describe()
        self.shared.on_described(description)
        start.check_source(context.table, description)
        registered = tables.load(self._writer(), context.name)
        source, pages = start.start(context, description)
        due.recheck_unfinished(self._writer(), context.name)
        if not self._tried_again:  # a run that begins again after trouble keeps the back-off
            recheck.try_again(self._writer(), context.name)
            self._tried_again = True
        there = lease.generation(self._writer(), context.name)
        loss.record_if_gone_back(self._writer(), context.name, there, context.tenure.generation)
        context.tenure.began_at(there)
        self._cells, self._mixed = PutOff(context), MixedTypes(context)
        is_broken = registered is not None and registered.phase == "BROKEN"
        loss.forget_foreign_ids(self._writer(), context.name, broken=is_broken)
        self._linker = Linker(context.table, context.tenure, context.counters, context.ids.foreign)
        self._source = kind_of(context.settings).source(
            SourceNeeds(context, self._linker, description, self.shared.once)
        )
        if context.state.first_copy:
            read_by = page_source.guarded(context, source, readers.readers_of(context, description))
            self._snapshot = Snapshot(context, source, pages, read_by)
        self.phase = "SNAPSHOT" if context.state.first_copy else "LIVE"
        self._reconcile = Reconcile(context, self.shared.began if self.shared.once else None)
        tables.note(self._writer(), context.tenure.lease, phase=self.phase, items=description.items)
        if registered is None:
            refusal.forget(self._writer(), context.name)

    def _writer(self) -> Connection:
        return self.context.tenure.open_writer()

    def _linker_now(self) -> Linker:
        if self._linker is None:
            raise LeaseLost("not begun", where=f"table {self.context.name}")
        return self._linker

    def _parts_now(self) -> Reconcile:
        if self._reconcile is None:
            raise LeaseLost("not begun", where=f"table {self.context.name}")
        return self._reconcile

    def _loop(self) -> None:
        context, linker = self.context, self._linker_now()
        reconcile = self._parts_now()
        idle_s = IDLE_S_MIN
        while not context.table.stop:
            self._check_lease()
            linker.raise_failure()
            if self.shared.once and linker.denied is not None:
                raise linker.denied
            worked = self._recheck()
            # With --once nothing later than its start is begun: under steady writes there is always something later.
            if self._source is not None and not self._adopts_first() and not (self.shared.once and self._is_through()):
                worked |= self._source_step(self._source)
            worked |= self._snapshot_step(wait_s=0.0 if worked else IDLE_S)
            if self._snapshot is None:
                worked |= reconcile.step()
                self._tell_waiting(reconcile.trouble)
            worked |= self._send_due_links()
            self._look_at_source()
            worked |= self._cells.step()
            if not (self.shared.once and worked):  # --once counts what it leaves, not what it finds
                worked |= self._mixed.step()
            context.live.build_key_index()
            self._looped = True
            self._note()
            if self.shared.once and not worked and self._caught_up():
                return
            if not worked:
                context.table.stop.wait(idle_s)
                idle_s = min(IDLE_S, idle_s * 2)
                continue
            idle_s = IDLE_S_MIN
            if linker.calls() > LINK_CALLS_WAITING_MAX:
                linker.drain(LINKS_WAIT_S)

    def _send_due_links(self) -> bool:
        """Send links that were put off; while calls are under way, they are not looked for at every step."""
        linker, now = self._linker_now(), clock.monotonic()
        if linker.left_marks and linker.marks() < DUE_LINKS_MAX:
            return due.send_left_marks(self._writer(), self.context.name, linker, DUE_LINKS_MAX) > 0
        if linker.calls() and (linker.calls() > CALLS_AT_ONCE_MAX or now - self._due_at < DUE_LINKS_EVERY_S):
            return False
        self._due_at = now
        return due.send_due(self._writer(), self.context.name, linker, DUE_LINKS_MAX) > 0

    def _look_at_source(self) -> None:
        """A table may be deleted and made again below a sync that runs; its index or scan then shows another one."""
        if clock.monotonic() - self._source_at < SOURCE_LOOK_EVERY_S:
            return
        self._source_at = clock.monotonic()
        try:
            identity.look(self._writer(), self.context.table)
        except Transient as trouble:  # asked again in a minute; what hangs on DynamoDB waits by itself
            self._tell_waiting(str(trouble))

    def _adopts_first(self) -> bool:
        """While ids are adopted, marks wait in their index: new items must not take ids that the scan still brings."""
        context = self.context
        return context.state.first_copy and context.settings.adopt_links and context.settings.traits.waits_for_adoption

    def _check_lease(self) -> None:
        if self.context.name not in self.shared.leases:
            raise LeaseLost("another process took over", where=f"table {self.context.name}")

    def _tell_waiting(self, trouble: str) -> None:
        if trouble:
            self.shared.on_waiting(self.context.name, trouble)

    def _recheck(self) -> bool:
        """Work off some suspects. While DynamoDB throttles their reads the rest goes on: a stream is not throttled."""
        if clock.monotonic() < self._recheck_at:
            return False
        try:
            worked, applied = recheck_some(self.context, self._linker_now().in_flight())
        except Throttled as trouble:
            self._throttles += 1
            self._recheck_at = clock.monotonic() + back_off_s(self._throttles)
            self._recheck_trouble = str(trouble)
            self._tell_waiting(self._recheck_trouble)
            return False
        self._throttles, self._recheck_trouble = 0, ""
        if applied is not None:
            self._linker_now().submit(applied.debts)
            by_hand = self._changed_by_hand() if not applied.not_taken.isdisjoint(BY_HAND_CODES) else None
            if by_hand is not None:
                raise by_hand
        return worked > 0

    def _source_step(self, source: Source) -> bool:
        worked, applied = source.step()
        if applied is not None:
            self._linker_now().submit(applied.debts)
        self._tell_waiting(source.trouble)
        return worked

    def _snapshot_step(self, wait_s: float) -> bool:
        if self._snapshot is None:
            return False
        applied = self._snapshot.step(wait_s)
        if applied is not None:
            self._linker_now().submit(applied.debts)
        if not self._snapshot.done:
            return applied is not None
        self._snapshot_over_at = self._snapshot_over_at or self.context.table.dynamodb.clock.now()
        if self._source_is_past(self._snapshot_over_at):
            self._snapshot.close()
            finish(self.context)
            if self._snapshot.fresh:
                self._parts_now().snapshot_is_through(self._snapshot.started_at)
            self._snapshot = None
            self.phase = "LIVE"
            return True
        if self.phase == "SNAPSHOT":
            self.phase = "CATCH_UP"
            tables.note(self._writer(), self.context.tenure.lease, phase=self.phase)
        return applied is not None

    def _source_is_past(self, moment: float) -> bool:
        """Tombstones are needed until the source of deletes has passed the snapshot's end."""
        return (
            not self.context.settings.traits.tells_deletes or self._source is None or self._source.caught_up_at > moment
        )

    def _is_through(self) -> bool:
        """Whether everything in DynamoDB at the start of the command was read."""
        if self._snapshot is not None:
            return False
        # Not compared with the start: DynamoDB's time of a moment moves by parts of a second while it becomes known
        # better, and the source was made after the start.
        if self._source is not None and not self._source.caught_up_at:
            return False
        began = self.context.table.dynamodb.clock.now(self.shared.began)
        return not self.context.settings.traits.passes_only or self._parts_now().through_at > began

    def _caught_up(self) -> bool:
        """Whether everything in DynamoDB at the start of the command is in MySQL, and nothing is owed."""
        context, reconcile = self.context, self._parts_now()
        if not self._is_through() or self._linker_now().calls():
            return False
        if not self._cells.settled:
            self._tell_waiting(context.live.waits_for_rebuild.text)
            return False
        if not self._mixed.settled or reconcile.running or gap.open_gaps(self._writer(), context.name):
            return False
        return outbox.count(self._writer(), context.name)[0] == 0 and recheck.count(self._writer(), context.name) == 0

    def _note(self, *, ended: bool = False) -> None:
        """Tell `status` how far this table is; at most every NOTE_EVERY_S, and when it has `ended` in good order."""
        if not ended and clock.monotonic() - self._noted_at < NOTE_EVERY_S:
            return
        self._noted_at = clock.monotonic()
        context, source = self.context, self._source
        scanning = self._snapshot.trouble if self._snapshot is not None else ""
        following = source.trouble if source is not None else ""
        passing = self._reconcile.trouble if self._reconcile is not None else ""
        rows_met = self._reconcile.rows_met if self._reconcile is not None else None
        reading = scanning or following or passing
        reason = (
            self._linking_trouble() or Reason(reading or self._recheck_trouble) or context.live.waits_for_rebuild
            or context.live.index_trouble
        )  # fmt: skip
        if self._has_read():
            self._trouble = Reason()
        reason = reason or self._trouble
        self.waits = reason.text
        values: dict[str, object] = {"phase": self.phase, **tables.because(reason)}
        if not reading:  # else the time since which nothing could be read goes on
            values["read_at"] = self._writer().now()
        if self._has_read():
            values["begun_at"] = None
        if ended:
            values["ended_at"] = self._writer().now()
        if self._teller is None:
            self._teller = Teller(context, self._writer().now() - (clock.boot_time() - self.shared.began))
        values["counters"] = counted.to_json(self._teller.counted(rows_met))
        if source is not None:
            values |= {"oldest_at": self._by_mysql(source.oldest_at), "backlog": source.backlog}
            if source.caught_up_at:
                values["caught_up_at"] = source.caught_up_at
            values["retention_left_s"] = source.retention_left_s
        elif self._reconcile is not None and self._reconcile.through_at:
            values |= {"caught_up_at": self._reconcile.through_at, "oldest_at": None}
        tables.note(self._writer(), context.tenure.lease, **values)

    def _linking_trouble(self) -> Reason:
        linker = self._linker_now()
        return Reason(linker.trouble, linker.denied.commands if linker.denied is not None else ())

    def _has_read(self) -> bool:
        """Whether this run has read how the copy stands; until then the notes of the last run are no news."""
        source, reconcile = self._source, self._reconcile
        if self._snapshot is not None:
            return True
        if source is not None:
            return source.caught_up_at > 0 or source.oldest_at is not None or source.backlog is not None
        return self._looped and reconcile is not None and (reconcile.through_at > 0 or not reconcile.running)

    def _by_mysql(self, moment: float | None) -> float | None:
        """A moment of DynamoDB's clock by MySQL's, on which whoever reads the status measures its age."""
        if moment is None:
            return None
        return self._writer().now() - (self.context.table.dynamodb.clock.now() - moment)

    def _wait_for(self, trouble: TwinrowError, attempt: int) -> None:
        """Everything that hangs on the lost session is dropped; the next try reads positions and debts from MySQL."""
        self._end_parts()
        self.waits = str(trouble)
        self.shared.on_waiting(self.context.name, str(trouble))
        try:
            if not isinstance(trouble, ConnectionLost):
                self._trouble = reason_of(trouble)
                tables.note(self._writer(), self.context.tenure.lease, **tables.because(self._trouble))
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
        return self._changed_by_hand() or error

    def _changed_by_hand(self) -> TwinrowError | None:
        """What somebody has done to the table of the copy so that rows do not fit into it any more."""
        try:
            by_hand.stop_unfit(self._writer(), self.context.live.rest)
        except Broken as gone:
            return gone
        except TwinrowError:
            return None  # MySQL cannot be asked now; what it said first stands
        return None

    def _broken(self, error: TwinrowError) -> None:
        """This table stops; the reason stays in `status` (a refusal to start leaves the phase as it was)."""
        self._end_parts()
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
        if self._linker is not None:
            self._linker.drain(POSTPONE_S_MAX)
        self._note(ended=True)
        settled = self._end_parts()
        letters = dead_letter.count(self._writer(), context.name)
        self._let_go(settled=settled)
        return Outcome(dead_letters=letters)

    def _end_parts(self) -> bool:
        """Close what works on the table; whether every answer to a link call is noted."""
        linker = self._linker
        with ExitStack() as stack:  # one that cannot be closed does not keep the others open
            for part in (self._linker, self._reconcile, self._source, self._snapshot):
                if part is not None:
                    stack.callback(part.close)
        self._snapshot = self._source = self._reconcile = self._linker = None
        return linker is None or not linker.failed

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
                    again = {"begun_at": self._begun_at or self._writer().now()} if waits_for else {}
                    tables.note(self._writer(), context.tenure.lease, ended_at=self._writer().now(), **again)
                lease.release(self._writer(), context.tenure.lease, settled=settled, waits_for=waits_for)
        except TwinrowError as error:
            self._not_noted(error)
        context.tenure.let_go()
