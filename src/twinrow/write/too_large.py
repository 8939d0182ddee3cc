"""Rows for which a page has no room (error 1118), though the schema's budget has: somebody's own columns take it.

Such a row is written again with its largest values in extra alone, and its key is noted, so that a comparison knows why
cells are NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from twinrow.change import Item
from twinrow.flavour import Flavour, SqlValue
from twinrow.mysql import Connection
from twinrow.schema.row import to_row, with_apart
from twinrow.schema.table import TableSchema
from twinrow.sink import writer
from twinrow.sink.writer import Existing, Written
from twinrow.write.prepare import PreparedChange
from twinrow.write.rules import WriteRules


def write_smaller(
    tx: Connection,
    schema: TableSchema,
    rules: WriteRules,
    changes: Sequence[PreparedChange],
    existing: Mapping[bytes, Existing],
    ids: Mapping[bytes, int],
    written: Written,
) -> tuple[bytes, ...]:
    """Write the rows that were too large with values set apart: their keys. A row refused again stays refused."""
    if not written.too_large:
        return ()
    large = [change for change in changes if change.key_hash in written.too_large]
    return tuple(change.key_hash for change in large if _write(tx, schema, rules, change, existing, ids, written))


def _write(
    tx: Connection,
    schema: TableSchema,
    rules: WriteRules,
    change: PreparedChange,
    existing: Mapping[bytes, Existing],
    ids: Mapping[bytes, int],
    written: Written,
) -> bool:
    item = change.whole
    if item is None:
        return False
    for names in _largest(schema, item, tx.flavour):
        row = with_apart(schema, item, tx.flavour, names)
        again = writer.write(tx, schema, [row], existing, ids, ids=rules.settings.linked, upserts=rules.upserts)
        if not again.not_written:
            written.took(change.key_hash, again)
            return True
    return False


def _largest(schema: TableSchema, item: Item, flavour: Flavour) -> Iterator[frozenset[str]]:
    """The attributes to be set apart: the larger half of those outside of the key, then all of them."""
    values = zip(schema.columns, to_row(schema, item, flavour).values, strict=True)
    sized = [(_size(value), column.attribute) for column, value in values if value is not None and not column.key]
    names = [name for _, name in sorted(sized, reverse=True)]
    yield frozenset(names[: (len(names) + 1) // 2])
    yield frozenset(names)


def _size(value: SqlValue) -> int:
    return len(value) if isinstance(value, str | bytes) else 1
