"""A Kinesis stream as a log of hints, read once for all the tables that it carries.

A shard takes five readings a second from all its readers together (AWS, "Quotas and limits"). The tables of a process
therefore share their readings: an iterator is the place in the shard itself, and whoever asks for a place that another
table has just read gets the same page. Each table keeps its own positions, durable with its own rows.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twinrow import clock
from twinrow.capture import kinesis_record
from twinrow.capture.key_hint import KeyHint
from twinrow.capture.shard_log import LogFacts, LogPage, Shard, ShardsPage, Start
from twinrow.capture.shard_reader import EXPIRED
from twinrow.dynamodb_error import DynamoDBError
from twinrow.kinesis import RecordsAnswer

READ_EVERY_S = 0.25
"""Four readings a second leave the fifth to another consumer of the stream."""
PAGES_KEPT_MAX = 4
"""For each shard, for tables that read a little behind the others; a table alone in its stream keeps none."""
ITERATORS_KEPT_MAX = 10_000


class KinesisDoor(Protocol):
    """The requests that `Kinesis` has; they raise as it does."""

    def shards(self, arn: str, after: str | None) -> tuple[list[dict[str, Any]], bool]: ...

    def iterator(self, arn: str, shard: str, kind: str, sequence: str | None, at: float | None) -> str: ...

    def records(self, iterator: str, arn: str, shard: str) -> RecordsAnswer: ...


@dataclass(slots=True)
class _ReadShard:
    """The readings of a shard: Kinesis's iterator of each place, the last pages, and the last empty answer.

    A place is a Start as JSON. At the end of a shard `empty` is (place, its page, the monotonic time of the reading).
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    iterators: OrderedDict[str, str] = field(default_factory=OrderedDict)
    pages: OrderedDict[str, LogPage[KeyHint]] = field(default_factory=OrderedDict)
    empty: tuple[str, LogPage[KeyHint], float] | None = None


class SharedReadings:
    """The readings of a stream, shared by the tables of this process."""

    def __init__(self, door: KinesisDoor, arn: str, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self.door = door
        self.arn = arn
        self._monotonic = monotonic
        self._tables: set[str] = set()
        self._lock = threading.Lock()
        self._shards: defaultdict[str, _ReadShard] = defaultdict(_ReadShard)

    def share_with(self, table: str) -> None:
        """A table reads from here, too; more than a single table are worth keeping pages for."""
        with self._lock:
            self._tables.add(table)

    def page(self, shard: str, place: str) -> LogPage[KeyHint]:
        """The page at a place of a shard, read now or a moment ago."""
        with self._lock:
            known = self._shards[shard]
        with known.lock:
            page = known.pages.get(place)
            if page is not None:
                return page
            if known.empty is not None and known.empty[0] == place:
                _, page, read_at = known.empty
                if self._monotonic() - read_at < READ_EVERY_S:
                    return page
            return self._read(known, shard, place)

    def _read(self, known: _ReadShard, shard: str, place: str) -> LogPage[KeyHint]:
        iterator = known.iterators.pop(place, None)
        if iterator is None:
            start = _start(place)
            iterator = self.door.iterator(self.arn, shard, start.kind, start.sequence, start.at)
        try:
            answer = self.door.records(iterator, self.arn, shard)
        except DynamoDBError as error:
            if error.code != EXPIRED:  # an expired iterator is dropped, and another is asked for
                known.iterators[place] = iterator
            raise
        except Exception:
            known.iterators[place] = iterator
            raise
        return self._taken(known, place, answer)

    def _taken(self, known: _ReadShard, place: str, answer: RecordsAnswer) -> LogPage[KeyHint]:
        hints = tuple(kinesis_record.hint_of(record.data, record.sequence_number) for record in answer.records)
        position = answer.records[-1].sequence_number if answer.records else None
        after = place if position is None else _place(Start("AFTER_SEQUENCE_NUMBER", position))
        following = answer.next_shard_iterator
        page = LogPage(
            hints, None if following is None else after, position, empty=not answer.records,
            behind_s=answer.millis_behind_latest / 1000,
        )  # fmt: skip
        if following is not None:
            known.iterators[after] = following
        while len(known.iterators) > ITERATORS_KEPT_MAX:
            known.iterators.popitem(last=False)
        if page.empty and following is not None:
            known.empty = (place, page, self._monotonic())
        else:
            known.pages[place] = page
        while len(known.pages) > (PAGES_KEPT_MAX if len(self._tables) > 1 else 0):
            known.pages.popitem(last=False)
        return page


class KinesisLog:
    """The hints of a table in a stream; records that do not name their table are in every table's log."""

    def __init__(self, readings: SharedReadings, table: str, retention_s: float) -> None:
        readings.share_with(table)
        self._readings = readings
        self._table = table
        self.name = readings.arn
        self.facts = LogFacts(retention_s, ordered=False, tells_trims=False, read_every_s=READ_EVERY_S)

    def shards(self, after: str | None) -> ShardsPage:
        """A page of ListShards, which names open shards, and closed ones while they have records."""
        listed, more = self._readings.door.shards(self.name, after)
        shards = tuple(map(_shard, listed))
        return ShardsPage("ACTIVE", shards, shards[-1].id if shards and more else None)

    def iterator(self, shard: str, start: Start) -> str:  # noqa: ARG002 - of the protocol
        """The place itself: see `SharedReadings`."""
        return _place(start)

    def records(self, iterator: str, shard: str) -> LogPage[KeyHint]:
        """The table's hints in the page at a place."""
        page = self._readings.page(shard, iterator)
        wanted = tuple(hint for hint in page.records if hint.table in (self._table, ""))
        return LogPage(wanted, page.next_iterator, page.position, page.empty, page.behind_s)


def _place(start: Start) -> str:
    return json.dumps([start.kind, start.sequence, start.at])


def _start(place: str) -> Start:
    return Start(*json.loads(place))


def _shard(listed: dict[str, Any]) -> Shard:
    parents = tuple(listed[name] for name in ("ParentShardId", "AdjacentParentShardId") if listed.get(name))
    span = listed.get("SequenceNumberRange") or {}
    return Shard(listed["ShardId"], parents, span.get("StartingSequenceNumber", ""), span.get("EndingSequenceNumber"))
