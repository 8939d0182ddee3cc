"""Where the rows of a split stand: by its directory, and for keys whose truth is asked for by its tables, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from twinrow.mysql import Connection
from twinrow.sink import writer
from twinrow.sink.writer import Existing
from twinrow.state import directory
from twinrow.state.directory import DirectoryEntry
from twinrow.table.catalogue import REST, Catalogue


@dataclass(frozen=True, slots=True)
class SpreadView:
    """`existing`: the row of each key that has a row, live or kept. `entries`: what the directory says of the keys.

    `strays`: the entities in whose tables a key has a live row beside its own, which is the row with the id that the
    directory says: a hand has put it there.
    """

    existing: Mapping[bytes, Existing] = field(default_factory=dict)
    entries: Mapping[bytes, DirectoryEntry] = field(default_factory=dict)
    strays: Mapping[bytes, Sequence[str]] = field(default_factory=dict)


def look(tx: Connection, table: str, catalogue: Catalogue, hashes: Sequence[bytes], *, truth: bool) -> SpreadView:
    """Ask the directory; with `truth` also each table, since a hand may have moved or copied rows."""
    entries = directory.entries(tx, table, hashes)
    entities = {schema.number: schema.entity for schema in catalogue.tables}
    existing = {
        key: Existing(entry.row_id, entry.standing == directory.KEPT, entities.get(entry.number, REST))
        for key, entry in entries.items()
        if entry.standing != directory.NO_ROW
    }
    if not truth:
        return SpreadView(existing, entries)
    live: dict[bytes, dict[str, int]] = {}
    for schema in catalogue.tables:
        for key, row in writer.existing_rows(tx, schema, hashes).items():
            if not row.deleted:
                live.setdefault(key, {})[schema.entity] = row.row_id
    strays: dict[bytes, Sequence[str]] = {}
    for key, rows in live.items():
        entry, known = entries.get(key), existing.get(key)
        own = [entity for entity, row_id in rows.items() if entry is not None and row_id == entry.row_id]
        if entry is not None and own and (known is None or known.deleted or known.entity not in own):
            known = existing[key] = Existing(entry.row_id, False, own[0])
        others = [entity for entity in rows if known is None or entity not in own or entity != known.entity]
        if others:
            strays[key] = others
    return SpreadView(existing, entries, strays)
