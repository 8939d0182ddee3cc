"""Rows rebuilt from themselves into the working columns of a change of columns, inside the transaction that holds them.

Whoever writes rows while such a change is under way calls `fill_keys` for them, so the walk passes each row once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from twinrow.change import Item
from twinrow.errors import Reason
from twinrow.flavour import SqlValue
from twinrow.mysql import Connection
from twinrow.schema.evolve import evolve, wanted_by
from twinrow.schema.naming import quote
from twinrow.schema.reshape import NEW_EXTRA, before_and_after
from twinrow.schema.row import extra_text, to_item, to_row
from twinrow.schema.table import TableSchema
from twinrow.schema.widening import grows
from twinrow.sink import statements
from twinrow.sink.alone import taken
from twinrow.state import deferred, mixed, set_apart
from twinrow.table.context import TableContext

ROWS_A_STATEMENT: Final = 200
"""Rows that an UPDATE sets: the server looks a row's values up among all of them."""
SAVEPOINT: Final = "twinrow_reshape"


@dataclass(frozen=True, slots=True)
class _Filled:
    """A row's values for the working columns, in the order of the shadows, and its new extra; `item` is its source."""

    row_id: int
    key_hash: bytes
    values: tuple[SqlValue, ...]
    extra: str | None
    unshown: tuple[str, ...] = ()
    item: Item = field(default_factory=dict)


def fill_keys(tx: Connection, context: TableContext, keys: Sequence[bytes]) -> None:
    """Fill the working columns of the rows of these fingerprints, which this transaction has written."""
    _fill_some(tx, context, "_twinrow_key", list(dict.fromkeys(keys)))


def fill_ids(tx: Connection, context: TableContext, row_ids: Sequence[int]) -> None:
    """Fill those of the rows with these ids, under the lease's lock."""
    _fill_some(tx, context, "row_id", row_ids)


def _fill_some(tx: Connection, context: TableContext, column: str, values: Sequence[bytes | int]) -> None:
    for first in range(0, len(values), ROWS_A_STATEMENT):
        some = values[first : first + ROWS_A_STATEMENT]
        _fill(tx, context, f"{quote(column)} IN ({', '.join(['%s'] * len(some))})", some)


def _fill(tx: Connection, context: TableContext, where: str, values: Sequence[bytes | int]) -> None:
    schema = context.live.rest
    before, _ = before_and_after(schema)
    rows = list(_rebuilt(schema, tx.query(statements.select_rows(before, where), values), tx))
    if not rows:
        return
    if not taken(tx, _update(tx, schema, rows), SAVEPOINT):
        for row in rows:
            _fill_alone(tx, context, row)
    _note_wider(tx, context, [row.item for row in rows])
    unshown = Counter(name for row in rows for name in row.unshown)
    if unshown:
        mixed.note(tx, context.name, unshown)
        context.state.note_mixed(found=True)


def _note_wider(tx: Connection, context: TableContext, items: Sequence[Item]) -> None:
    """Values that the new columns are too narrow for wait in extra, as if they were written by now."""
    _, after = before_and_after(context.live.rest)
    if any(map(grows, after.columns)) and (steps := evolve(after, items).steps):
        deferred.note(tx, context.name, wanted_by(steps), {}, Reason("the type of the column was changed"))


def _rebuilt(schema: TableSchema, found: Sequence[tuple[Any, ...]], tx: Connection) -> Iterator[_Filled]:
    before, after = before_and_after(schema)
    nothing = (None,) * len(after.columns)
    for row_id, key_hash, _, _, extra, *stored in found:
        try:
            item = to_item(before, stored, extra)
        except ValueError:  # an extra that is not of Twinrow is left to `verify`, as it is
            yield _Filled(int(row_id), bytes(key_hash), nothing, extra)
            continue
        row = to_row(after, item, tx.flavour, bytes(key_hash))
        known = {name: item[name] for name in after.by_attribute if name in item}
        yield _Filled(int(row_id), bytes(key_hash), row.values, row.extra, row.unshown, known)


def _update(tx: Connection, schema: TableSchema, rows: Sequence[_Filled]) -> str:
    """One UPDATE of these rows; it leaves the time of their last write as it is, since their items did not change."""
    names = [shadow.under for shadow in schema.reshape.shadows] if schema.reshape is not None else []
    sets = []
    for place, name in enumerate([*names, NEW_EXTRA]):
        values = [row.values[place] if place < len(names) else row.extra for row in rows]
        if all(value is None for value in values):
            sets.append(f"{quote(name)} = NULL")
            continue
        cases = " ".join(f"WHEN {row.row_id} THEN {tx.literal(v)}" for row, v in zip(rows, values, strict=True))
        sets.append(f"{quote(name)} = CASE `row_id` {cases} END")
    sets.append("`_twinrow_updated_at` = `_twinrow_updated_at`")
    ids = ", ".join(str(row.row_id) for row in rows)
    return f"UPDATE {quote(schema.into)} SET {', '.join(sets)} WHERE `row_id` IN ({ids})"


def _fill_alone(tx: Connection, context: TableContext, row: _Filled) -> None:
    """Fill a row of a statement that the server refused; a row that it refuses alone gets its values in extra."""
    schema = context.live.rest
    if taken(tx, _update(tx, schema, [row]), SAVEPOINT):
        return
    before, after = before_and_after(schema)
    where = f"`row_id` = {row.row_id}"
    for _, _, _, _, extra, *stored in tx.query(statements.select_rows(before, where)):
        item = to_item(before, stored, extra)
        apart = {name: value for name, value in item.items() if name not in after.left_out}
        nothing = (None,) * len(after.columns)
        bare = _Filled(row.row_id, row.key_hash, nothing, extra_text(apart) if apart else None)
        tx.write(_update(tx, schema, [bare]))
        set_apart.note(tx, context.name, [row.key_hash])
        context.state.note_sets_apart(found=True)
