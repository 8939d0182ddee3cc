"""How many values of an attribute SQL sees as NULL because they are of another type than its column, counted in MySQL.

The rows themselves are counted, in steps beside the other work: after the first such row, and again each hour while
there are any. A table without such rows is never looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from twinrow import clock
from twinrow.schema.json_cell import compact
from twinrow.schema.naming import quote
from twinrow.schema.table import Column
from twinrow.state import mixed
from twinrow.state.mixed import Mixed
from twinrow.table.context import TableContext
from twinrow.write.cells import EXTRA_BYTES_A_STEP_MAX, ROWS_LOOKED_AT_MAX, bounded

COUNT_EVERY_S = 3600.0
"""A count reads the whole MySQL table once, 20,000 rows a step."""
LOOK_EVERY_S = 60.0
CLOCK_GRAIN_S = 5.0
"""A count that lies further in the future than this is of no known age, and is made anew."""
EXTRAS_A_STEP_MAX = 5_000


@dataclass(slots=True)
class _Count:
    """A count under way: of these attributes, through rows up to the id `after`."""

    entries: list[tuple[Mixed, Column]]
    after: int = 0
    shown: Counter[str] = field(default_factory=Counter)
    unshown: dict[str, Counter[str]] = field(default_factory=dict)


class MixedTypes:
    """Counts in one table, a step at a time."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._count: _Count | None = None
        self._look_at = 0.0

    @property
    def settled(self) -> bool:
        """Whether what is noted was counted, and not too long ago."""
        return self._count is None and not self._is_due()

    def _is_due(self) -> bool:
        return self._context.state.has_mixed and clock.monotonic() >= self._look_at

    def step(self) -> bool:
        """Count some rows, or begin a count that is due; whether there was anything to do."""
        if self._count is not None:
            self._count_rows(self._count)
            return True
        return self._is_due() and self._begin()

    def _begin(self) -> bool:
        context = self._context
        self._look_at = clock.monotonic() + LOOK_EVERY_S
        known = mixed.of_table(context.tenure.open_writer(), context.name)
        context.state.note_mixed(found=bool(known))
        due = [entry for entry in known if entry.age_s is None or not -CLOCK_GRAIN_S <= entry.age_s < COUNT_EVERY_S]
        columns = context.live.rest.by_attribute
        self._count = (
            _Count([(entry, columns[entry.attribute]) for entry in due if entry.attribute in columns]) if due else None
        )
        return bool(due)

    def _count_rows(self, count: _Count) -> None:
        context, session = self._context, self._context.tenure.open_writer()
        table = quote(context.live.rest.into)
        ids = f"SELECT row_id FROM {table} WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_LOOKED_AT_MAX}"
        last = session.query(f"SELECT MAX(row_id) FROM ({ids}) AS slice", (count.after,))[0][0]
        if last is None or not count.entries:
            self._end(count)
            return
        asked = " OR ".join(
            f"({quote(column.column)} IS NULL AND LOCATE(%s, `_twinrow_extra`) > 0)" for _, column in count.entries
        )
        slice_sql = f"FROM {table} WHERE row_id > %s AND row_id <= %s AND `_twinrow_deleted_at` IS NULL"
        found = session.query(
            f"SELECT row_id, LENGTH(`_twinrow_extra`) {slice_sql} AND ({asked}) ORDER BY row_id "
            f"LIMIT {EXTRAS_A_STEP_MAX}",
            (count.after, last, *(compact(column.attribute) + ":" for _, column in count.entries)),
        )
        chosen = bounded(found, EXTRA_BYTES_A_STEP_MAX)
        up_to = int(last) if len(chosen) == len(found) < EXTRAS_A_STEP_MAX else chosen[-1]
        counts = ", ".join(f"COUNT({quote(column.column)})" for _, column in count.entries)
        counts_found = session.query(f"SELECT {counts} {slice_sql}", (count.after, up_to))[0]
        for (_, column), values in zip(count.entries, counts_found, strict=True):
            count.shown[column.attribute] += int(values)
        self._count_unshown(count, chosen)
        count.after = up_to

    def _count_unshown(self, count: _Count, row_ids: Sequence[int]) -> None:
        if not row_ids:
            return
        names = ", ".join(quote(column.column) for _, column in count.entries)
        rows = self._context.tenure.open_writer().query(
            f"SELECT `_twinrow_extra`, {names} FROM {quote(self._context.live.rest.into)} "
            f"WHERE row_id IN ({', '.join(map(str, row_ids))}) AND `_twinrow_extra` IS NOT NULL"
        )
        for extra, *cells in rows:
            apart = json.loads(extra)
            for (_, column), cell in zip(count.entries, cells, strict=True):
                kind = next(iter(apart.get(column.attribute, {"NULL": True})), "NULL")
                if cell is None and kind not in ("NULL", column.kind):
                    count.unshown.setdefault(column.attribute, Counter())[kind] += 1
                elif cell is None and kind != "NULL":
                    count.shown[column.attribute] += 1  # of its own type, but too large a value

    def _end(self, count: _Count) -> None:
        context = self._context
        self._count = None
        with context.tenure.transaction() as tx:
            for entry in mixed.of_table(tx, context.name):
                if entry.attribute not in context.live.rest.by_attribute:
                    mixed.counted(tx, context.name, entry, 0, {})
            for entry, column in count.entries:
                kinds = count.unshown.get(column.attribute, Counter())
                values = count.shown[column.attribute] + sum(kinds.values())
                mixed.counted(tx, context.name, entry, values, kinds)
