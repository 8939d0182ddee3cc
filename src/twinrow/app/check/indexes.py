"""Pre-flight of the indexes that a table's settings ask for: built, still to be built, or waiting for an attribute."""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.mysql import Connection
from twinrow.schema.table import from_json
from twinrow.sink import indexes
from twinrow.state.tables import Registered
from twinrow.table.settings import Settings

NAME = "indexes"


def look(connection: Connection, settings: Settings, registered: Registered | None) -> Iterator[Finding]:
    """The finding about `index`; nothing for a table that asks for none."""
    if not settings.index:
        return
    table = settings.table
    if registered is None or registered.snapshot_done_at is None:
        yield Finding(table, NAME, "ok", f"{len(settings.index)} to be built after the first copy")
        return
    schema = from_json(registered.table_schema)
    there = indexes.names_there(connection, schema.into)
    parts = []
    for attributes in settings.index:
        index = indexes.index_of(schema, attributes)
        names = ", ".join(attributes)
        if index.refused:
            yield Finding(
                table, NAME, "error", f"the column of {index.refused!r} is JSON, which MySQL does not index",
                f"take {index.refused!r} out of `index`",
            )  # fmt: skip
        elif index.name in there:
            parts.append(f"({names}) is there")
        elif index.lacks:
            parts.append(f"({names}) waits until an item has {index.lacks!r}")
        else:
            parts.append(f"({names}) is built at the next start, in which the table is read once")
    if parts:
        yield Finding(table, NAME, "ok", "; ".join(parts))
