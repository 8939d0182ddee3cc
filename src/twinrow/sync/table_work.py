"""The work on one table under its lease: made ready once, then turn after turn, whoever gives it time to work.

Nothing here knows of threads, processes or the wait for a lease: see `workers.run` for the place where turns are given.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from twinrow import clock
from twinrow.errors import Broken, LeaseLost, Reason, Throttled, Transient, TwinrowError
from twinrow.link import due
from twinrow.link.queue import CALLS_AT_ONCE_MAX
from twinrow.link.settle import POSTPONE_S_MAX
from twinrow.link.threads import Linker
from twinrow.mysql import Connection
from twinrow.mysql_error import BY_HAND_CODES
from twinrow.retry import back_off_s
from twinrow.sink import by_hand
from twinrow.state import counted, gap, lease, outbox, recheck, refusal, tables
from twinrow.state.asked import DueKind
from twinrow.sync import page_source, start
from twinrow.sync.indexes import Indexes
from twinrow.sync.kind import Source, SourceNeeds, kind_of
from twinrow.sync.pace import IDLE_S, Pace
from twinrow.sync.progress import Teller
from twinrow.sync.recheck import recheck_some
from twinrow.sync.reconcile import Reconcile
from twinrow.sync.reshaping import Reshaping
from twinrow.sync.row_passes import RowPasses
from twinrow.sync.snapshot import ReadBy, Snapshot, finish
from twinrow.sync.views import ViewsKept
from twinrow.table import identity
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.write import loss
from twinrow.write.cells import PutOff
from twinrow.write.mixed import MixedTypes

if TYPE_CHECKING:
    from twinrow.sync.filling import Filling

SOURCE_LOOK_EVERY_S = 60.0
"""DescribeTable costs nothing, but AWS takes only so many of them a second from an account."""
DUE_LINKS_MAX = 500
DUE_LINKS_EVERY_S = 0.5
LINK_CALLS_WAITING_MAX = 64
LINKS_WAIT_S = 0.25
"""Longest time in which one step waits for link calls. Kept short: new rows come before the links of older ones."""


class WorkPlace(Protocol):
    """Where a table's work runs, as far as the work needs to know it.

    `once`: the work ends when all from before `began` (`clock.boot_time`) is copied. `on_waiting` gets a table and why
    it waits; `on_described` gets the table's description before anything of the table is read.
    """

    @property
    def once(self) -> bool:
        """Whether the work ends by itself."""

    @property
    def began(self) -> float:
        """When the work was asked for."""

    @property
    def on_waiting(self) -> Callable[[str, str], None]:
        """Hears why a table waits."""

    @property
    def on_described(self) -> Callable[[TableDescription], None]:
        """Hears what DynamoDB says of a table."""

    def holds(self, table: str) -> bool:
        """Whether the table's lease is still held."""

    def due(self, table: str) -> set[DueKind]:
        """The kinds of work that may wait in MySQL; the work takes out what it has looked for in vain."""

    def readers(self, context: TableContext, description: TableDescription) -> ReadBy:
        """Who reads the pages of a first copy."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended. `through`: all that was asked for is copied and linked, and no further turn is needed."""

    through: bool


class TableWork:
    """The parts that copy one table; `waits` is why it waits at this moment, empty while it goes on."""

    def __init__(self, context: TableContext, place: WorkPlace) -> None:
        self.context = context
        self.place = place
        self.phase = ""
        self.waits = ""
        self.begun_at = 0.0
        self.trouble = Reason()  # the last one, until this work has read how the copy stands
        self._teller: Teller | None = None
        self._cells = PutOff(context)
        self._reshaping, self._indexes = Reshaping(context), Indexes(context)
        self._views = ViewsKept(context)
        self._mixed = MixedTypes(context)
        self._row_passes: RowPasses | None = None
        self._source: Source | None = None
        self._snapshot: Snapshot | None = None
        self._reconcile: Reconcile | None = None
        self._filling: Filling | None = None
        self._linker: Linker | None = None
        self._pace = Pace(place.due(context.name))
        self._due_at = 0.0
        self._source_at = clock.monotonic()
        self._recheck_at = 0.0
        self._throttles = 0
        self._recheck_trouble = ""
        self._snapshot_over_at = 0.0
        self._looped = False
        self._tried_again = False

    @property
    def counted_since(self) -> float | None:
        """Since when this process counts (MySQL's clock), which tells its counts from those of others."""
        return self._teller.since if self._teller is not None else None

    def begin(self) -> None:
        """Make everything ready under a lease that was just won. Raises StartRefused, Broken, LeaseLost, Transient."""
        context = self.context
        # until this work ends in good order, nothing that the process before has noted counts as known
        self.begun_at, self._looped = self.begun_at or self._writer().now(), False
        tables.note(self._writer(), context.tenure.lease, begun_at=self.begun_at, ended_at=None)
        if context.tenure.lease.taken_over:
            due.recheck_unfinished_late(self._writer(), context.name)
        registered = tables.load(self._writer(), context.name)
        opened = start.open_table(context, on_described=self.place.on_described)
        description = opened.description
        if not self._tried_again:  # work that begins again after trouble keeps the back-off
            recheck.try_again(self._writer(), context.name)
            self._tried_again = True
        self._record_loss()
        self._cells, self._mixed, self._row_passes = PutOff(context), MixedTypes(context), RowPasses(context)
        self._pace.worked()
        self._reshaping, self._indexes = Reshaping(context), Indexes(context)
        is_broken = registered is not None and registered.phase == "BROKEN"
        loss.forget_foreign_ids(self._writer(), context.name, broken=is_broken)
        self._linker = Linker(context.table, context.tenure, context.counters, context.ids.foreign)
        self._source = kind_of(context.settings).source(
            SourceNeeds(context, self._linker, description, self.place.once)
        )
        if context.state.first_copy:
            read_by = page_source.guarded(context, opened.source, self.place.readers(context, description))
            self._snapshot = Snapshot(context, opened.source, opened.pages, read_by)
        self.phase = "SNAPSHOT" if context.state.first_copy else "LIVE"
        self._reconcile = Reconcile(context, self.place.began if self.place.once else None)
        if context.settings.asks_for_windows:
            from twinrow.sync.filling import Filling

            self._filling = Filling(context, description)
        tables.note(self._writer(), context.tenure.lease, phase=self.phase, items=description.items)
        if registered is None:
            refusal.forget(self._writer(), context.name)

    def turn(self, until: float) -> TurnResult:
        """Work until the moment `until` (`clock.monotonic`), until the stop is set, or until all is through.

        Raises LeaseLost, Transient, StartRefused, Broken: then `close`, and `begin` again once it may be tried again.
        """
        stop, linker = self.context.table.stop, self._linker_now()
        while not stop and clock.monotonic() < until:
            worked = self._step()
            if self.place.once and not worked and self._caught_up():
                return TurnResult(through=True)
            if not worked:
                self._pause()
                continue
            self._pace.worked()
            if self.context.tenure.is_wanted:
                self.context.tenure.rest()
            if linker.calls() > LINK_CALLS_WAITING_MAX:
                linker.drain(LINKS_WAIT_S)
        return TurnResult(through=False)

    def _pause(self) -> None:
        pause_s = self._pace.pause_s(quiet=self._is_quiet())
        if pause_s > IDLE_S or self.context.tenure.is_wanted:
            self.context.tenure.rest()
        self.context.table.bell.wait(pause_s)

    def finish(self) -> bool:
        """End in good order: links under way are waited for. Returns whether every answer to a link call is noted."""
        if self._linker is not None:
            self._linker.drain(POSTPONE_S_MAX)
        self.note(ended=True)
        return self.close()

    def _step(self) -> bool:
        """A piece of each part's work; whether there was any."""
        self._check_lease()
        linker = self._linker_now()
        linker.raise_failure()
        if self.place.once or linker.calls():
            self._pace.is_under_way()
        if self.place.once and linker.denied is not None:
            raise linker.denied
        if self._pace.looks_for("loss"):
            self._record_loss()
            self._pace.looked_for("loss", found=False)
        worked = self._recheck()
        # With --once nothing later than its start is begun: under steady writes there is always something later.
        if self._source is not None and not self._adopts_first() and not (self.place.once and self._is_through()):
            worked |= self._source_step(self._source)
        worked |= self._snapshot_step(wait_s=0.0 if worked else IDLE_S)
        if self._snapshot is None:
            worked |= self._filling_step()
            reconcile = self._parts_now()
            worked |= reconcile.step(looks=self._pace.looks_for("pass"))
            self._pace.looked_for("pass", found=reconcile.running)
            self._tell_waiting(reconcile.trouble)
        worked |= self._send_due_links()
        self._look_at_source()
        worked |= self._reshaping.step()
        worked |= self._cells.step()
        worked |= self._row_passes is not None and self._row_passes.step()
        if not (self.place.once and worked):  # --once counts what it leaves, not what it finds
            worked |= self._mixed.step()
        self.context.live.build_key_index()
        worked |= self._indexes.step() or self._views.step()
        self._looped = True
        self.note()
        return worked

    def _send_due_links(self) -> bool:
        """Send links that were put off; while calls are under way, they are not looked for at every step."""
        linker, now = self._linker_now(), clock.monotonic()
        if linker.left_marks and linker.marks() < DUE_LINKS_MAX:
            return due.send_left_marks(self._writer(), self.context.name, linker, DUE_LINKS_MAX) > 0
        if linker.calls() and (linker.calls() > CALLS_AT_ONCE_MAX or now - self._due_at < DUE_LINKS_EVERY_S):
            return False
        if not self._pace.looks_for("link"):
            return False
        self._due_at = now
        found = due.send_due(self._writer(), self.context.name, linker, DUE_LINKS_MAX) > 0
        self._pace.looked_for("link", found=found)
        return found

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

    def _is_quiet(self) -> bool:
        """Whether nothing is under way that would end without a bell."""
        passing = self._reconcile is not None and self._reconcile.running
        return not (self.place.once or passing or self._snapshot is not None or self._linker_now().calls())

    def _check_lease(self) -> None:
        if not self.place.holds(self.context.name):
            raise LeaseLost("another process took over", where=f"table {self.context.name}")

    def _tell_waiting(self, trouble: str) -> None:
        if trouble:
            self.place.on_waiting(self.context.name, trouble)

    def _record_loss(self) -> None:
        """A MySQL that went back is a gap, also where the table has nothing to do and no session was lost."""
        context = self.context
        there = lease.generation(self._writer(), context.name)
        loss.record_if_gone_back(self._writer(), context.name, there, context.tenure.generation)
        context.tenure.began_at(there)

    def _recheck(self) -> bool:
        """Work off some suspects. While DynamoDB throttles their reads the rest goes on: a stream is not throttled."""
        if clock.monotonic() < self._recheck_at or not self._pace.looks_for("recheck"):
            return False
        try:
            worked, applied = recheck_some(self.context, self._linker_now().in_flight())
        except Throttled as trouble:
            self._throttles += 1
            self._recheck_at = clock.monotonic() + back_off_s(self._throttles)
            self._recheck_trouble = str(trouble)
            self._tell_waiting(self._recheck_trouble)
            return False
        self._pace.looked_for("recheck", found=worked > 0)
        self._throttles, self._recheck_trouble = 0, ""
        if applied is not None:
            self._linker_now().submit(applied.debts)
            by_hand = self.changed_by_hand() if not applied.not_taken.isdisjoint(BY_HAND_CODES) else None
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
        if self._source is not None:
            self._source.prove(self._snapshot_over_at)
        if self.phase == "SNAPSHOT":
            self.phase = "CATCH_UP"
            tables.note(self._writer(), self.context.tenure.lease, phase=self.phase)
        return applied is not None

    def _filling_step(self) -> bool:
        """A gap is filled by exports, before a reconcile looks for what it has to mend."""
        filling = self._filling
        if filling is None:
            return False
        worked, applied = filling.step(looks=self._pace.looks_for("pass"))
        if applied is not None:
            self._linker_now().submit(applied.debts)
        self._tell_waiting(filling.trouble)
        return worked

    def _source_is_past(self, moment: float) -> bool:
        """Tombstones are needed until the source of deletes has passed the snapshot's end."""
        return (
            not self.context.settings.traits.tells_deletes
            or self._source is None
            or self._source.caught_up_at >= moment
        )

    def _is_through(self) -> bool:
        """Whether everything in DynamoDB at the start of the command was read."""
        if self._snapshot is not None:
            return False
        # Not compared with the start: DynamoDB's time of a moment moves by parts of a second while it becomes known
        # better, and the source was made after the start.
        if self._source is not None and not self._source.caught_up_at:
            return False
        began = self.context.table.dynamodb.clock.now(self.place.began)
        return not self.context.settings.traits.passes_only or self._parts_now().through_at > began

    def _caught_up(self) -> bool:
        """Whether everything in DynamoDB at the start of the command is in MySQL, and nothing is owed."""
        context, reconcile = self.context, self._parts_now()
        if not self._is_through() or self._linker_now().calls():
            return False
        if not self._reshaping.settled:
            self._tell_waiting(self._reshaping.trouble.text)
            return False
        if not self._cells.settled:
            self._tell_waiting(context.live.waits_for_rebuild.text)
            return False
        if self._row_passes is not None and not self._row_passes.through:
            return False
        if not self._mixed.settled or reconcile.running or gap.open_gaps(self._writer(), context.name):
            return False
        return outbox.count(self._writer(), context.name)[0] == 0 and recheck.count(self._writer(), context.name) == 0

    def note(self, *, ended: bool = False) -> None:
        """Tell `status` how far this table is: at the pace of notes, and when it has `ended` in good order."""
        if not ended and not self._pace.may_note():
            return
        context, source = self.context, self._source
        scanning = self._snapshot.trouble if self._snapshot is not None else ""
        following = source.trouble if source is not None else ""
        passing = self._reconcile.trouble if self._reconcile is not None else ""
        rows_met = self._reconcile.rows_met if self._reconcile is not None else None
        reading = scanning or following or passing
        reason = (
            self._linking_trouble() or Reason(reading or self._recheck_trouble) or context.live.waits_for_rebuild
            or context.live.index_trouble or self._reshaping.trouble or self._indexes.trouble or self._views.trouble
        )  # fmt: skip
        if self._has_read():
            self.trouble = Reason()
        reason = reason or self.trouble
        self.waits = reason.text
        values: dict[str, object] = {"phase": self.phase, **tables.because(reason)}
        if not reading:  # else the time since which nothing could be read goes on
            values["read_at"] = self._writer().now()
        if self._has_read():
            values["begun_at"] = None
        if ended:
            values["ended_at"] = self._writer().now()
        if self._teller is None:
            self._teller = Teller(context, self._writer().now() - (clock.boot_time() - self.place.began))
        values["counters"] = counted.to_json(self._teller.counted(rows_met))
        if source is not None:
            values |= {"oldest_at": self._by_mysql(source.oldest_at), "backlog": source.backlog}
            if source.caught_up_at:
                values["caught_up_at"] = source.caught_up_at
            values["retention_left_s"] = source.retention_left_s
        elif self._reconcile is not None and self._reconcile.through_at:
            values |= {"caught_up_at": self._reconcile.through_at, "oldest_at": None}
        if self._pace.notes(values) or ended:
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

    def changed_by_hand(self) -> TwinrowError | None:
        """What somebody has done to the table of the copy so that rows do not fit into it any more."""
        try:
            for schema in self.context.live.catalogue.tables:
                by_hand.stop_unfit(self._writer(), schema)
        except Broken as gone:
            return gone
        except TwinrowError:
            return None  # MySQL cannot be asked now; what it said first stands
        return None

    def close(self) -> bool:
        """Close what works on the table; whether every answer to a link call is noted."""
        linker = self._linker
        with ExitStack() as stack:  # one that cannot be closed does not keep the others open
            for part in (self._linker, self._reconcile, self._filling, self._source, self._snapshot):
                if part is not None:
                    stack.callback(part.close)
        self._snapshot = self._source = self._reconcile = self._filling = self._linker = None
        return linker is None or not linker.failed

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
