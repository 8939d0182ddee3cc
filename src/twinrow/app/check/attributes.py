"""Pre-flight of the attributes that settings name: is there an item that has them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twinrow.app.check.finding import Finding
from twinrow.change import Item
from twinrow.schema.named import nearest, path_into_map, seen_by, seen_in
from twinrow.schema.table import TableSchema
from twinrow.sync.named_attributes import named, refusal
from twinrow.table.settings import Settings

NAME = "attributes"


def look(settings: Settings, items: Sequence[Item], schema: TableSchema | None) -> Iterator[Finding]:
    """The findings about names; `items` are a sample, `schema` is that of the copy, if there is a copy."""
    table, names = settings.table, named(settings)
    if not items and schema is None:
        return  # an empty table tells nothing
    there, maps = seen_in(items)
    if schema is not None:
        columns = seen_by(schema)
        there, maps = there | columns[0], maps | columns[1]
    well = True
    for name, setting in names.items():
        into = path_into_map(name, maps, there)
        if into is not None:
            error = refusal(table, setting, into)
            # the start of a new copy refuses it; for a copy that is there, whoever has named it may not know
            yield Finding(table, NAME, "error" if schema is None else "warning", error.what, error.remedy)
            well = False
        elif name not in there and setting != "pending_index.deleted":  # few items are deleted at a time
            near = nearest(name, there)
            yield Finding(
                table, NAME, "warning", f"`{setting}`: no item of {len(items)} has the attribute {name!r}",
                f"did you mean {near!r}?" if near else "look up how the items spell it",
            )  # fmt: skip
            well = False
    if names and well:
        yield Finding(table, NAME, "ok", "items have what the settings name")
