"""A log of changes, whatever keeps it: shards, positions in them, and the requests that read it.

`StreamReader` reads any `ShardLog`. DynamoDB Streams is such a log (`dynamodb_stream`), Kinesis Data Streams another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

RETENTION_S = 24 * 3600.0
"""Records are kept so long (AWS, "Change data capture for DynamoDB Streams")."""
RETENTION_MARGIN_S = 3600.0
"""A shard not read for the retention less this is a gap: records that are about to go cannot be read in time."""
EMPTY_S = 5.0
"""A shard whose answers are empty over this time, several of them, has given all that it has."""
LIST_EVERY_S = 15.0
"""The pause between two listings of the shards while nothing about them is unsure."""
LIST_LOCAL_EVERY_S = 2.0
"""The same on DynamoDB Local, where nobody else needs the requests."""
EMPTY_LOCAL_S = 1.0
"""The same on DynamoDB Local, which shows a change before it answers the write (800 of 800, four writers beside).

It is more than the half second by which DynamoDB's clock, learned from whole seconds, may still be moved.
"""

StartKind = Literal["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP", "TRIM_HORIZON"]
GapCause = Literal[
    "TRIMMED",
    "SHARD_LOST",
    "NOT_READ",
    "PARENT_LATE",
    "PARENT_LOST",
    "STREAM_RECREATED",
    "STREAM_DISABLED",
    "NOT_UNDERSTOOD",
]


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The facts about a kind of log of changes.

    `retention_s`: records are kept so long. `ordered`: the changes of a key come in their order, each once.
    `tells_trims`: reading from a position whose next record is gone is refused. `read_every_s`: the shortest pause
    between two readings of a shard. `empty_s`: a shard that answered empty over this time has given all that it has.
    `list_every_s`: the pause between two listings while nothing is unsure.
    """

    retention_s: float
    ordered: bool = True
    tells_trims: bool = True
    read_every_s: float = 0.0
    empty_s: float = EMPTY_S
    list_every_s: float = LIST_EVERY_S

    @property
    def unread_s_max(self) -> float:
        """A shard that was not read for so long is a gap."""
        return self.retention_s - RETENTION_MARGIN_S


DYNAMODB_STREAM = LogFacts(RETENTION_S)
"""A DynamoDB stream."""
DYNAMODB_LOCAL_STREAM = LogFacts(RETENTION_S, empty_s=EMPTY_LOCAL_S, list_every_s=LIST_LOCAL_EVERY_S)
"""A stream of DynamoDB Local."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as its log lists it: sequence numbers, `ends` is None while it is open; two parents after a merge."""

    id: str
    parents: tuple[str, ...]
    starts: str
    ends: str | None = None


@dataclass(frozen=True, slots=True)
class ShardPosition:
    """How far a shard was read; what a checkpoint `shard:<id>` keeps.

    `position` is the sequence number of the last record taken, None before the first. `read_at`: every record that came
    before this time was read (before the first reading: when the shard was met). `horizon_at`: records older than this
    are not wanted from it, so that TRIM_HORIZON may do; None: it must be complete from `starts` on. `through_at`: every
    change before it (DynamoDB's clock, within the margin of clocks) was read; None where that is not known. It differs
    from `read_at` while a shard is read behind its end.
    """

    position: str | None
    finished: bool
    read_at: float
    parents: tuple[str, ...]
    starts: str
    horizon_at: float | None = None
    through_at: float | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where the next shard iterator begins; `at` in epoch seconds, for AT_TIMESTAMP."""

    kind: StartKind
    sequence: str | None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class GapFound:
    """Changes may have been missed between two epoch seconds; `shard` is "" when it concerns the whole stream.

    `lost_from`: every change before it was applied (DynamoDB's clock); None where that is not known.
    """

    shard: str
    cause: GapCause
    from_at: float | None
    to_at: float | None
    lost_from: float | None = None


class LogRecord(Protocol):
    """The parts of a record that the reading of any log needs.

    `sequence` is "" and `at` 0 where the record does not say.
    """

    @property
    def sequence(self) -> str: ...

    @property
    def at(self) -> float: ...

    @property
    def size(self) -> int: ...


Record = TypeVar("Record", bound=LogRecord)
ReadRecord = TypeVar("ReadRecord", bound=LogRecord, covariant=True)


@dataclass(frozen=True, slots=True)
class ShardsPage:
    """A page of a listing: `status` as the log calls it; the next page begins after `last_shard` (None: no more)."""

    status: str
    shards: tuple[Shard, ...]
    last_shard: str | None


@dataclass(frozen=True, slots=True)
class LogPage(Generic[ReadRecord]):
    """An answer with records, and the next iterator (None: the shard has ended).

    `position`: the sequence number up to which the shard was read, None where the page says nothing of it. `empty`: the
    log had no records; those that are left out because nobody wants them count as there. `behind_s`: how far the end of
    the page lies behind the end of the shard.
    """

    records: tuple[ReadRecord, ...]
    next_iterator: str | None
    position: str | None
    empty: bool
    behind_s: float = 0.0


class ShardLog(Protocol[ReadRecord]):
    """A log of changes.

    Its requests raise Transient, and DynamoDBError: with code ResourceNotFoundException where log or shard is gone,
    ExpiredIteratorException, TrimmedDataAccessException where it tells trims, others where no new try helps.
    """

    @property
    def name(self) -> str:
        """Its ARN."""

    @property
    def facts(self) -> LogFacts:
        """The facts about this log."""

    def shards(self, after: str | None) -> ShardsPage:
        """A page of its shards."""

    def iterator(self, shard: str, start: Start) -> str:
        """An iterator for `records`, which lives some minutes."""

    def records(self, iterator: str, shard: str) -> LogPage[ReadRecord]:
        """The records at an iterator."""
