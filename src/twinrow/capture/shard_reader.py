"""Reading one shard: a request at a time, what its answer means, and how long to wait before the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from twinrow.capture import stream_record
from twinrow.capture.shard_tree import Start
from twinrow.capture.stream_record import StreamRecord
from twinrow.dynamodb_error import DynamoDBError
from twinrow.dynamodb_wire import RecordsPage, StreamPage
from twinrow.errors import Transient

ACTIVE_S = 0.1
"""Pause after an answer with a few new records: half of this is the lag that polling adds on an active shard."""
IDLE_S_MIN = 0.1
IDLE_S_GROWTH = 1.3
IDLE_S_MAX = 1.5
"""Longest pause on an idle shard; 86,400 reads a day and shard would cost 1.7 cents (AWS prices of 2024)."""
IDLE_READS_PER_S_MAX = 100.0
"""With many idle shards each is asked less often, so that all together stay below this."""
IDLE_S_MANY_MAX = 10.0
CLOSED_S = 0.02
"""Pause after an empty page of a closed shard, which has an end to be reached."""
BEHIND_S = 90.0
"""Records older than this: read on at once. DynamoDB Local cuts times to the minute (measured), AWS to the second."""
FULL_PAGE_RECORDS = 500
EMPTY_ANSWERS_MIN = 3
"""So many empty answers in a row say that a shard has no more; one or two may be empty in front of records (AWS)."""

EXPIRED = "ExpiredIteratorException"
TRIMMED = "TrimmedDataAccessException"
NOT_FOUND = "ResourceNotFoundException"


class StreamSource(Protocol):
    """What is needed of `DynamoDB`; raises what that raises."""

    def describe_stream(self, arn: str, after_shard: str | None = None) -> StreamPage: ...

    def shard_iterator(self, arn: str, shard: str, kind: str, sequence: str | None = None) -> str: ...

    def records(self, iterator: str, where: str = "") -> RecordsPage: ...


@dataclass(slots=True)
class ShardReader:
    """What one process knows of a shard that it reads; `due_at` by the monotonic clock.

    `epoch` is its own number: an answer to a reader before it, of the same shard, does not count any more. `empties` is
    the number of empty answers in a row, `empty_since` when the first of them was asked for; `refused` that the last
    answer was that the shard is gone.
    """

    shard: str
    epoch: int
    iterator: str | None = None
    busy: bool = False
    due_at: float = 0.0
    tries: int = 0
    trouble: str = ""
    refused: bool = False
    empties: int = 0
    empty_since: float = 0.0
    empty_asked_at: deque[float] = field(default_factory=lambda: deque(maxlen=EMPTY_ANSWERS_MIN))


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One reading to be done; `asked_at` in epoch seconds."""

    shard: str
    start: Start
    iterator: str | None
    epoch: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a reading came to: records and the next iterator, or `ended`, or `refused` (a code), or `trouble`."""

    records: tuple[StreamRecord, ...] = ()
    iterator: str | None = None
    ended: bool = False
    refused: str = ""
    trouble: Transient | None = None


def fetch(source: StreamSource, arn: str, job: ReadJob) -> Fetched:
    """Do a reading. Raises DynamoDBError for refusals that no new iterator mends (no rights…)."""
    iterator = job.iterator
    try:
        if iterator is None:
            iterator = source.shard_iterator(arn, job.shard, job.start.kind, job.start.sequence)
        page = source.records(iterator, f"shard {job.shard}")
    except Transient as trouble:
        return Fetched(iterator=iterator, trouble=trouble)
    except DynamoDBError as error:
        if error.code in (EXPIRED, TRIMMED, NOT_FOUND):
            return Fetched(refused=error.code)
        raise
    return Fetched(stream_record.read(page.raw), page.next_iterator, ended=page.next_iterator is None)


def pause_s(fetched: Fetched, empties: int, *, closed: bool, shards: int, at: float) -> float:
    """Seconds until the next reading of this shard, `shards` being read in all; `at` in epoch seconds."""
    if fetched.records:
        behind = fetched.records[-1].at < at - BEHIND_S
        return 0.0 if behind or len(fetched.records) >= FULL_PAGE_RECORDS else ACTIVE_S
    if closed:
        return CLOSED_S
    longest = min(IDLE_S_MANY_MAX, max(IDLE_S_MAX, shards / IDLE_READS_PER_S_MAX))
    return float(min(longest, IDLE_S_MIN * IDLE_S_GROWTH ** min(empties - 1, 64)))
