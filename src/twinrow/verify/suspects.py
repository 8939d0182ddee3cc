"""Suspects: keys that a look found different, looked at again until each is proved equal, different, or neither.

A suspect is equal only when its row equals some image of its item seen since verify began; absence is an image too.
Nothing is dropped because it was looked at often.

A hot item may be written faster than its images can be read. Where a sync runs, such a suspect is looked at under the
lock of the table's lease: nobody writes rows meanwhile, and the item is read consistently after the lock. Where the two
are not equal even there, the sync's own next commit of that key counts. It is seen by three things together: the row
was written again since the lock, a writing transaction of the lease's holder was committed since, and the item moved
on. That is sound for what verify claims. A row that is stale for good is not written again, so it never passes. A row
changed by a hand in that moment would pass, and only there: the item is still being written, so the next commit of its
key writes every column anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from twinrow import clock
from twinrow.budget import BUDGET_WAIT_S
from twinrow.change import Item
from twinrow.compare.items import Comparer, Difference, StoredRow, state_of
from twinrow.compare.page import PageComparer
from twinrow.dynamodb import GET_ITEMS_MAX
from twinrow.errors import Transient
from twinrow.schema.row import fingerprint
from twinrow.state import dead_letter, lease, recheck, tables
from twinrow.verify.reading import Reader, catalogue_of, patiently
from twinrow.verify.verdict import Verdict

SUSPECTS_A_ROUND_MAX = 2000
"""More are not held in memory: they are settled before the table is read on."""
IMAGES_A_SUSPECT_MAX = 64
"""Digests of the latest images of an item: 10 MB for SUSPECTS_A_ROUND_MAX items that never stand still."""
LOOK_WAIT_S = 0.25
MOVES_BEFORE_LOCK = 4
"""A suspect must have moved this often between two looks before the sync is kept waiting for it."""
LOCKS_A_LOOK_MAX = 5
"""Each keeps writers away for one BatchGetItem of at most GET_ITEMS_MAX keys; between two of them they go on."""
SETTLE_S_MIN = 0.6
SETTLE_S_MAX = 60.0
"""A running sync gets this time to catch up with a suspect whose two sides do not move."""
UNSETTLED_WAIT_S_MAX = 60.0
"""A suspect that still moves after this time, and was never seen equal, is reported as unsettled."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a look was: `boot` (of `boot_time`) is compared with what a sync tells, `monotonic` measures a span."""

    boot: float
    monotonic: float


def now() -> Moment:
    """The present moment."""
    return Moment(clock.boot_time(), clock.monotonic())


@dataclass(frozen=True, slots=True)
class Sight:
    """The sight of a key at one look: the item's image, the row's state, the image that the row shows, the differences.

    No difference: the row is what the item has to have. Several: there are second rows of the item, and then no image
    is shown by them.
    """

    image: bytes
    row: bytes
    shown: bytes | None
    found: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class AtLock:
    """The state under the lock: the generation of the last commit before, the row's state, the item's image."""

    generation: int
    row: bytes
    image: bytes


@dataclass(slots=True)
class ObservedKey:
    """A key under observation, with the latest images of its item."""

    hash: bytes
    key: Item
    orphan: bool
    images: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    last: Sight | None = None
    moves: int = 0
    still_since: Moment = field(default_factory=now)
    row_still_since: Moment = field(default_factory=now)
    locked: AtLock | None = None

    def see(self, sight: Sight, at: Moment) -> None:
        """Take note of a look that was through at `at`."""
        self.remember(sight.image)
        if self.last is None or self.last.row != sight.row:
            self.row_still_since = at
        if self.last is None or (self.last.row, self.last.image) != (sight.row, sight.image):
            self.moves += self.last is not None
            self.still_since = at
        self.last = sight

    def remember(self, image: bytes) -> None:
        """An image of the item that was seen."""
        self.images[image] = None
        self.images.move_to_end(image)
        if len(self.images) > IMAGES_A_SUSPECT_MAX:
            self.images.popitem(last=False)

    def is_equal(self, sight: Sight) -> bool:
        """Whether the row equals the item, or an image of it seen before."""
        return not sight.found or sight.shown in self.images

    def is_committed_since(self, sight: Sight, generation: int) -> bool:
        """Whether the sync has committed this key since the lock, while its item moved on; see the module's text."""
        at = self.locked
        return (
            at is not None
            and sight.shown is not None
            and sight.row != at.row
            and sight.image != at.image
            and generation > at.generation
        )


@dataclass(frozen=True, slots=True)
class Running:
    """The sync of the table as one look found it: whether it runs, how far it is, and which keys it must still recheck.

    `caught_up_at` is the moment of this process's `boot_time` up to which it has certainly read everything.
    """

    runs: bool
    caught_up_at: float
    waiting: set[bytes]

    def had_time(self, suspect: ObservedKey, at: Moment) -> bool:
        """Whether it has read everything up to the time since which the suspect stands still, and could write it."""
        still_s = at.monotonic - suspect.still_since.monotonic
        if still_s < SETTLE_S_MIN:
            return False
        if still_s > SETTLE_S_MAX or not self.runs:
            return True
        return self.caught_up_at > suspect.still_since.boot and suspect.hash not in self.waiting


@dataclass(frozen=True, slots=True)
class Look:
    """A look at all suspects: the time of its end, the sync before it, the generation after it.

    `late`: what still moves now is not waited for any longer.
    """

    at: Moment
    running: Running
    generation: int
    late: bool


class Suspects:
    """The suspects of one verify. `on_difference` is called for each key whose sides are not proved equal."""

    def __init__(self, reader: Reader, on_difference: Callable[[Difference], None]) -> None:
        self._reader = reader
        self._table = reader.settings.table
        self._on_difference = on_difference
        self._suspects: dict[bytes, ObservedKey] = {}
        self._schema_version = -1
        self._pages: PageComparer | None = None
        self.comparer = self._new_comparer()

    def _new_comparer(self) -> Comparer:
        reader = self._reader
        catalogue = catalogue_of(reader.connection, reader.settings)
        self._schema_version = catalogue.version
        parked = dead_letter.parked(reader.connection, self._table)
        return Comparer(reader.connection, catalogue, reader.settings, parked)

    def page_comparer(self) -> PageComparer:
        """Compares whole pages under the schema of the day."""
        if self._pages is None or self._pages.comparer is not self.comparer:
            self._pages = PageComparer(self._reader.connection, self.comparer, self._reader.settings)
        return self._pages

    def add(self, found: Sequence[Difference], verdict: Verdict, *, item_was_seen: bool) -> None:
        """Take note of suspects; many at once are settled at once, so that memory stays bounded.

        `item_was_seen`: the differences tell the image of the item as it was read; else nobody has looked for it yet.
        """
        for difference in found:
            known = self._of_key(difference) if difference.orphan else difference
            suspect = self._suspects.setdefault(difference.hash, ObservedKey(difference.hash, known.key, known.orphan))
            if item_was_seen:
                suspect.remember(difference.image)
        if len(self._suspects) >= SUSPECTS_A_ROUND_MAX:
            self.settle(verdict)

    def _of_key(self, found: Difference) -> Difference:
        """The difference with its key, if another row of an orphan's fingerprint holds that key."""
        rows = self.comparer.all_rows([found.hash]).get(found.hash, [])
        extra = (self.comparer.extra(row) for row in rows)
        return next((difference for difference in extra if not difference.orphan), found)

    def settle(self, verdict: Verdict) -> None:
        """Look again until every suspect is equal, confirmed, or has kept moving for UNSETTLED_WAIT_S_MAX."""
        until = clock.monotonic() + UNSETTLED_WAIT_S_MAX
        while self._suspects and not self._reader.stop:
            # How far the sync is comes first: what it had committed by then, this look shows. The time comes last: a
            # state that this look shows began before it. The other way round a slow look makes false alarms.
            running = self._running()
            sights = self._look()
            look = Look(now(), running, self._generation(), late=clock.monotonic() > until)
            for key_hash, sight in sights.items():
                suspect = self._suspects[key_hash]
                suspect.see(sight, look.at)
                self._judge(suspect, sight, look, verdict)
            if running.runs:
                self._look_under_lock(look.at)
            if self._suspects:
                self._reader.stop.wait(LOOK_WAIT_S)

    def _judge(self, suspect: ObservedKey, sight: Sight, look: Look, verdict: Verdict) -> None:
        found, running, at = sight.found, look.running, look.at
        row_still_s = at.monotonic - suspect.row_still_since.monotonic
        if suspect.is_equal(sight):
            del self._suspects[suspect.hash]
        elif running.had_time(suspect, at) or (not running.runs and row_still_s >= SETTLE_S_MIN):
            # without a sync nobody brings the row to its item, whether the item stands still or not
            self._tell(found, verdict, settled=True)
        elif running.runs and suspect.is_committed_since(sight, look.generation):
            del self._suspects[suspect.hash]
        elif look.late and suspect.still_since is at:
            self._tell(found, verdict, settled=False)

    def _tell(self, found: Sequence[Difference], verdict: Verdict, *, settled: bool) -> None:
        for difference in found if settled else found[:1]:
            verdict.count(difference, settled=settled)
            self._on_difference(difference)
        del self._suspects[found[0].hash]

    def _running(self) -> Running:
        """How far a sync is."""
        connection, table = self._reader.connection, self._table
        runs = lease.holder_of(connection, table) is not None
        registered = tables.load(connection, table)
        waiting = recheck.waiting_among(connection, table, list(self._suspects)) if runs else set()
        caught_up_at = registered.caught_up_at if registered is not None else 0.0
        return Running(runs, self._by_boot_time(caught_up_at), waiting)

    def _generation(self) -> int:
        """That of the last commit. It is read after the rows: a commit that they show is counted in it."""
        return lease.generation(self._reader.connection, self._table)

    def _by_boot_time(self, moment: float) -> float:
        """The own moment that was over when DynamoDB's clock, as another process reads it, was at `moment`."""
        their_clock = self._reader.dynamodb.clock
        if clock.is_ahead(moment, their_clock.now()):
            return float("-inf")
        return moment - clock.DATE_GRAIN_S - their_clock.latest(0.0)

    def _look(self) -> dict[bytes, Sight]:
        """Compare the suspects by a consistent read; an item that moved between two reads stays a suspect."""
        reader = self._reader
        if catalogue_of(reader.connection, reader.settings).version != self._schema_version:
            self.comparer = self._new_comparer()
        self.comparer.parked = dead_letter.parked(reader.connection, self._table)
        keys = [suspect.key for suspect in self._suspects.values() if not suspect.orphan]
        items = patiently(
            reader, lambda: reader.dynamodb.get_items(self._table, keys, reader.budget, reader.stop)
        )  # fmt: skip
        return self._sights(list(self._suspects), items)

    def _sights(self, hashes: Sequence[bytes], items: Sequence[Item]) -> dict[bytes, Sight]:
        """The items that were read beside the rows as they are now."""
        by_hash = {fingerprint(self.comparer.schema.keys, item): item for item in items}
        rows = self.comparer.all_rows(hashes)
        return {
            key_hash: self._sight(self._suspects[key_hash], by_hash.get(key_hash), rows.get(key_hash, []))
            for key_hash in hashes
        }

    def _sight(self, suspect: ObservedKey, item: Item | None, rows: Sequence[StoredRow]) -> Sight:
        comparer = self.comparer
        row, seconds = comparer.one_of(item, rows)
        own: Difference | None = None
        if item is not None:
            own = comparer.difference_of(suspect.hash, item, row)
        elif row is not None and not row.deleted:
            own = replace(comparer.extra(row), gone=True)
        found = [own] if own is not None else []
        for second in seconds:
            difference = replace(comparer.extra(second), gone=item is None)
            # second rows go with their key, whatever their own key columns say
            found.append(difference if suspect.orphan else replace(difference, key=suspect.key, orphan=False))
        shown = comparer.shown_by(row) if found and not seconds else None
        return Sight(comparer.image_of(item), b"|".join(map(state_of, rows)), shown, tuple(found))

    def _look_under_lock(self, at: Moment) -> None:
        """Those that keep moving, while nobody writes rows: equal there is equal, and else it is known what stood."""
        hot = [
            suspect.hash
            for suspect in self._suspects.values()
            if suspect.locked is None
            and suspect.moves >= MOVES_BEFORE_LOCK
            and suspect.still_since is at
            and not suspect.orphan
        ]
        for first in range(0, min(len(hot), LOCKS_A_LOOK_MAX * GET_ITEMS_MAX), GET_ITEMS_MAX):
            # Before the lock, not under it: the wait would block whoever writes the row.
            if not self._reader.budget.ready(self._reader.stop, BUDGET_WAIT_S):
                return
            try:
                self._look_at(hot[first : first + GET_ITEMS_MAX])
            except Transient:  # a busy lock, a throttled read: asked again at the next look, until its time is over
                if not self._reader.connection.open:
                    raise
                return

    def _look_at(self, hashes: Sequence[bytes]) -> None:
        """Look once, under the lock.

        The look has its own session: if this process is paused, the server ends that session after the time of a lease.
        """
        reader = self._reader
        keys = [self._suspects[key_hash].key for key_hash in hashes]
        with closing(reader.mysql.connect(idle_s=reader.mysql.lease_s)) as session, session.transaction() as tx:
            generation = lease.keep_still(tx, self._table)
            items, left = reader.dynamodb.get_some_items(self._table, keys, reader.budget, reader.stop)
            sights = self._sights(hashes, items)
            # the lock stood to the end: had it been lost, the commit would have failed
        unanswered = {fingerprint(self.comparer.schema.keys, key) for key in left}
        for key_hash, sight in sights.items():
            suspect = self._suspects[key_hash]
            if key_hash in unanswered:
                continue
            suspect.remember(sight.image)
            if suspect.is_equal(sight):
                del self._suspects[key_hash]
            else:
                suspect.locked = AtLock(generation, sight.row, sight.image)
