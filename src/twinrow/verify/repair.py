"""Repair: what verify confirmed goes through recheck, so that no newer change is undone; then it is verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twinrow import clock
from twinrow.compare import mass_delete
from twinrow.errors import Transient, TwinrowError
from twinrow.state import dead_letter, lease, recheck
from twinrow.table import counting
from twinrow.verify.confirmed import Confirmed
from twinrow.verify.reading import Reader, catalogue_of
from twinrow.verify.suspects import SUSPECTS_A_ROUND_MAX
from twinrow.verify.verdict import Verdict
from twinrow.verify.verify import verify_keys, verify_table

STILL_S_MAX = 600.0
WORK_WAIT_S = 0.25


@dataclass(frozen=True, slots=True)
class Repaired:
    """The differences that repair found, and (when it acted) the differences that were left afterwards."""

    found: Verdict
    left: Verdict | None


def repair_table(
    reader: Reader,
    *,
    execute: bool,
    work_off: Callable[[], None],
    progress: Callable[[int, int], None] = lambda items, of: None,
    accept_deletes: int | None = None,
) -> Repaired:
    """Verify, and with `execute` send each confirmed difference through recheck.

    `work_off` brings the rechecks to an end when no sync runs; a running sync does it itself. Raises TwinrowError when
    there was no progress with them for STILL_S_MAX seconds, Broken when it would delete most of the rows because their
    items were not found, and more than `accept_deletes`.
    """
    if not execute:
        return Repaired(verify_table(reader, progress), None)
    began = clock.monotonic()
    with Confirmed() as confirmed:
        found = verify_table(reader, progress, confirmed.add)
        if mass_delete.must_ask(confirmed.gone, found.rows) and confirmed.gone > (accept_deletes or 0):
            command = f"twinrow repair {found.table} --execute"
            raise mass_delete.refusal(found.table, confirmed.gone, found.rows, accept_deletes, command)
        left = _mended(reader, found, confirmed, work_off)
    left.seconds = round(clock.monotonic() - began, 3)
    return Repaired(found, left)


def _mended(reader: Reader, found: Verdict, confirmed: Confirmed, work_off: Callable[[], None]) -> Verdict:
    """Send what was confirmed through recheck, and look at it again."""
    table, connection = reader.settings.table, reader.connection
    with connection.transaction() as tx:  # all or none: a look at half of the table explains no missing row
        for keys in confirmed.slices(SUSPECTS_A_ROUND_MAX):
            recheck.add(tx, table, keys, recheck.REPAIR)
    _until_worked_off(reader, work_off)
    catalogue = catalogue_of(connection, reader.settings)
    counting.recount(connection, table, catalogue)
    left = verify_keys(reader, confirmed.slices(SUSPECTS_A_ROUND_MAX))
    left.items, left.filtered = found.items, found.filtered
    left.rows = lease.row_count(connection, table)
    left.kept = counting.count_kept(connection, catalogue)
    left.dead_letters = dead_letter.count(connection, table)  # a recheck may have parked an item
    return left


def _until_worked_off(reader: Reader, work_off: Callable[[], None]) -> None:
    """Until none waits for this cause; what a running sync enters meanwhile is its own affair."""
    table = reader.settings.table
    before, until = -1, 0.0
    while (waiting := recheck.count_of(reader.connection, table, recheck.REPAIR)) and not reader.stop:
        if waiting != before:
            before, until = waiting, clock.monotonic() + STILL_S_MAX
        if lease.holder_of(reader.connection, table) is None:
            try:
                work_off()
            except Transient:
                if clock.monotonic() > until:
                    raise
        if clock.monotonic() > until:
            raise TwinrowError("rechecks are not through yet", where=f"table {table}", remedy="see `twinrow status`")
        reader.stop.wait(WORK_WAIT_S)
