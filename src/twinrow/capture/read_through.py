"""Up to which moment every change of a shard was read: there a loss begins (pure).

`ShardPosition.read_at` says when a shard was last read. While a shard is read behind its end, changes from before that
moment are still unread, so a loss that is found then began earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from twinrow.capture.shard_log import Record, ShardPosition
from twinrow.capture.shard_reader import EMPTY_ANSWERS_MIN
from twinrow.clock import is_ahead


def after_records(before: float | None, records: Sequence[Record], now: float) -> float | None:
    """The moment after these records of a shard: its records come in the order of their times.

    A record without a time, or from ahead of DynamoDB's clock, says nothing.
    """
    return next((record.at for record in reversed(records) if record.at and not is_ahead(record.at, now)), before)


def idle(
    position: ShardPosition, asked_at: Sequence[float], empty_since: float, empty_s: float, listed_at: float
) -> ShardPosition:
    """The position after answers without records: a single empty answer is not the end of a shard.

    `asked_at`: the last EMPTY_ANSWERS_MIN of them; `empty_since`: when the first in a row was asked for; `empty_s`:
    over so long a time they prove the end. `listed_at`: when the stream was last listed, and was on: it may have been
    turned off since, and then it is silent about what is written.
    """
    if len(asked_at) < EMPTY_ANSWERS_MIN or asked_at[-1] - empty_since < empty_s:
        return position
    moment = min(asked_at[0], asked_at[-1] - empty_s, listed_at)
    return position if moment <= (position.through_at or 0.0) else replace(position, through_at=moment)


def of_child(parents: Sequence[str], known: Mapping[str, ShardPosition], horizon_at: float | None) -> float | None:
    """The moment of a shard that was never read: all its records are newer than those of its parents.

    `horizon_at`: older records are not wanted from it.
    """
    above = [known[parent].through_at if parent in known else None for parent in parents]
    read = [moment for moment in above if moment is not None]
    return min(read) if read and len(read) == len(above) else horizon_at


def of_stream(known: Mapping[str, ShardPosition]) -> float | None:
    """The moment up to which all shards were read; None where it is not known of each.

    Where every shard was read to its end, the stream was turned off after the last record of all.
    """
    parents = {parent for position in known.values() for parent in position.parents}
    leaves = [position for shard, position in known.items() if shard not in parents]
    unread = [position.through_at for position in known.values() if not position.finished]
    moments = [*unread, *(leaf.through_at for leaf in leaves if unread and leaf.finished)]
    if not unread:
        return max((leaf.through_at for leaf in leaves if leaf.through_at is not None), default=None)
    found = [moment for moment in moments if moment is not None]
    return min(found) if len(found) == len(moments) else None
