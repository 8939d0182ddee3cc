"""The first decision: rows of a batch are written, deleted, doubted or kept waiting (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twinrow.schema.load_text import WritableRow
from twinrow.sink.writer import Existing
from twinrow.write.foreign_ids import refuse_linked_items
from twinrow.write.look import BatchView
from twinrow.write.prepare import PreparedChange
from twinrow.write.row_ids import TakenIds, taken_ids
from twinrow.write.rules import WriteRules


@dataclass(frozen=True, slots=True)
class RowDecision:
    """`changes` are decided in this transaction. `rows` are to be written, `soft` and `hard` are keys whose rows go.

    `doubted`: images of which no row can be made, read consistently before that is believed. `waiting`: new rows
    without an id of their own, while other items may still bring theirs.
    """

    changes: Sequence[PreparedChange]
    rows: Sequence[WritableRow]
    taken: TakenIds
    soft: Sequence[bytes]
    hard: Sequence[bytes]
    doubted: Sequence[PreparedChange] = ()
    waiting: Sequence[PreparedChange] = ()


def decide_rows(rules: WriteRules, view: BatchView, *, truth: bool) -> RowDecision:
    """Decide by what MySQL has. `truth`: the images were read consistently under the lock.

    Raises StartRefused when items that are new to a first copy carry ids already.
    """
    changes, doubted, waiting = view.counting, list[PreparedChange](), list[PreparedChange]()
    if not truth:
        doubted = [change for change in changes if change.unfit]
        if doubted:
            changes = [change for change in changes if not change.unfit]
    refuse_linked_items(rules, changes, view.existing, view.tombstones)
    taken = taken_ids(view.wished, view.in_use, view.letters)
    if rules.adopts and not truth:
        # they would take the next free id, which is that of an item not scanned yet
        waiting = [change for change in changes if _has_no_id(change, view.existing, taken)]
        left = {change.key_hash for change in waiting}
        changes = [change for change in changes if change.key_hash not in left]
    gone = [change for change in changes if change.row is None and not change.unfit]
    return RowDecision(
        changes=changes,
        rows=[change.row for change in changes if change.row is not None and not is_echo(change, view.existing)],
        taken=taken,
        soft=[change.key_hash for change in gone if _is_kept(rules, change)],
        hard=[change.key_hash for change in gone if not _is_kept(rules, change)],
        doubted=doubted,
        waiting=waiting,
    )


def is_echo(change: PreparedChange, existing: Mapping[bytes, Existing]) -> bool:
    """Whether the change differs from the row in Twinrow's own attributes only: our own link write came back.

    Under changed rules its row may have to move all the same.
    """
    known = existing.get(change.key_hash)
    return change.echo and known is not None and not known.deleted and known.entity == change.entity


def _has_no_id(change: PreparedChange, existing: Mapping[bytes, Existing], taken: TakenIds) -> bool:
    return change.row is not None and change.key_hash not in existing and change.key_hash not in taken.ids


def _is_kept(rules: WriteRules, change: PreparedChange) -> bool:
    """Whether the row of a deleted item stays, marked as deleted."""
    return rules.settings.soft_ttl_deletes if change.ttl else rules.settings.soft_deletes
