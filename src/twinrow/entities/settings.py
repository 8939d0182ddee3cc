"""The keys of `twinrow.toml` that split a table: their shapes, read strictly; an error names entity and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from twinrow.config.column import ColumnConfig
from twinrow.config.entities import SEPARATOR_DEFAULT, EntityConfig, SplitConfig, Unmatched
from twinrow.errors import ConfigError
from twinrow.wanted import WantedValue, When


def _text(text: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, **limits)


class SplitKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a `[[tables]]` entry that split it and filter it."""

    separator: Annotated[str, _text("The text that a part never holds, 1 to 4 characters.")] = SEPARATOR_DEFAULT
    unmatched: Annotated[
        Unmatched, _text("Where items go that match no entity: the rest table, nowhere, a letter.")
    ] = "keep"
    where: Annotated[When | list[When] | None, _text("Rows are wanted only of these items.")] = None
    entities: Annotated[list[EntityConfig], _text("In order; the first that matches has the item.")] = msgspec.field(
        default_factory=list
    )
    split: SplitConfig | None = None


KEYS: Final = frozenset(SplitKeys.__struct_fields__)
_NAMED: Final[dict[str, Any]] = {"when": WantedValue, "where": WantedValue, "extract": str, "columns": ColumnConfig}
"""Keys that hold attributes, and what they hold of each; msgspec says `[...]` for an entry of a list."""


def read_keys(raw: Mapping[str, Any], where: str) -> SplitKeys:
    """Read the keys of `KEYS` from a `[[tables]]` entry. Raises ConfigError that names entity and key."""
    for entity in raw.get("entities", ()) if isinstance(raw.get("entities", ()), list) else ():
        _convert(entity, EntityConfig, f"{where}, {_entity_title(entity)}")
    return _convert({name: value for name, value in raw.items() if name in KEYS}, SplitKeys, where)


def _entity_title(entity: object) -> str:
    name = entity.get("name") if isinstance(entity, dict) else None
    return f"entity {name!r}" if isinstance(name, str) else "an entity without a name"


def to_json(keys: SplitKeys) -> str:
    """Return the keys as JSON, to be kept beside the copy: what the rows were split by. Equal keys give equal text."""
    return msgspec.json.encode(keys, order="deterministic").decode()


def from_json(text: str) -> SplitKeys:
    """Return the keys that `to_json` wrote. Raises ValueError for anything else."""
    try:
        return msgspec.json.decode(text, type=SplitKeys)
    except msgspec.DecodeError as error:
        raise ValueError(f"not the keys of a split: {error}") from error


Shape = TypeVar("Shape", bound=msgspec.Struct)


def _convert(raw: Any, shape: type[Shape], where: str) -> Shape:
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(str(error), raw), where=where, remedy="see docs/config.md") from error


def _readable(message: str, raw: Any) -> str:
    """msgspec's message with the key as the file has it, and with the attribute where msgspec says `[...]`."""
    for key, kind in _NAMED.items() if "[...]" in message and isinstance(raw, dict) else ():
        for attribute in _wrong(raw.get(key), kind) if f"$.{key}" in message else ():
            message = message.replace("[...]", f".{attribute}", 1)
            break
    return (
        message.replace("`$.", "`")
        .replace(" - at `$`", "")
        .replace("Object missing", "lacks the")
        .replace("Object contains", "has the", 1)
    )


def _wrong(value: Any, kind: Any) -> Iterator[str]:
    """The attributes whose values msgspec does not take."""
    for table in value if isinstance(value, list) else [value]:
        for attribute, wanted in table.items() if isinstance(table, dict) else ():
            try:
                msgspec.convert(wanted, kind)
            except msgspec.ValidationError:
                yield attribute
