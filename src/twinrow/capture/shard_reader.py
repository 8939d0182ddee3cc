"""Reading one shard: a request at a time, what its answer means, and how long to wait before the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic

from twinrow.capture.shard_log import Record, ShardLog, Start
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Transient

ACTIVE_S = 0.1
"""Pause after an answer with a few new records: half of this is the lag that polling adds on an active shard."""
IDLE_S_MIN = 0.1
IDLE_S_GROWTH = 1.3
IDLE_S_MAX = 1.2
"""Longest pause on an idle shard, unless `idle_poll_max` is set: with the write itself it stays below 1.5 s."""
IDLE_READS_PER_S_MAX = 100.0
"""With many idle shards each is asked less often, so that all together stay below this."""
IDLE_S_MANY_MAX = 10.0
CLOSED_S = 0.02
"""Pause after an empty page of a closed shard, which has an end to be reached."""
BEHIND_S = 90.0
"""Records older than this: read on at once. DynamoDB Local cuts times to the minute (measured), AWS to the second."""
FULL_PAGE_RECORDS = 500
EMPTY_ANSWERS_MIN = 3
"""This many empty answers in a row mean that a shard has no more; one or two may be empty before records (AWS)."""

EXPIRED = "ExpiredIteratorException"
TRIMMED = "TrimmedDataAccessException"
NOT_FOUND = "ResourceNotFoundException"


@dataclass(slots=True)
class ShardReader:
    """The knowledge of a process about a shard that it reads; `due_at` by the monotonic clock.

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
    """A reading to be done; `asked_at` in epoch seconds."""

    shard: str
    start: Start
    iterator: str | None
    epoch: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Record]):
    """The result of a reading: records and the next iterator, or `ended`, or `refused` (a code), or `trouble`.

    `position`, `empty` and `behind_s` as in `LogPage`.
    """

    records: tuple[Record, ...] = ()
    iterator: str | None = None
    position: str | None = None
    empty: bool = True
    behind_s: float = 0.0
    ended: bool = False
    refused: str = ""
    trouble: Transient | None = None


def fetch(log: ShardLog[Record], job: ReadJob) -> Fetched[Record]:
    """Do a reading. Raises DynamoDBError for refusals that no new iterator mends (no rights…)."""
    iterator = job.iterator
    try:
        if iterator is None:
            iterator = log.iterator(job.shard, job.start)
        page = log.records(iterator, job.shard)
    except Transient as trouble:
        return Fetched(iterator=iterator, trouble=trouble)
    except DynamoDBError as error:
        if error.code in (EXPIRED, TRIMMED, NOT_FOUND):
            return Fetched(refused=error.code)
        raise
    return Fetched(
        page.records, page.next_iterator, page.position, page.empty, page.behind_s, ended=page.next_iterator is None
    )


def pause_s(
    fetched: Fetched[Record], empties: int, *, closed: bool, shards: int, at: float, idle_s_max: float = IDLE_S_MAX
) -> float:
    """Seconds until the next reading of this shard, `shards` being read in all; `at` in epoch seconds."""
    if not fetched.empty:
        behind = not fetched.records or fetched.records[-1].at < at - BEHIND_S
        return 0.0 if behind or len(fetched.records) >= FULL_PAGE_RECORDS else ACTIVE_S
    if closed:
        return CLOSED_S
    longest = max(idle_s_max, min(IDLE_S_MANY_MAX, shards / IDLE_READS_PER_S_MAX))
    return float(min(longest, IDLE_S_MIN * IDLE_S_GROWTH ** min(empties - 1, 64)))


def pause_to_prove_s(since: float, empty_s: float, *, shards: int, at: float) -> float:
    """Seconds until the reading that may prove that nothing was written before `since`; times in epoch seconds.

    That takes EMPTY_ANSWERS_MIN empty answers from after `since`, the last of them `empty_s` after it.
    """
    soonest = max(IDLE_S_MIN, shards / IDLE_READS_PER_S_MAX)
    return max(soonest, min(since + empty_s - at, empty_s / EMPTY_ANSWERS_MIN))


def idle_proof_s(empty_s: float, idle_s_max: float = IDLE_S_MAX) -> float:
    """How long ago the moment is that an idle shard proves at any time.

    EMPTY_ANSWERS_MIN answers lie `idle_s_max` apart, and the last of them was that long ago.
    """
    return max(empty_s, (EMPTY_ANSWERS_MIN - 1) * idle_s_max) + idle_s_max
