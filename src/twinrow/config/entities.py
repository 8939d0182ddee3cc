"""The shapes of the keys that split a table: its entities, and a table for each value of an attribute."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from twinrow.config.column import ColumnConfig
from twinrow.wanted import When

SEPARATOR_DEFAULT: Final = "#"
TABLES_MAX_DEFAULT: Final = 50
TABLES_MAX_MAX: Final = 1_000
"""A MySQL server opens each of them; a thousand tables of one copy are a mistake in the attribute's choice."""

Unmatched = Literal["keep", "ignore", "dead-letter"]


def _text(text: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, **limits)


class EntityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of item of a table, with a MySQL table of its own; the first entity that matches has the item."""

    name: Annotated[str, _text("Name of the entity; also its MySQL table, unless `into` says otherwise.")]
    into: Annotated[str | None, _text("The MySQL table; default: `name`.")] = None
    when: Annotated[
        When | list[When] | None, _text("What an item must be: attribute = value; a list is any of several.")
    ] = None
    where: Annotated[
        When | list[When] | None, _text("Rows are wanted only of these items of the entity.")
    ] = None  # fmt: skip
    extract: Annotated[
        dict[str, str], _text("Templates whose parts are columns and that do not decide what matches.")
    ] = msgspec.field(default_factory=dict)
    index: Annotated[list[str], _text("Parts or attributes whose columns get an ordinary index.")] = msgspec.field(
        default_factory=list
    )
    ignore: Annotated[bool, _text("Matching items are counted and not copied.")] = False
    columns: Annotated[dict[str, ColumnConfig], _text("Overrides, by attribute.")] = msgspec.field(default_factory=dict)


class SplitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One MySQL table for each text of an attribute, also for texts that are met later."""

    attribute: Annotated[str, _text("The attribute that holds the kind of an item.", min_length=1)]
    into: Annotated[str, _text("The MySQL table; `{value}` is the text in snake_case.")] = "{value}"
    tables_max: Annotated[
        int, _text("Further texts go to the rest table, and `status` says so.", ge=1, le=TABLES_MAX_MAX)
    ] = TABLES_MAX_DEFAULT
