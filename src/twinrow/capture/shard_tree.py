"""Which shards of a stream may be read now, and from where (pure: no clock, no I/O).

Facts, from the AWS page "Change data capture for DynamoDB Streams" and the API reference: a shard lives some four
hours, then it is closed and its children take over; records may be trimmed when they are 24 hours old, never before; a
shard disappears when its last record does. DescribeStream is paged and eventually consistent: a listing may lack shards
that exist, show children before their parents, and show a shard again that it lacked before. Therefore nothing is
concluded from one listing: `Seen` keeps since when each shard has been absent from complete listings in a row.

Iterators. Children are read AT their StartingSequenceNumber, because that raises TrimmedDataAccessException where
TRIM_HORIZON would silently begin at what is left. TRIM_HORIZON is right only while nothing that is wanted can have been
trimmed: for the shards met at the start of a new copy (older records are not wanted), and after a gap (what was lost is
owed by the reconcile). LATEST is never used: it has no position that could be made durable before the first record.

A log that does not refuse what is gone (`LogFacts.tells_trims`; Kinesis) gives no records, for ever, from a position
that has expired. There the time up to which a shard was read decides alone: when that is older than the retention, less
a margin, it is a gap, the position is dropped, and reading begins anew at the time of the gap. The reconcile, which
begins later, owes all that came before. A log that keeps no order (`LogFacts.ordered`; Kinesis Data Streams for
DynamoDB) needs no parents before children: all shards are read side by side.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from twinrow.capture import read_through
from twinrow.capture.shard_log import DYNAMODB_STREAM, GapFound, LogFacts, Shard, ShardPosition, Start
from twinrow.clock import is_ahead

RECORD_TIME_GRAIN_S = 60.0
"""Record times are cut: by AWS to the second, by DynamoDB Local to the minute (measured)."""
CLOCK_MARGIN_S = 60.0
"""Between times of several servers of DynamoDB: their clocks may differ."""
START_MARGIN_S = 300.0
"""Records that much older than the start of a copy are in every image that its scan reads, which is consistent.

It is more than CLOCK_MARGIN_S and RECORD_TIME_GRAIN_S together, since a few records more do no harm.
"""
PARENT_ABSENT_S = 5.0
"""A parent never met, of a child older than the retention: taken for trimmed when listings over this time lack it."""
PARENT_HIDDEN_S = 60.0
"""The same for a younger child, whose parent should still be there: listings may be behind."""
VANISHED_S = 60.0
"""A shard that cannot be read is taken for gone when complete listings over this time lack it."""
CHILDREN_S = 5.0
"""A listing that began so long after the end of a shard shows all its children, if it shows any."""
CHILDLESS_S = 30.0
"""A shard without a child in a listing that began so long after its end has none."""
FORGET_AFTER_EXPIRY_S = 24 * 3600.0
"""Finished shards are remembered so long: around their expiry listings show them again (also measured by Flink)."""

# Since 2014 ids are "shardId-" and the creation time in ms; not documented, but Amazon's Flink connector relies on it.
_ID_TIME = re.compile(r"shardId-0*(\d{13})-")


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages of a listing; `complete` only when the last page was reached. `began_at`: epoch seconds."""

    shards: Mapping[str, Shard]
    complete: bool
    began_at: float


GapAndPositions = tuple[GapFound, Mapping[str, ShardPosition]]
"""A gap, and the positions that become durable with it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of all listings of this process: shards, and since when each known shard is absent from them."""

    shards: Mapping[str, Shard] = field(default_factory=dict)
    absent_since: Mapping[str, float] = field(default_factory=dict)
    listed_at: float = float("-inf")

    def absent(self, shard: str, for_s: float) -> bool:
        """Whether two complete listings at least `for_s` apart, and all between them, lack the shard."""
        since = self.absent_since.get(shard)
        return since is not None and self.listed_at - since >= for_s


@dataclass(frozen=True, slots=True)
class Plan:
    """The conclusions from the listings.

    `register`: shards met for the first time, to be made durable. `readable`: the shards to be read, and from where.
    `waiting`: unfinished ones that may not be read yet. `forget`: checkpoints that nobody needs any more.
    """

    register: Mapping[str, ShardPosition]
    gaps: tuple[GapAndPositions, ...]
    readable: Mapping[str, Start]
    waiting: frozenset[str]
    forget: frozenset[str]


def look(seen: Seen, listing: Listing, known: Mapping[str, ShardPosition]) -> Seen:
    """Add a listing. A listing that was cut short shows which shards exist, never which do not."""
    shards = {**seen.shards, **listing.shards}
    absent = {shard: at for shard, at in seen.absent_since.items() if shard not in listing.shards}
    if not listing.complete:
        return Seen(shards, absent, seen.listed_at)
    parents = {parent for each in shards.values() for parent in each.parents}
    parents |= {parent for each in known.values() for parent in each.parents}
    named = parents | set(known) | set(shards)
    for shard in named - set(listing.shards):
        absent.setdefault(shard, listing.began_at)
    absent = {shard: at for shard, at in absent.items() if shard in named}
    looked = Seen(shards, absent, listing.began_at)
    kept = {shard: listed for shard, listed in shards.items() if not looked.absent(shard, VANISHED_S)}
    return replace(looked, shards=kept)


def start_of(position: ShardPosition, at: float, facts: LogFacts = DYNAMODB_STREAM) -> Start:
    """Where to begin, or go on, reading a shard at this moment."""
    if position.position is not None:
        return Start("AFTER_SEQUENCE_NUMBER", position.position)
    if not facts.tells_trims:
        if position.horizon_at is None:
            return Start("TRIM_HORIZON", None)
        return Start("AT_TIMESTAMP", None, position.horizon_at - START_MARGIN_S)
    if position.horizon_at is not None and at < position.horizon_at + facts.unread_s_max:
        return Start("TRIM_HORIZON", None)
    return Start("AT_SEQUENCE_NUMBER", position.starts)


def trim_loses(position: ShardPosition, started_at: float, at: float, facts: LogFacts = DYNAMODB_STREAM) -> bool:
    """Whether records trimmed by now may have been wanted: they are older than the retention, that is all we know.

    While nothing was taken from a shard since its last gap, what is trimmed lies in that gap. Afterwards it does not: a
    reconcile that mended the gap may be through, and older images applied over it since.
    """
    unread_s_max = facts.unread_s_max
    if position.position is None and position.horizon_at is not None and at < position.horizon_at + unread_s_max:
        return False
    return at >= started_at + unread_s_max


def plan(
    seen: Seen,
    known: Mapping[str, ShardPosition],
    *,
    started_at: float,
    at: float,
    unreadable: Collection[str] = (),
    facts: LogFacts = DYNAMODB_STREAM,
) -> Plan:
    """The shards to read now. `known`: every shard met before; `started_at`: when the copy began (epoch seconds).

    `unreadable`: shards whose last reading was refused as if they were gone. All times are of DynamoDB's clock; one
    that is ahead of `at` was stored while that was not so, and counts as unknown.
    """
    children = _children(seen, known)
    register, gaps = _meet(seen, known, children, started_at, at, facts)
    register |= _ended_at_no_known_time(known, at)
    gaps = gaps or _read_at_no_known_time(known, at, facts)
    gaps = gaps or _not_read(seen, known, at, facts)
    gaps = gaps or _lost(seen, known, unreadable, at, facts) + _orphaned(seen, known, started_at, at, facts)
    after = dict(known) | register
    for _, positions in gaps:
        after |= positions
    readable, waiting = {}, set()
    for shard, position in after.items():
        if position.finished:
            continue
        if _is_free(shard, after, seen, at, facts):
            readable[shard] = start_of(position, at, facts)
        else:
            waiting.add(shard)
    return Plan(register, tuple(gaps), readable, frozenset(waiting), _forgettable(seen, after, children, at, facts))


def unsettled(seen: Seen, known: Mapping[str, ShardPosition]) -> set[str]:
    """Shards that ended, and whose children may not all be listed yet."""
    parents = {parent for each in known.values() for parent in each.parents}
    return {
        shard
        for shard, position in known.items()
        if position.finished and seen.listed_at - position.read_at < (CHILDREN_S if shard in parents else CHILDLESS_S)
    }


def _children(seen: Seen, known: Mapping[str, ShardPosition]) -> dict[str, set[str]]:
    children: dict[str, set[str]] = defaultdict(set)
    pairs = [(parent, shard) for shard, each in seen.shards.items() for parent in each.parents]
    pairs += [(parent, shard) for shard, each in known.items() for parent in each.parents]
    for parent, shard in pairs:
        children[parent].add(shard)
    return children


def _created_at(shard: str) -> float | None:
    found = _ID_TIME.match(shard)
    return int(found[1]) / 1000 if found else None


def _is_unwanted(children: Collection[str], started_at: float) -> bool:
    """Closed well before the copy began: a child of it is older than that. (Listings may show the end late.)"""
    created = [at for at in map(_created_at, children) if at is not None]
    return bool(created) and min(created) < started_at - START_MARGIN_S


def _meet(
    seen: Seen,
    known: Mapping[str, ShardPosition],
    children: Mapping[str, Collection[str]],
    started_at: float,
    at: float,
    facts: LogFacts,
) -> tuple[dict[str, ShardPosition], list[GapAndPositions]]:
    """Shards listed for the first time.

    A parent that shows up after its children were read comes too late, and what is unread above it, too: a gap.
    """
    register: dict[str, ShardPosition] = {}
    gaps: list[GapAndPositions] = []
    # A copy that began long ago and knows no shard (its stream is new, too) wants all of them from their beginning.
    horizon_at = started_at if not known and at < started_at + facts.unread_s_max else None
    for shard, listed in seen.shards.items():
        if shard in known:
            continue
        through_at = read_through.of_child(listed.parents, known, horizon_at)
        met = ShardPosition(
            None, False, _met_at(listed, known, at, facts), listed.parents, listed.starts, horizon_at, through_at
        )
        if _is_unwanted(children.get(shard, ()), started_at):
            register[shard] = replace(met, finished=True)
        elif facts.ordered and _read_below(shard, known, children):
            given_up = {shard: met} | {above: known[above] for above in _unfinished_above(met, known)}
            gaps += [
                (GapFound(given, "PARENT_LATE", None, at), {given: replace(position, finished=True, horizon_at=at)})
                for given, position in given_up.items()
            ]
        else:
            register[shard] = met
    return register, gaps


def _met_at(listed: Shard, known: Mapping[str, ShardPosition], at: float, facts: LogFacts) -> float:
    """Up to when a shard counts as read that was never read: until its parents were, where its trims are not reported.

    It may have been there since its parents were last read, and its oldest records go first.
    """
    if facts.tells_trims:
        return at
    above = (known[parent] for parent in listed.parents if parent in known)
    return min([at, *(position.read_at for position in above if not position.finished)])


def _read_below(shard: str, known: Mapping[str, ShardPosition], children: Mapping[str, Collection[str]]) -> bool:
    """Whether a record of any descendant was taken already."""
    below = list(children.get(shard, ()))
    while below:
        child = below.pop()
        if child in known and known[child].position is not None:
            return True
        below += children.get(child, ())
    return False


def _unfinished_above(position: ShardPosition, known: Mapping[str, ShardPosition]) -> Iterator[str]:
    """The unfinished among the known ancestors."""
    return (parent for parent in above(position, known) if not known[parent].finished)


def above(position: ShardPosition, known: Mapping[str, ShardPosition]) -> Iterator[str]:
    """The known ancestors, nearest first."""
    met: set[str] = set()
    parents = list(position.parents)
    while parents:
        parent = parents.pop(0)
        if parent in known and parent not in met:
            met.add(parent)
            parents += known[parent].parents
            yield parent


def _is_free(shard: str, known: Mapping[str, ShardPosition], seen: Seen, at: float, facts: LogFacts) -> bool:
    """Whether every ancestor is read to its end, was lost, or was trimmed long ago; no matter without an order."""
    if not facts.ordered:
        return True
    position = known[shard]
    never_met = [parent for parent in position.parents if parent not in known]
    if never_met and position.position is None:
        created = _created_at(shard)
        is_old = created is not None and at - created > facts.retention_s
        absent_s = PARENT_ABSENT_S if is_old else PARENT_HIDDEN_S
        if not all(seen.absent(parent, absent_s) for parent in never_met):
            return False
    return next(_unfinished_above(position, known), None) is None


def _is_unknown(position: ShardPosition, at: float) -> bool:
    return is_ahead(_looked_after_at(position), at)


def _ended_at_no_known_time(known: Mapping[str, ShardPosition], at: float) -> dict[str, ShardPosition]:
    """Finished shards of which nobody knows when they ended: their children are waited for from now on."""
    return {
        shard: replace(
            position, read_at=at, horizon_at=None if position.horizon_at is None else min(position.horizon_at, at)
        )
        for shard, position in known.items()
        if position.finished and _is_unknown(position, at)
    }


def _read_at_no_known_time(known: Mapping[str, ShardPosition], at: float, facts: LogFacts) -> list[GapAndPositions]:
    """Unfinished shards of which nobody knows when they were last read: it may be longer ago than the retention."""
    return [
        (
            GapFound(shard, "NOT_READ", None, at),
            {shard: replace(_begun_anew(position, at, facts), read_at=min(position.read_at, at))},
        )
        for shard, position in known.items()
        if not position.finished and _is_unknown(position, at)
    ]


def _not_read(seen: Seen, known: Mapping[str, ShardPosition], at: float, facts: LogFacts) -> list[GapAndPositions]:
    """Nothing read for too long: a gap for the stream, or a gap for each shard that was not read.

    A child that was never begun is no such case where trims are reported: reading AT its beginning shows any loss.
    """
    limit = at - facts.unread_s_max
    last = max(known, key=lambda shard: _looked_after_at(known[shard]), default=None)
    if last is None:
        return []
    if _looked_after_at(known[last]) < limit:
        positions = {
            shard: _begun_anew(position, at, facts)
            for shard, position in known.items()
            if shard == last or (not position.finished and _may_have_lost(position, facts))
        }
        return [(GapFound("", "NOT_READ", known[last].read_at, at, read_through.of_stream(known)), positions)]
    return [
        (
            GapFound(shard, "NOT_READ", position.read_at, at, position.through_at),
            {shard: _begun_anew(position, at, facts)},
        )
        for shard, position in known.items()
        if not position.finished
        and _looked_after_at(position) < limit
        and _may_have_lost(position, facts)
        and _is_free(shard, known, seen, at, facts)
    ]


def _begun_anew(position: ShardPosition, at: float, facts: LogFacts) -> ShardPosition:
    """The position after a gap: kept where a trim is reported; else dropped, as an expired position returns nothing."""
    return replace(
        position, horizon_at=at, position=position.position if facts.tells_trims or position.finished else None
    )


def _may_have_lost(position: ShardPosition, facts: LogFacts) -> bool:
    return _was_begun(position) or not facts.tells_trims


def _looked_after_at(position: ShardPosition) -> float:
    """When it was last read, or last reported as a gap."""
    return max(position.read_at, position.horizon_at or 0.0)


def _was_begun(position: ShardPosition) -> bool:
    return position.position is not None or position.horizon_at is not None


def _lost(
    seen: Seen, known: Mapping[str, ShardPosition], unreadable: Collection[str], at: float, facts: LogFacts
) -> list[GapAndPositions]:
    """Unfinished shards that are gone: listings lack them for long, and their own reading is refused.

    A shard that still waits for its parents is not read, so it is not given up before its turn: all before the gap
    comes first.
    """
    return [
        (
            GapFound(shard, "SHARD_LOST", position.read_at, at, position.through_at),
            {shard: replace(position, finished=True, horizon_at=at)},
        )
        for shard, position in known.items()
        if not position.finished
        and shard in unreadable
        and seen.absent(shard, VANISHED_S)
        and _is_free(shard, known, seen, at, facts)
    ]


def _orphaned(
    seen: Seen, known: Mapping[str, ShardPosition], started_at: float, at: float, facts: LogFacts
) -> list[GapAndPositions]:
    """Shards whose parent came and went unseen while the copy was there: what that held is missed.

    Where trims are not reported this is no news: a parent goes only after the retention without a reading, which is a
    gap.
    """
    if not facts.tells_trims:
        return []
    return [
        (GapFound(parent, "PARENT_LOST", None, at), {shard: replace(position, horizon_at=at)})
        for shard, position in known.items()
        for parent in position.parents
        if not position.finished
        and parent not in known
        and not _was_begun(position)
        and (_created_at(shard) or at) >= started_at - START_MARGIN_S
        and _is_free(shard, known, seen, at, facts)
    ]


def _forgettable(
    seen: Seen, known: Mapping[str, ShardPosition], children: Mapping[str, Collection[str]], at: float, facts: LogFacts
) -> frozenset[str]:
    return frozenset(
        shard
        for shard, position in known.items()
        if position.finished
        and at - _looked_after_at(position) > facts.retention_s + FORGET_AFTER_EXPIRY_S
        and seen.absent(shard, VANISHED_S)
        and _is_free(shard, known, seen, at, facts)
        and all(child in known and _is_past(known[child]) for child in children.get(shard, ()))
    )


def _is_past(position: ShardPosition) -> bool:
    return position.finished or position.position is not None
