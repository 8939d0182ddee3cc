"""The one step of a transaction that writes rows; what the server refuses is known only after it."""

from __future__ import annotations

from twinrow.mysql import Connection
from twinrow.sink import writer
from twinrow.sink.alone import Judged
from twinrow.sink.staging import Staged
from twinrow.table.catalogue import Catalogue
from twinrow.write import spread_rows, too_large
from twinrow.write.decide_rows import RowDecision
from twinrow.write.look import BatchView
from twinrow.write.rules import WriteRules
from twinrow.write.written import WrittenRows


def write_rows(
    tx: Connection,
    catalogue: Catalogue,
    rules: WriteRules,
    view: BatchView,
    decision: RowDecision,
    staged: Staged | None,
    *,
    truth: bool,
) -> WrittenRows:
    """Write and delete as decided. The row of an item that is parked goes, too: it is of an older image.

    Raises MySQLError where the server is at fault, Broken where the table was changed by hand.
    """
    if catalogue.is_split:
        return spread_rows.write_rows(tx, catalogue, rules, view, decision, truth=truth)
    schema = catalogue.rest
    taken, existing = decision.taken.ids, view.existing
    written = writer.write(
        tx, schema, decision.rows, existing, taken,
        staged=staged, ids=rules.settings.linked, upserts=rules.upserts, waits_apart=truth,
    )  # fmt: skip
    apart = too_large.write_smaller(tx, schema, rules, decision.changes, existing, taken, written)
    parked = {change.key_hash: change.unfit for change in decision.changes if change.unfit} | written.refused
    hard = sorted({*decision.hard, *parked})
    soft_gone, kept_soft = writer.delete(
        tx, schema, existing, decision.soft, soft=True, passed=written.passed, waits_apart=truth
    )
    hard_gone, kept_hard = writer.delete(
        tx, schema, existing, hard, soft=False, passed=written.passed + soft_gone, waits_apart=truth
    )
    kept = Judged(kept_soft.parked | kept_hard.parked, kept_soft.put_off | kept_hard.put_off)
    stays = kept.parked.keys() | kept.put_off.keys()
    rowless = [*decision.soft, *decision.hard, *(key for key in parked if key in existing)]
    put_off = written.put_off | kept.put_off
    return WrittenRows(
        written,
        parked={key: reason for key, reason in (kept.parked | parked).items() if key not in put_off},
        put_off=put_off,
        removed=[key for key in rowless if key in existing and key not in stays],
        buried=rowless,
        set_apart=apart,
        rows_delta=written.rows_delta - soft_gone - hard_gone,
    )
