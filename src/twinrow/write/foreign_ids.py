"""Ids on items that are not their row's: another writer of the link attribute, or a MySQL that went back (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twinrow.capture.shard_tree import RECORD_TIME_GRAIN_S
from twinrow.clock import is_ahead
from twinrow.errors import Broken, StartRefused
from twinrow.sink.writer import Existing
from twinrow.table.id_memory import IdMemory
from twinrow.table.settings import Settings
from twinrow.write.prepare import PreparedChange
from twinrow.write.row_ids import IdsInUse, TakenIds, row_id_of
from twinrow.write.rules import WriteRules

MEETINGS_MAX: Final = 3
"""An id that is not ours, met so often on an item after our own link, means that something else writes it."""
WENT_BACK: Final = "MYSQL_WENT_BACK"


@dataclass(frozen=True, slots=True)
class LossView:
    """The gaps of a MySQL that went back.

    `is_open`: a gap of any cause waits for its reconcile; `is_noted`: one of this cause does, so that another is not
    recorded beside it. `last_at`: when MySQL last went back, by its clock. `source_now`: the moment of the look, by
    DynamoDB's clock.
    """

    is_open: bool = False
    is_noted: bool = False
    last_at: float | None = None
    source_now: float = 0.0


@dataclass(frozen=True, slots=True)
class ForeignIds:
    """The news that ids bring: MySQL lost rows, or these items (with the ids of their rows) met a foreign id."""

    went_back: bool = False
    met: tuple[tuple[PreparedChange, int], ...] = ()


def refuse_linked_items(
    rules: WriteRules,
    changes: Sequence[PreparedChange],
    existing: Mapping[bytes, Existing],
    tombstones: Collection[bytes],
) -> None:
    """Raise StartRefused when items that are new to a first copy carry an id already, unless ids are adopted.

    A stream may show our own link on an item that was deleted and re-created while the link was under way.
    """
    settings = rules.settings
    if not (rules.first_copy and settings.linked) or settings.adopt_links:
        return
    for change in changes:
        is_new = change.row is not None and change.key_hash not in existing and change.key_hash not in tombstones
        if is_new and change.link is not None and rules.traits.is_image(change.origin):
            raise items_carry_ids(settings)


def items_carry_ids(settings: Settings) -> StartRefused:
    """The refusal for items that carry the link attribute before anything was linked."""
    return StartRefused(
        f"items already carry `{settings.link_attribute}`",
        where=f"table {settings.table}",
        remedy="start with --adopt-links to keep these ids, or set another `link_attribute`",
    )


def not_ours(
    changes: Sequence[PreparedChange], existing: Mapping[bytes, Existing], ids: IdMemory
) -> tuple[PreparedChange, ...]:
    """The changes whose link is neither the id that their row has now nor a former id."""
    return tuple(
        change
        for change in changes
        if change.link is not None
        and change.row is not None
        and not _is_id_of(existing.get(change.key_hash), change)
        and not ids.was_ours(change.key_hash, row_id_of(change.link))
    )


def carriers(changes: Sequence[PreparedChange], settings: Settings) -> tuple[PreparedChange, ...]:
    """The changes of items that have no row by a rule and carry an id: it stays, unless it is the id of another row."""
    if (settings.row_filter is None and settings.split is None) or not settings.linked:
        return ()
    return tuple(change for change in changes if change.row is None and change.link is not None and not change.unfit)


def of_other_rows(changes: Sequence[PreparedChange], in_use: IdsInUse) -> tuple[PreparedChange, ...]:
    """Those of them whose id is that of another item's row."""
    owners = {change.key_hash: in_use.owners.get(row_id_of(change.link) or 0) for change in changes}
    return tuple(change for change in changes if owners[change.key_hash] not in (None, change.key_hash))


def _is_id_of(known: Existing | None, change: PreparedChange) -> bool:
    return known is not None and change.link == {"N": str(known.row_id)}


@dataclass(frozen=True, slots=True)
class MeetingView:
    """The facts for `foreign_ids`. `explained`: keys whose missing row is already accounted for (a repair, a parked
    item). `at`: now, by MySQL's clock. `read_at`: every consistent read of the batch began at or after this time
    (monotonic seconds).
    """

    row_ids: Mapping[bytes, int]
    taken: TakenIds
    in_use: IdsInUse
    loss: LossView
    explained: Collection[bytes]
    at: float
    read_at: float


def foreign_ids(rules: WriteRules, ids: IdMemory, changes: Sequence[PreparedChange], view: MeetingView) -> ForeignIds:
    """Judge the links that were not ours before the write, now that every row has its id.

    An id that names no row, or another key's, in a copy that is not new: MySQL lost rows (a restore, a failover).
    An id that a recheck meets is no news: the reconcile of an open gap meets such an id at each row that was lost.
    Nor is a second one in a process: after it a loss shows by its generation, and an app that puts ids of its own on
    new items would keep the reconcile going for ever.

    An image from before our own link was through, or from before MySQL went back, is no news of another writer.
    """
    went_back, is_open, lost_at = False, view.loss.is_open, view.loss.last_at
    met = []
    for change in changes:
        row_id = view.row_ids.get(change.key_hash)
        if row_id is None:
            continue
        ours = change.link == {"N": str(row_id)}
        if ours and change.key_hash not in view.taken.by_item:
            continue
        is_read = change.origin == "RECHECK"
        is_known = rules.first_copy or ids.knows_of_loss or (is_read and is_open)
        # `where` or a split took the row away, and the item kept its id: that it comes back with it is no news
        is_back = ours and (rules.settings.row_filter is not None or rules.settings.split is not None)
        is_odd = change.key_hash not in view.explained and (
            _names_no_row_of(change, view.in_use) if not ours else not is_back
        )
        if is_odd and not is_known:
            went_back, is_open, lost_at = True, True, lost_at if view.loss.is_noted else view.at
        if ours or (is_read and ids.foreign.through_at(change.key_hash) > view.read_at):
            continue
        if rules.traits.is_record(change.origin) and _is_older_than_the_loss(change.seen_at, lost_at, view):
            continue
        met.append((change, row_id))
    return ForeignIds(went_back, tuple(met))


def _names_no_row_of(change: PreparedChange, in_use: IdsInUse) -> bool:
    """Whether an item's id is no row's, or another key's; what can be no row id tells nothing."""
    row_id = row_id_of(change.link)
    return row_id is not None and in_use.owners.get(row_id) != change.key_hash


def _is_older_than_the_loss(recorded_at: float, lost_at: float | None, view: MeetingView) -> bool:
    """Whether a record is from before MySQL last went back; not where one of the two times is not known.

    The two times are of two clocks, so their ages are compared.
    """
    if lost_at is None or not recorded_at or is_ahead(lost_at, view.at):
        return False
    return view.loss.source_now - recorded_at > view.at - lost_at + RECORD_TIME_GRAIN_S


def second_writer(rules: WriteRules, row_id: int, times: int) -> Broken:
    """The error for an item that met its third foreign id: something else writes the attribute."""
    settings = rules.settings
    show = f"twinrow item {settings.table} --row-id {row_id}"
    return Broken(
        f"something else writes `{settings.link_attribute}` ({times} times in the item of row {row_id})",
        where=f"table {settings.table}",
        remedy=f"{show} shows it; stop the other writer or set another `link_attribute`, then restart `twinrow sync`",
        commands=(show, "twinrow sync"),
    )
