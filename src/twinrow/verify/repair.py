"""Repair: what verify confirmed goes through recheck, so that no newer change is undone; then it is verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from twinrow import clock
from twinrow.change import Item
from twinrow.errors import Transient, TwinrowError
from twinrow.sink import statements
from twinrow.state import dead_letter, lease, recheck
from twinrow.state.settling import Settling
from twinrow.sync.compare import Difference
from twinrow.verify.verify import Reader, Verdict, schema_of, verify_keys, verify_table

WORK_S_MAX = 600.0
WORK_WAIT_S = 0.25


@dataclass(frozen=True, slots=True)
class Repaired:
    """What repair found, and (when it acted) what was left of it afterwards."""

    found: Verdict
    left: Verdict | None


def repair_table(
    reader: Reader,
    *,
    execute: bool,
    work_off: Callable[[], None],
    progress: Callable[[int, int], None] = lambda items, of: None,
) -> Repaired:
    """Verify, and with `execute` send each confirmed difference through recheck.

    `work_off` brings the rechecks to an end when no sync runs; one that runs does it itself. Raises Transient when the
    rechecks are not through after WORK_S_MAX seconds.
    """
    touched: list[tuple[bytes, Item]] = []

    def confirmed(difference: Difference) -> None:
        if execute:
            touched.append((difference.hash, {} if difference.orphan else difference.key))

    found = verify_table(reader, progress, confirmed)
    if not execute:
        return Repaired(found, None)
    with reader.connection.transaction() as tx:  # all or none: a look at half of the table explains no missing row
        recheck.add(tx, reader.settings.table, touched, recheck.REPAIR)
    _until_worked_off(reader, work_off, {key_hash for key_hash, _ in touched})
    schema = schema_of(reader.connection, reader.settings.table)
    lease.recount(reader.connection, reader.settings.table, statements.count_rows(schema))
    left = verify_keys(reader, touched)
    table, connection = reader.settings.table, reader.connection
    left.items, left.rows = found.items, lease.row_count(connection, table)
    left.kept = int(connection.query(statements.count_kept(schema))[0][0])
    left.dead_letters = dead_letter.count(connection, table)  # a recheck may have parked an item
    return Repaired(found, left)


def _until_worked_off(reader: Reader, work_off: Callable[[], None], touched: set[bytes]) -> None:
    """Until each was seen to wait no more; what a running sync enters meanwhile is its own affair."""
    table = reader.settings.table
    settling = Settling(partial(recheck.waiting, reader.connection, table), touched)
    until = clock.monotonic() + WORK_S_MAX
    while not (settling.through() or reader.stop):
        if lease.holder_of(reader.connection, table) is None:
            try:
                work_off()
            except Transient:
                if clock.monotonic() > until:
                    raise
        if clock.monotonic() > until:
            raise TwinrowError("rechecks are not through yet", where=f"table {table}", remedy="see `twinrow status`")
        reader.stop.wait(WORK_WAIT_S)
