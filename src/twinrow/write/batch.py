"""A batch of changes, and the outcome of a committed batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinrow.capture.shard_log import GapFound
from twinrow.capture_kind import Traits
from twinrow.change import Change, Item
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute
from twinrow.sink.writer import Written
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.outbox import PendingLink
from twinrow.state.recheck import Suspect
from twinrow.write.prepare import PreparedChange


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in their order, and what becomes durable with them.

    `if_absent`: a scanned image never beats a row or tombstone. `rechecked`: the recheck entries this batch works off;
    `suspects`: keys that only a consistent read can tell the truth of. `truth`: the images were read consistently
    under the lock, so a pending link that they do not show is none any more. `rows_gone`: rows that were deleted
    while the batch was read. `gaps`: noticed before any of the changes was read. `of_export`: the changes come from an
    export that fills a gap. `reborn`: keys that were deleted and put again among the changes.
    """

    changes: Sequence[Change] = ()
    parts: Mapping[str, Checkpoint] = field(default_factory=dict)
    if_absent: bool = False
    rechecked: Sequence[Suspect] = ()
    suspects: Sequence[tuple[bytes, Item]] = ()
    truth: bool = False
    rows_gone: int = 0
    gaps: Sequence[GapFound] = ()
    of_export: bool = False
    reborn: Sequence[bytes] = ()

    @property
    def items(self) -> list[Item]:
        """The items of the changes that have an item."""
        return [change.item for change in self.changes if change.item is not None]


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a committed batch: the links to be written, and what was written.

    `doubted`: keys whose image no row can hold, to be read again before that is believed. `became`: the changes that
    became rows, or took a row away; not those that a row beat, were parked, or are the echo of a link.
    `not_taken`: the server's errors for rows that were put off.
    """

    debts: list[PendingLink]
    written: Written
    parked: int
    doubted: tuple[bytes, ...] = ()
    became: tuple[PreparedChange, ...] = ()
    not_taken: frozenset[int] = frozenset()


def without_disorder(batch: Batch, traits: Traits, keys: tuple[KeyAttribute, ...]) -> Batch:
    """The batch with keys to be read in place of changes that may come twice or out of order; else the same batch.

    The image of such a change may be older than the row, so it is never written: see `Traits.in_order`.
    """
    if traits.in_order:  # looked at first: the changes of a stream's batch are decoded when they are asked for
        return batch
    unsure = [change for change in batch.changes if change.origin == traits.origin]
    if not unsure:
        return batch
    sure = [change for change in batch.changes if change.origin != traits.origin]
    suspects = [(change.key_hash or fingerprint(keys, change.key), change.key) for change in unsure]
    return replace(batch, changes=sure, suspects=[*batch.suspects, *suspects])
