"""Listing a stream's shards, and when to do it again: soon while something is unsure, else now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twinrow.capture.shard_log import LIST_EVERY_S, LogRecord, Shard, ShardLog
from twinrow.capture.shard_reader import NOT_FOUND
from twinrow.capture.shard_tree import PARENT_ABSENT_S, Listing
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Transient

LIST_SOON_S = 0.25
LIST_SOON_GROWTH = 1.5
LIST_PAGE_S = 0.2
"""DescribeStream takes 10 calls a second and account (AWS service quotas): each page is paid for with this pause."""
LIST_PAGES_MAX = 10_000
LISTING_S_MAX = 60.0
"""A listing cut short by throttling goes on where it stopped, unless that is so long ago."""
GONE = "GONE"


@dataclass(frozen=True, slots=True)
class ListJob:
    """A listing to be made, or the rest of a listing that was cut short: the shards so far, and the last of them."""

    began_at: float
    shards: Mapping[str, Shard] = field(default_factory=dict)
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The result of a listing: `status` as DescribeStream gives it, or GONE.

    The `trouble` that cut it, and the `rest`.
    """

    listing: Listing
    status: str
    pages: int
    trouble: Transient | None = None
    rest: ListJob | None = None


def list_shards(log: ShardLog[LogRecord], job: ListJob) -> Listed:
    """All pages of a listing. Raises DynamoDBError for refusals other than that the stream is gone."""
    shards = dict(job.shards)
    after, status = job.after, ""
    for pages in range(1, LIST_PAGES_MAX + 1):
        try:
            page = log.shards(after)
        except Transient as trouble:
            cut = Listing(shards, complete=False, began_at=job.began_at)
            return Listed(cut, status, pages, trouble, ListJob(job.began_at, shards, after))
        except DynamoDBError as error:
            if error.code != NOT_FOUND:
                raise
            gone = after is None
            return Listed(Listing(shards, complete=gone, began_at=job.began_at), GONE if gone else status, pages)
        status = page.status
        shards.update((shard.id, shard) for shard in page.shards)
        after = page.last_shard
        if after is None:
            return Listed(Listing(shards, complete=True, began_at=job.began_at), status, pages)
    return Listed(Listing(shards, complete=False, began_at=job.began_at), status, LIST_PAGES_MAX)


@dataclass(slots=True)
class ListingPace:
    """When the next listing is due (monotonic clock), and what the last ones say of the stream.

    `listed`: a listing was complete. `closed_since`: from when on they say that the stream is disabled or gone (epoch
    seconds), `is_over` that they have said so for long enough.
    """

    every_s: float = LIST_EVERY_S
    busy: bool = False
    due_at: float = 0.0
    listed: bool = False
    trouble: str = ""
    closed_since: float | None = None
    is_over: bool = False
    _rest: ListJob | None = None
    _soon: int = 0
    _tries: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether the last listing says that the stream gets no more shards."""
        return self.closed_since is not None

    def next_job(self, now: float, at: float) -> ListJob | None:
        """The listing to be made now, if a listing is due."""
        if self.busy or self.due_at > at:
            return None
        self.busy = True
        rest = self._rest
        return rest if rest is not None and now - rest.began_at < LISTING_S_MAX else ListJob(now)

    def list_now(self, at: float) -> None:
        """A shard has ended: its children are looked for at once."""
        self._soon, self.due_at = 0, at

    def list_by(self, at: float) -> None:
        """Somebody waits for a listing: make it at that moment at the latest; one that was refused keeps its pause."""
        if not self.trouble:
            self.due_at = min(self.due_at, at)

    def hurry(self, at: float) -> None:
        """Something does not fit the last listing: make the next listing soon."""
        self.due_at = min(self.due_at, at + LIST_SOON_S)

    def note(self, listed: Listed) -> None:
        """Take in what a listing says of the stream as a whole."""
        self.busy = False
        self._rest = listed.rest
        self.trouble = "" if listed.trouble is None else str(listed.trouble)
        if listed.listing.complete:
            self.listed = True
            self._note_status(listed)

    def set_next(self, listed: Listed, *, unsure: bool, at: float, back_off: Callable[[int], float]) -> None:
        """Set the time of the next listing. `unsure`: some shard is absent without proof, or expected."""
        if listed.trouble is not None:
            self._tries = self._tries + 1 if listed.pages == 1 else 1
            self.due_at = at + back_off(self._tries)
            return
        self._tries = 0
        unsure = unsure or not self.listed or (self.is_closed and not self.is_over)
        pause = min(self.every_s, LIST_SOON_S * LIST_SOON_GROWTH ** min(self._soon, 32)) if unsure else self.every_s
        self._soon = self._soon + 1 if unsure else 0
        self.due_at = at + max(pause, listed.pages * LIST_PAGE_S if listed.pages > 1 else 0.0)

    def _note_status(self, listed: Listed) -> None:
        """A stream is over when listings some time apart say so: a single answer may be old."""
        if listed.status not in ("DISABLED", GONE):
            self.closed_since, self.is_over = None, False
            return
        if self.closed_since is None:
            self.closed_since = listed.listing.began_at
        self.is_over = listed.listing.began_at - self.closed_since >= PARENT_ABSENT_S
