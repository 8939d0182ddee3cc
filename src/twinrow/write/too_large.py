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
from twinrow.state import set_apart
from twinrow.table.context import TableContext
from twinrow.write.owed import is_echo
from twinrow.write.prepare import One


def write_smaller(
    tx: Connection,
    context: TableContext,
    ones: Sequence[One],
    existing: Mapping[bytes, Existing],
    ids: Mapping[bytes, int],
    written: Written,
) -> None:
    """Write the rows that were too large with values set apart; what is still refused stays refused. Notes the keys."""
    if context.state.sets_apart is None:
        context.state.note_sets_apart(found=set_apart.any_stands(tx, context.name))
    if context.state.sets_apart:
        # An echo, and a row that was put off, was not written: it stands as it was.
        stays = {change.hash for change in ones if is_echo(change, existing)} | written.put_off.keys()
        set_apart.forget(tx, context.name, [change.hash for change in ones if change.hash not in stays])
    done = [
        change.hash
        for change in ones
        if change.hash in written.too_large and _write(tx, context, change, existing, ids, written)
    ]
    if done:
        set_apart.note(tx, context.name, done)
        context.state.note_sets_apart(found=True)


def _write(
    tx: Connection,
    context: TableContext,
    change: One,
    existing: Mapping[bytes, Existing],
    ids: Mapping[bytes, int],
    written: Written,
) -> bool:
    item = change.whole
    if item is None:
        return False
    for names in _largest(context.live.rest, item, context.tenure.flavour()):
        row = with_apart(context.live.rest, item, context.tenure.flavour(), names)
        again = writer.write(
            tx,
            context.live.rest,
            [row],
            existing,
            ids,
            ids=context.settings.linked,
            upserts=not context.state.rows_unproved,
        )
        if not again.not_written:
            written.took(change.hash, again)
            return True
    return False


def _largest(schema: TableSchema, item: Item, flavour: Flavour) -> Iterator[frozenset[str]]:
    """The attributes to be set apart: the larger half of those outside of the key, then all of them."""
    values = zip(schema.columns, to_row(schema, item, flavour).values, strict=True)
    sized = [(_size(value), change.attribute) for change, value in values if value is not None and not change.key]
    names = [name for _, name in sorted(sized, reverse=True)]
    yield frozenset(names[: (len(names) + 1) // 2])
    yield frozenset(names)


def _size(value: SqlValue) -> int:
    return len(value) if isinstance(value, str | bytes) else 1
