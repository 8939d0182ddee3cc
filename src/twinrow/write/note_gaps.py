"""Notes of a batch for the exports that fill a gap: the gap, and the keys that are the stream's since then."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.mysql import Connection
from twinrow.state import checkpoint, gap, since_gap
from twinrow.table.copy_state import CopyState
from twinrow.write.batch import Batch
from twinrow.write.rules import WriteRules


def record(tx: Connection, rules: WriteRules, batch: Batch) -> None:
    """Record the gaps of a batch, before anything else of it is noted.

    Where the gap began is kept only where exports may fill it: the first copy, which inserts older images still, leaves
    all gaps to the pass behind it.
    """
    fills = rules.settings.fills_gaps and not rules.first_copy
    for found in batch.gaps:
        gap.record(
            tx, rules.settings.table, found.cause, at=tx.now(), shard=found.shard, from_at=found.from_at,
            to_at=found.to_at, lost_from=found.lost_from if fills else None,
        )  # fmt: skip
    if batch.gaps and fills:
        notice(tx, rules.settings.table, max(found.to_at or 0.0 for found in batch.gaps))


def notice(tx: Connection, table: str, to_at: float) -> None:
    """A gap is noticed now: what was written before may be older than what was lost; windows are planned anew."""
    since_gap.clear(tx, table)
    checkpoint.forget(tx, table, checkpoint.FILL)
    gap.lasts_until(tx, table, to_at)


def keep(tx: Connection, state: CopyState, rules: WriteRules, batch: Batch, hashes: Sequence[bytes]) -> None:
    """Note the keys that are the source's since the gap was noticed; nothing where exports fill no gap."""
    if not rules.settings.asks_for_windows or batch.if_absent or (rules.first_copy and not state.leaves_hole):
        return
    table = rules.settings.table
    if batch.gaps:
        state.note_gap(is_open=True)
    if state.may_have_gap and not batch.of_export:
        since_gap.note(tx, table, hashes)
    if batch.reborn:
        at = max((change.at for change in batch.changes), default=0.0)
        since_gap.note_reborn(tx, table, batch.reborn, at, may_forget=not state.may_have_gap)
