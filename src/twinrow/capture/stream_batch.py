"""What is taken from a stream at a time: records, and the positions and gaps that become durable with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, overload

from twinrow.capture.shard_log import GapFound, Record, ShardPosition
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import Change


class Changes(Sequence[Change]):
    """The content of records, decoded on request."""

    def __init__(self, records: Sequence[StreamRecord]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> Change: ...
    @overload
    def __getitem__(self, place: slice) -> Changes: ...
    def __getitem__(self, place: int | slice) -> Change | Changes:
        return Changes(self._records[place]) if isinstance(place, slice) else self._records[place].change


@dataclass(frozen=True, slots=True)
class StreamBatch(Generic[Record]):
    """The records taken: to be made durable together, `gaps` before or with the rest.

    `positions`: shards met, read further, ended, or idle but looked at. `forgotten`: checkpoints nobody needs any more.
    `listed`: every shard of the first complete listing is among the positions given so far. `read_through`: nothing is
    left to take and the last answer of every shard was empty. `oldest_at`: time of the oldest record not yet taken.
    `unread_since`: no unread record is older. `ended`: the stream is disabled or gone, and all of it was taken.
    `waits`: the trouble that some shard or the listing is in, or "".
    """

    records: list[Record]
    positions: dict[str, ShardPosition]
    gaps: list[GapFound]
    forgotten: frozenset[str]
    listed: bool
    read_through: bool
    oldest_at: float | None
    unread_since: float | None
    ended: bool
    waits: str

    @property
    def changes(self: StreamBatch[StreamRecord]) -> Changes:
        """The content of the records of a DynamoDB stream."""
        return Changes(self.records)
