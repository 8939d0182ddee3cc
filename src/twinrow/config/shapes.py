"""The shapes of a file's parts: settings as `config.settings` has them, where each may be left to another part.

A setting of a table may stand in its own part, in that of a pattern, in `[defaults]`, and in an overlay; so a part is
complete only when all of them are put together.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec

from twinrow.config.settings import File, TableConfig

TextOrTexts = str | list[str]


def _note(text: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, **limits)


class SettingKey(NamedTuple):
    """A key of a part: as an attribute, as it is written, and what it takes."""

    name: str
    written: str
    kind: Any


PATTERN_KEYS: Final = (
    SettingKey("match", "match", Annotated[
        TextOrTexts, _note('Every table whose name is so, in the place of `name`: `"prod-*"`; several in a list.')
    ]),
    SettingKey("exclude", "exclude", Annotated[
        TextOrTexts, _note("Tables that `match` or `tags` would take, and that are left alone; written as `match`.")
    ]),
    SettingKey("tags", "tags", Annotated[
        dict[str, str],
        _note('Every table that carries these tags, within `match` where that is given: `{ twinrow = "yes" }`.'),
    ]),
)  # fmt: skip
"""Keys by which a part stands for many tables."""
NAMING_KEYS: Final = (
    SettingKey("strip_prefix", "strip_prefix", Annotated[
        str, _note("Left away where a table's name begins with it, in `{name}` and by default.")
    ]),
)  # fmt: skip
"""Keys that only help to name the copy."""


def _optional(kind: Any) -> Any:
    """The same type, of which a struct may be given in part."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _part_of(kind)
    if isinstance(kind, types.UnionType) or get_origin(kind) is Union:
        return Union[tuple(_optional(inner) for inner in get_args(kind))]  # noqa: UP007 - made at run time
    return kind


@cache
def _part_of(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    return in_part(shape, shape.__name__, map(_whole, msgspec.structs.fields(shape)))


def _whole(field: msgspec.structs.FieldInfo) -> SettingKey:
    return SettingKey(field.name, field.encode_name, field.type)


def _keys_of(shape: type[msgspec.Struct], *, without: str = "") -> Iterator[SettingKey]:
    """The keys of a struct whose values may be given in part."""
    for field in msgspec.structs.fields(shape):
        if field.name != without:
            yield SettingKey(field.name, field.encode_name, _optional(field.type))


def in_part(like: type[msgspec.Struct], name: str, keys: Iterable[SettingKey]) -> type[msgspec.Struct]:
    """A struct of these keys, each of which may be left out; it is described as `like` is."""
    fields = [
        (key.name, key.kind | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET, name=key.written)) for key in keys
    ]
    made = msgspec.defstruct(name, fields, frozen=True, forbid_unknown_fields=True)
    made.__doc__ = like.__doc__
    return made


TableEntry = in_part(TableConfig, "TableConfig", [*_keys_of(TableConfig), *PATTERN_KEYS, *NAMING_KEYS])
TableEntry.__doc__ = (
    "A DynamoDB table and its copy, or, with `match` or `tags`, every table that is so when a command "
    "begins; there may be many."
)
Defaults = in_part(TableConfig, "Defaults", [*_keys_of(TableConfig, without="name"), *NAMING_KEYS])
Defaults.__doc__ = (
    "Settings of all tables of a file, where neither a table's own part nor its pattern's says otherwise: any key of "
    "`[[tables]]` but those that choose tables. A `[defaults.pending_index]` counts for tables with that `capture`."
)

_LISTS: Final = (
    SettingKey("tables", "tables", list[TableEntry]),  # type: ignore[valid-type]
    SettingKey("defaults", "defaults", Defaults),
)
_FILES: Final = (
    SettingKey(
        "include", "include",
        Annotated[
            TextOrTexts,
            _note('More files, with `[[tables]]`, `[[sources]]` and `[defaults]` alone: `"tables.d/*.toml"`.'),
        ],
    ),
    SettingKey(
        "overlay", "overlay",
        Annotated[
            str, _note('A file whose settings win, for an environment: `"twinrow.${STAGE}.toml"`.', min_length=1)
        ],
    ),
)  # fmt: skip
_SECTIONS: Final = tuple(_whole(field) for field in msgspec.structs.fields(File))

IncludedFile = in_part(File, "IncludedFile", [*_LISTS, *(key for key in _SECTIONS if key.name == "sources")])
OverlayFile = in_part(File, "OverlayFile", [*_SECTIONS, *_LISTS])
WholeFile = in_part(File, "File", [*_SECTIONS, *_LISTS, *_FILES])

_LEARNED: Final = tuple(msgspec.json.Decoder(shape) for shape in (IncludedFile, OverlayFile, WholeFile, TableConfig))
"""Makes msgspec learn these types at import: two threads that use a type first, at once, would crash the process."""


def shapes() -> dict[str, type[msgspec.Struct]]:
    """The whole struct of each that a file may hold, by name: a struct that is given in part has no defaults."""
    found: dict[str, type[msgspec.Struct]] = {
        TableConfig.__name__: TableConfig, Defaults.__name__: TableConfig, File.__name__: File,
    }  # fmt: skip
    for shape in (File, TableConfig):
        for field in msgspec.structs.fields(shape):
            found |= {kind.__name__: kind for kind in _structs(field.type)}
    return found


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs within a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from _structs(inner)
