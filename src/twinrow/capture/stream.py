"""Following a log of changes: many shards read side by side, delivered in one order to the one writer of the table.

All that was read goes through one first-in-first-out queue. Where the log keeps an order, a child shard is read only
after the end of its parent is in that queue; so whoever takes from it gets the changes of a key in their order, and
positions that belong to them. Nothing here sleeps or starts a thread: `next_job` says what is due, `run` does it,
`take` waits (see reader_threads).
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic

from twinrow import clock
from twinrow.capture import read_through, shard_tree
from twinrow.capture.shard_listing import Listed, ListingPace, ListJob, list_shards
from twinrow.capture.shard_log import GapFound, Record, ShardLog, ShardPosition
from twinrow.capture.shard_reader import (
    EMPTY_ANSWERS_MIN,
    EXPIRED,
    IDLE_S_MAX,
    NOT_FOUND,
    TRIMMED,
    Fetched,
    ReadJob,
    ShardReader,
    fetch,
    pause_s,
    pause_to_prove_s,
)
from twinrow.capture.shard_tree import CLOCK_MARGIN_S, Seen
from twinrow.capture.stream_batch import StreamBatch
from twinrow.retry import back_off_s

RECORDS_QUEUED_MAX = 20_000
BYTES_QUEUED_MAX = 32 * 1024 * 1024
"""Readers pause at these; each may add the page (1 MB) that it was just reading."""
BYTES_TAKEN_MAX = 8 * 1024 * 1024
"""A batch ends with the page that brings it here."""
READ_AT_EVERY_S = 60.0
"""How often the time of the last reading of an idle shard becomes durable."""
NEVER = float("-inf")
NEWER_S = CLOCK_MARGIN_S + 1.0
"""A record is newer than a moment when its time, which is cut, is so much later: clocks of servers differ."""

Job = ListJob | ReadJob


@dataclass(slots=True)
class _Entry(Generic[Record]):
    """A piece of the queue: records of a shard and its position after them, or a gap found at this place."""

    shard: str
    after: ShardPosition
    records: tuple[Record, ...] = ()
    gap: GapFound | None = None
    taken: int = 0


@dataclass(slots=True)
class _Taken(Generic[Record]):
    records: list[Record] = field(default_factory=list)
    positions: dict[str, ShardPosition] = field(default_factory=dict)
    gaps: list[GapFound] = field(default_factory=list)
    bytes: int = 0


class StreamReader(Generic[Record]):
    """A log of changes, from durable positions on. `lock` guards everything; `work` tells that a job may be due.

    `known` are the durable positions (none: a new copy), `started_at` when the copy began: records older than that by
    a margin are left out, for every scanned image holds them. `now` is DynamoDB's clock, as all times here are (epoch
    seconds), `monotonic` the own one, `back_off` the pause before try number n. `on_news`: `take` may find something.
    """

    def __init__(
        self,
        log: ShardLog[Record],
        known: Mapping[str, ShardPosition],
        *,
        started_at: float,
        now: Callable[[], float],
        monotonic: Callable[[], float] = clock.monotonic,
        back_off: Callable[[int], float] = back_off_s,
        records_queued_max: int = RECORDS_QUEUED_MAX,
        bytes_queued_max: int = BYTES_QUEUED_MAX,
        on_news: Callable[[], None] = lambda: None,
        idle_s_max: float = IDLE_S_MAX,
    ) -> None:
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)
        self._filled = threading.Condition(self.lock)
        self._on_news, self._idle_s_max = on_news, idle_s_max
        self.log = log
        self._facts = log.facts
        self._started_at = started_at
        self._now, self._monotonic, self._back_off = now, monotonic, back_off
        self._records_max, self._bytes_max = records_queued_max, bytes_queued_max
        self._read: dict[str, ShardPosition] = dict(known)
        self._given: dict[str, ShardPosition] = dict(known)
        self._newest_given_at: dict[str, float] = {}
        self._readers: dict[str, ShardReader] = {}
        self._waiting: frozenset[str] = frozenset()
        self._expecting: set[str] = set()
        self._forget: set[str] = set()
        self._due: list[tuple[float, str]] = []
        self._epochs = itertools.count()
        self._queue: deque[_Entry[Record]] = deque()
        self._entries: Counter[str] = Counter()
        self._queued_records = self._queued_bytes = 0
        self._seen = Seen()
        self._first: frozenset[str] | None = None
        self._wanted_at = NEVER
        self._pace = ListingPace(log.facts.list_every_s)
        self._refresh_at = monotonic() + READ_AT_EVERY_S
        self._failure: BaseException | None = None

    def next_job(self) -> Job | None:
        """The next thing to do that is due, or None; call it with `lock` held, then `run` the job without."""
        at = self._monotonic()
        listing = self._pace.next_job(self._now(), at)
        if listing is not None:
            return listing
        if self._is_full():
            return None
        while self._due and self._due[0][0] <= at:
            due_at, shard = heapq.heappop(self._due)
            reader = self._readers.get(shard)
            if reader is None or reader.busy or reader.due_at != due_at:
                continue
            reader.busy = True
            start = shard_tree.start_of(self._read[shard], self._now(), self._facts)
            return ReadJob(shard, start, reader.iterator, reader.epoch, self._now())
        return None

    def due_in_s(self) -> float:
        """Seconds until `next_job` has something to do, as far as it is known; call it with `lock` held."""
        moments = [self._pace.due_at] if not self._pace.busy else []
        if self._due and not self._is_full():
            moments.append(self._due[0][0])
        return max(0.0, min(moments, default=self._monotonic() + READ_AT_EVERY_S) - self._monotonic())

    def run(self, job: Job) -> None:
        """Do a job: a request (a listing: its pages), then take the answer in. Raises what no retry mends."""
        if isinstance(job, ListJob):
            listed = list_shards(self.log, job)
            with self.lock:
                self._take_in_listing(listed)
        else:
            fetched = fetch(self.log, job)
            with self.lock:
                self._take_in(job, fetched)

    def step(self) -> float:
        """Do a job that is due in this thread; 0 when there was a job, else the seconds until the next."""
        with self.lock:
            job = self.next_job()
            if job is None:
                return self.due_in_s()
        self.run(job)
        return 0.0

    def fail(self, error: BaseException) -> None:
        """A reading thread ended by an error: `take` raises it."""
        with self.lock:
            self._failure = error
            self._tell()

    def take(self, records_max: int, wait_s: float) -> StreamBatch[Record]:
        """Up to `records_max` records with all that belongs to them; waits up to `wait_s` for something to come.

        Records taken before must be durable by now: no change is given twice. Raises the error of a reading thread.
        """
        with self.lock:
            self._filled.wait_for(self._has_news, wait_s)
            if self._failure is not None:
                raise self._failure
            taken = _Taken[Record]()
            while self._queue and self._take_entry(taken, records_max):
                pass
            self._refresh(taken)
            forgotten, self._forget = frozenset(self._forget), set()
            self.work.notify()
            return StreamBatch(
                taken.records, taken.positions, taken.gaps, forgotten, self._is_listed(), self._is_read_through(),
                self._oldest_at(), self._unread_since(), self._is_ended(), self._trouble(),
            )  # fmt: skip

    def prove(self, start_at: float) -> None:
        """Somebody waits for `caught_up_since(start_at)`, a moment that has passed: list and read in time for it."""
        with self.lock:
            if start_at <= self._wanted_at:
                return
            self._wanted_at = start_at
            if self._seen.listed_at < start_at:
                self._pace.list_by(self._monotonic())
            for reader in self._readers.values():
                left = reader.due_at - self._monotonic()
                sooner = max(self._pause_to_prove(reader, left), self._facts.read_every_s)
                if reader.empties and not reader.busy and not reader.tries and sooner < left:
                    self._schedule(reader, sooner)
            self.work.notify()

    def _pause_to_prove(self, reader: ShardReader, pause: float) -> float:
        """The pause before the next reading of an idle shard: shorter while somebody waits for what it proves."""
        if self._wanted_at == NEVER or self._is_idle_since(reader, self._wanted_at):
            return pause
        since = max(reader.empty_since, self._wanted_at)
        return min(pause, pause_to_prove_s(since, self._facts.empty_s, shards=len(self._readers), at=self._now()))

    def _is_idle_since(self, reader: ShardReader, start_at: float) -> bool:
        """Whether the answers since then were empty for so long that nothing from before can follow."""
        asked = reader.empty_asked_at
        if len(asked) < EMPTY_ANSWERS_MIN or asked[0] < start_at:
            return False
        return asked[-1] - max(reader.empty_since, start_at) >= self._facts.empty_s

    def caught_up_since(self, start_at: float) -> bool:
        """Whether all that was written until `start_at` (epoch seconds) has been taken.

        Each shard shows it by its end, by a record newer than that, or by answers that were empty long enough since
        then (`LogFacts.empty_s`), EMPTY_ANSWERS_MIN of them at least.
        """
        with self.lock:
            if self._seen.listed_at < start_at or not self._has_given_all_shards():
                return False
            if any(not self._gave_newer(shard, start_at) for shard in self._expecting):
                return False
            unfinished = [shard for shard, position in self._given.items() if not position.finished]
            return all(self._is_past(shard, start_at) for shard in unfinished)

    def _is_past(self, shard: str, start_at: float) -> bool:
        if self._gave_newer(shard, start_at):
            return True
        if shard in self._waiting:
            # The records of a child are newer than all records of its parents.
            return any(self._gave_newer(above, start_at) for above in self._unfinished_above(shard))
        reader = self._readers.get(shard)
        if reader is None or shard in self._entries or not reader.empties or self._is_closed(shard):
            return False
        return self._is_idle_since(reader, start_at)

    def _gave_newer(self, shard: str, start_at: float) -> bool:
        return self._newest_given_at.get(shard, 0.0) >= start_at + NEWER_S

    def _unfinished_above(self, shard: str) -> Iterator[str]:
        return (above for above in shard_tree.above(self._given[shard], self._given) if not self._given[above].finished)

    def _is_full(self) -> bool:
        return self._queued_records >= self._records_max or self._queued_bytes >= self._bytes_max

    def _is_closed(self, shard: str) -> bool:
        listed = self._seen.shards.get(shard)
        return listed is not None and listed.ends is not None

    def _schedule(self, reader: ShardReader, seconds: float) -> None:
        reader.due_at = self._monotonic() + seconds
        heapq.heappush(self._due, (reader.due_at, reader.shard))
        self.work.notify()

    def _take_in_listing(self, listed: Listed) -> None:
        self._pace.note(listed)
        self._seen = shard_tree.look(self._seen, listed.listing, self._read)
        # A new copy begins with all shards of a listing; a resumed copy knows its shards without a listing.
        if listed.listing.complete or self._read:
            self._replan()
        if self._first is None and listed.listing.complete:
            self._first = frozenset(self._read)
        unsure = (self._waiting | self._readers.keys()) & self._seen.absent_since.keys()
        absent = self._seen.absent_since.keys()
        unsure |= {shard for shard in self._waiting if not absent.isdisjoint(self._read[shard].parents)}
        self._expecting = set() if self._pace.is_closed else shard_tree.unsettled(self._seen, self._read)
        unsure |= self._expecting
        unsaid = self._seen.listed_at < self._wanted_at  # somebody waits for a listing from after that moment
        self._pace.set_next(listed, unsure=bool(unsure) or unsaid, at=self._monotonic(), back_off=self._back_off)
        self._tell()

    def _replan(self) -> None:
        """Do what follows from the listings and from what was read, until nothing more follows."""
        while True:
            at = self._now()
            unreadable = {shard for shard, reader in self._readers.items() if reader.refused}
            plan = shard_tree.plan(
                self._seen, self._read, started_at=self._started_at, at=at, unreadable=unreadable, facts=self._facts
            )
            for shard, position in plan.register.items():
                self._append(_Entry(shard, position))
            for gap, positions in plan.gaps:
                for shard, position in positions.items():
                    before = self._read.get(shard)  # none: a parent that is met only now, after its child was read
                    if position.position is None and before is not None and before.position is not None:
                        self._readers.pop(shard, None)  # its iterator belongs to the position that is dropped
                    self._append(_Entry(shard, position))
                self._queue[-1].gap = gap
            if not plan.register and not plan.gaps:
                break
        self._waiting = plan.waiting
        for shard in list(self._readers.keys() - plan.readable.keys()):
            del self._readers[shard]
        for shard in plan.readable.keys() - self._readers.keys():
            self._readers[shard] = ShardReader(shard, next(self._epochs))
            self._schedule(self._readers[shard], 0.0)
        forget = plan.forget - self._entries.keys()
        for shard in forget:
            for by_shard in (self._read, self._given, self._newest_given_at):
                by_shard.pop(shard, None)
        self._forget |= forget
        if self._first is not None:
            self._first -= forget

    def _append(self, entry: _Entry[Record]) -> None:
        self._read[entry.shard] = entry.after
        self._queue.append(entry)
        self._queued_records += len(entry.records)
        self._queued_bytes += sum(record.size for record in entry.records)
        self._entries[entry.shard] += 1
        self._tell()

    def _take_in(self, job: ReadJob, fetched: Fetched[Record]) -> None:
        reader = self._readers.get(job.shard)
        if reader is None or reader.epoch != job.epoch:
            return
        reader.busy = False
        reader.iterator = fetched.iterator
        if fetched.refused or fetched.trouble is not None:
            self._take_in_refusal(reader, job, fetched)
            return
        reader.tries, reader.trouble, reader.refused = 0, "", False
        before = self._read[job.shard]
        after = replace(
            before, position=fetched.position or before.position, finished=fetched.ended,
            read_at=job.asked_at - fetched.behind_s,
            through_at=read_through.after_records(before.through_at, fetched.records, job.asked_at),
        )  # fmt: skip
        # a record without a time may be of any age
        oldest = self._started_at - shard_tree.START_MARGIN_S
        wanted = tuple(record for record in fetched.records if record.at >= oldest or not record.at)
        if wanted or fetched.ended:
            self._append(_Entry(job.shard, after, wanted))
        else:
            self._read[job.shard] = after
        self._count_empty(reader, job.asked_at, empty=fetched.empty)
        if fetched.ended:
            del self._readers[job.shard]
            if not self._pace.is_closed:
                self._expecting.add(job.shard)
            self._pace.list_now(self._monotonic())
            self._replan()
            self.work.notify()
            return
        pause = pause_s(
            fetched, reader.empties, closed=self._is_closed(job.shard), shards=len(self._readers), at=self._now(),
            idle_s_max=self._idle_s_max,
        )  # fmt: skip
        if fetched.empty:
            pause = self._pause_to_prove(reader, pause)
        self._schedule(reader, max(pause, self._facts.read_every_s))

    def _count_empty(self, reader: ShardReader, asked_at: float, *, empty: bool) -> None:
        reader.empties = reader.empties + 1 if empty else 0
        if not empty:
            reader.empty_asked_at.clear()
            return
        if reader.empties == 1:
            reader.empty_since = asked_at
        reader.empty_asked_at.append(asked_at)
        if not self._pace.is_closed:  # a stream that is off brings nothing, whatever is written
            asked, since, known = reader.empty_asked_at, reader.empty_since, self._read[reader.shard]
            listed_at = self._seen.listed_at
            self._read[reader.shard] = read_through.idle(known, asked, since, self._facts.empty_s, listed_at)
        if self._monotonic() >= self._refresh_at:
            self._tell()

    def _take_in_refusal(self, reader: ShardReader, job: ReadJob, fetched: Fetched[Record]) -> None:
        reader.tries += 1
        reader.trouble = str(fetched.trouble) if fetched.trouble is not None else ""
        pause = self._back_off(reader.tries)
        if fetched.refused == EXPIRED:
            # The position is that of the last record queued, so a new iterator goes on where this iterator stood.
            pause = 0.0 if reader.tries == 1 else pause
        elif fetched.refused == NOT_FOUND or (
            fetched.refused == TRIMMED and job.start.kind == "TRIM_HORIZON" and job.iterator is None
        ):
            reader.refused = True
            reader.trouble = f"shard {job.shard} cannot be read ({fetched.refused})"
            self._pace.hurry(self._monotonic())
        elif fetched.refused == TRIMMED:
            self._take_in_trim(job)
            pause = 0.0 if reader.tries == 1 else pause
        self._schedule(reader, pause)

    def _take_in_trim(self, job: ReadJob) -> None:
        """The next records of the shard are gone: go on with the rest, and report a gap unless nobody wants it."""
        at, before = self._now(), self._read[job.shard]
        horizon_at = max(self._started_at, before.horizon_at or 0.0)
        gap = None
        if shard_tree.trim_loses(before, self._started_at, at, self._facts):
            gap, horizon_at = GapFound(job.shard, "TRIMMED", before.read_at, at, before.through_at), at
        self._append(_Entry(job.shard, replace(before, position=None, horizon_at=horizon_at), gap=gap))

    def _take_entry(self, taken: _Taken[Record], records_max: int) -> bool:
        """Move the first entry, or the part of it that fits, into `taken`; whether more may follow."""
        entry = self._queue[0]
        if entry.gap is not None and taken.records:
            return False  # what was read before a gap was noticed is durable before it
        room = records_max - len(taken.records)
        left = len(entry.records) - entry.taken
        if left > 0 and (room <= 0 or taken.bytes >= BYTES_TAKEN_MAX):
            return False
        part = entry.records[entry.taken : entry.taken + room]
        taken.records += part
        self._queued_records -= len(part)
        size = sum(record.size for record in part)
        taken.bytes += size
        self._queued_bytes -= size
        if part and not clock.is_ahead(part[-1].at, self._now()):
            self._newest_given_at[entry.shard] = part[-1].at
        if left > len(part):
            entry.taken += len(part)
            last_number = next(
                (record.sequence for record in reversed(part) if record.sequence), self._given[entry.shard].position
            )
            through_at = read_through.after_records(self._given[entry.shard].through_at, part, self._now())
            position = replace(entry.after, position=last_number, finished=False, through_at=through_at)
            self._give(taken, entry.shard, position)
            return False
        self._queue.popleft()
        self._entries[entry.shard] -= 1
        if not self._entries[entry.shard]:
            del self._entries[entry.shard]
        if entry.gap is not None:
            taken.gaps.append(entry.gap)
        self._give(taken, entry.shard, entry.after)
        return True

    def _tell(self) -> None:
        self._filled.notify_all()
        self._on_news()

    def _give(self, taken: _Taken[Record], shard: str, position: ShardPosition) -> None:
        taken.positions[shard] = self._given[shard] = position

    def _has_news(self) -> bool:
        return bool(self._queue or self._forget or self._failure) or self._monotonic() >= self._refresh_at

    def _refresh(self, taken: _Taken[Record]) -> None:
        """The last reading of idle shards becomes durable now and then; else a restart would take them for unread."""
        if self._monotonic() < self._refresh_at:
            return
        self._refresh_at = self._monotonic() + READ_AT_EVERY_S
        for shard in self._readers:
            if shard not in self._entries and self._read[shard] != self._given[shard]:
                self._give(taken, shard, self._read[shard])

    def _is_listed(self) -> bool:
        return self._first is not None and self._first <= self._given.keys()

    def _has_given_all_shards(self) -> bool:
        return self._is_listed() and self._given.keys() == self._read.keys()

    def _is_read_through(self) -> bool:
        quiet = not (self._queue or self._waiting or self._expecting) and self._has_given_all_shards()
        return quiet and all(reader.empties and not reader.tries for reader in self._readers.values())

    def _oldest_at(self) -> float | None:
        firsts = (entry.records[entry.taken].at for entry in self._queue if entry.records)
        return min((at for at in firsts if at), default=None)

    def _unread_since(self) -> float | None:
        unread = []
        for shard, position in self._given.items():
            if position.finished:
                continue
            reader = self._readers.get(shard)
            idle = reader is not None and reader.empties and shard not in self._entries and not self._is_closed(shard)
            unread.append(self._read[shard].read_at if idle else self._newest_given_at.get(shard, position.read_at))
        return min(unread, default=None)

    def _is_ended(self) -> bool:
        done = not (self._queue or self._readers or self._waiting) and self._has_given_all_shards()
        return done and self._pace.is_over

    def _trouble(self) -> str:
        return self._pace.trouble or next((reader.trouble for reader in self._readers.values() if reader.trouble), "")
