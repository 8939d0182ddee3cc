"""Settings that name an attribute by a path into a map are refused before anything is copied: they would do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twinrow.change import Item
from twinrow.errors import StartRefused
from twinrow.schema.named import path_into_map, seen_by, seen_in
from twinrow.schema.table import TableSchema
from twinrow.table.settings import Settings


def named(settings: Settings) -> Mapping[str, str]:
    """The attributes of the app's that the settings name, and the setting that names each."""
    names = {override.attribute: f"columns.{override.attribute}" for override in settings.overrides}
    if settings.deleted_attribute is not None:
        names.setdefault(settings.deleted_attribute, "pending_index.deleted")
    for attributes in settings.index:
        for attribute in attributes:
            names.setdefault(attribute, "index")
    return names


def refuse_paths(
    settings: Settings, schema: TableSchema, items: Iterable[Item] = (), among: Iterable[str] = ()
) -> None:
    """Raise StartRefused for a setting whose name leads into a map of a column or of an item.

    `among` are the attributes that are looked at; without any, all that the settings name.
    """
    columns, items_seen = seen_by(schema), seen_in(items)
    there, maps = columns[0] | items_seen[0], columns[1] | items_seen[1]
    chosen, names = set(among), named(settings)
    for name, setting in names.items():
        into = path_into_map(name, maps, there) if not chosen or name in chosen else None
        if into is not None:
            raise refusal(settings.table, setting, into)


def refusal(table: str, setting: str, into: str) -> StartRefused:
    """The error for a setting that names a path into the map `into`."""
    return StartRefused(
        f"`{setting}` is a path into {into!r}, and the setting is for whole attributes", where=f"table {table}",
        remedy=f"name {into!r}; or read the key from its JSON column (`twinrow schema {table} --views`)",
        commands=(f"twinrow schema {table} --views",),
    )  # fmt: skip
