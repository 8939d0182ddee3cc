"""The files of a configuration: `twinrow.toml`, what it includes, and the overlay of an environment, put together.

Each file is checked by itself first, so that an error names the file it is in.
"""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from twinrow import config_error
from twinrow.config.column import ColumnConfig
from twinrow.config.protecting import HidingRule
from twinrow.config.shapes import IncludedFile, OverlayFile, WholeFile
from twinrow.config.variables import fill
from twinrow.errors import ConfigError
from twinrow.table_description import SOURCE_MARK

FILES_MAX: Final = 1_000
"""An `include` that takes more is a mistake in its pattern."""
_APART: Final = ("tables", "defaults", "include", "overlay")
_SOME_COLUMN: Final = re.compile(r"\$\.(?:tables\[(\d+)\]|defaults)\.(columns|protect)\[\.\.\.\]")
_SHAPES: Final[dict[str, Any]] = {"columns": ColumnConfig, "protect": HidingRule}

RawSettings = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A `[[tables]]` part as it is written, the `[defaults]` that count for it, and where it is."""

    own: RawSettings
    defaults: RawSettings
    where: str


@dataclass(frozen=True)
class Documents:
    """All files of a configuration put together: its sections, and its `[[tables]]` parts in order."""

    sections: RawSettings
    entries: tuple[Entry, ...]
    watched: tuple[str, ...]


def text_of(path: Path) -> str:
    """The text of a file. Raises ConfigError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark before the first line
    except FileNotFoundError:
        raise ConfigError(
            "no such file", where=str(path), remedy="make the file with `twinrow init`, or name it with -c FILE"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error


def together(text: str, place: str, variables: Mapping[str, str]) -> Documents:
    """The text of `twinrow.toml` with all files that it names. Raises ConfigError that names file, key and place."""
    main = _document(text, place, variables, WholeFile)
    defaults = main.get("defaults", {})
    entries, sources = list(_entries(main, place, defaults)), list(main.get("sources", []))
    includes = _texts(main.get("include", []))
    for path in _included(includes, place):
        part = _document(text_of(path), str(path), variables, IncludedFile)
        entries += _entries(part, str(path), layered(defaults, part.get("defaults", {})))
        sources += part.get("sources", [])
    sections = {key: value for key, value in main.items() if key not in _APART} | {"sources": sources}
    watched = [place, *(_beside(place, pattern) for pattern in includes)]
    if "overlay" in main:
        path = Path(_beside(place, main["overlay"]))
        part = _document(text_of(path), str(path), variables, OverlayFile)
        watched.append(str(path))
        below = part.get("defaults", {})
        entries = [replace(entry, defaults=layered(entry.defaults, below)) for entry in entries]
        entries = _overlaid(entries, list(_entries(part, str(path), layered(defaults, below))))
        sections = _overlaid_sections(sections, part)
    return Documents(sections, tuple(entries), tuple(watched))


def names_in(path: Path) -> list[str]:
    """The tables that a file names, and those that its included files name, for a shell that completes a name.

    Nothing else is checked, and no variable need be set. Raises OSError, ValueError and ConfigError where they
    cannot be read.
    """
    main = tomllib.loads(text_of(path))
    includes = main.get("include", [])
    patterns = includes if isinstance(includes, str | list) else []
    files = [main, *(tomllib.loads(text_of(inner)) for inner in _included(_texts(patterns), str(path)))]
    found = []
    for document in files:
        source_below = _part(document, "defaults").get("source", _part(main, "defaults").get("source"))
        tables = document.get("tables", [])
        for table in tables if isinstance(tables, list) else []:
            name = table.get("name") if isinstance(table, dict) else None
            if isinstance(name, str):
                source = table.get("source", source_below)
                found.append(f"{source}{SOURCE_MARK}{name}" if source else name)
    return found


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key, {})
    return found if isinstance(found, dict) else {}


def layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> RawSettings:
    """Settings of which `above` win. The keys of a section are put together, and the attributes of `columns`."""
    both = dict(below)
    for key, value in above.items():
        lower = both.get(key)
        both[key] = {**lower, **value} if isinstance(lower, dict) and isinstance(value, dict) else value
    return both


def identity(own: Mapping[str, Any]) -> tuple[Any, ...]:
    """The subject of a `[[tables]]` part: parts of two files with the same subject belong together."""
    chosen = tuple(tuple(_texts(own.get(key, []))) for key in ("match", "exclude"))
    return own.get("source"), own.get("name"), *chosen, tuple(sorted(own.get("tags", {}).items()))


def _document(text: str, place: str, variables: Mapping[str, str], shape: type[msgspec.Struct]) -> RawSettings:
    """The keys of a file, its variables put in and its shape checked."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", where=place) from error
    filled: RawSettings = fill(raw, variables, place)
    try:
        msgspec.convert(filled, shape)
    except msgspec.ValidationError as error:
        text = config_error.in_file_terms(str(error), shape, filled, _override_meant(str(error), filled))
        raise ConfigError(text, where=place, remedy="see docs/config.md") from error
    return filled


def _override_meant(message: str, filled: RawSettings) -> str | None:
    """The attribute of the override or rule that msgspec means: it says `columns[...]` whichever it is."""
    found = _SOME_COLUMN.search(message)
    if found is None:
        return None
    part = filled["tables"][int(found[1])] if found[1] is not None else filled["defaults"]
    for attribute, told in part[found[2]].items():
        try:
            msgspec.convert(told, _SHAPES[found[2]])
        except msgspec.ValidationError:
            return str(attribute)
    return None


def _entries(document: RawSettings, place: str, defaults: RawSettings) -> Iterator[Entry]:
    for number, own in enumerate(document.get("tables", [])):
        called = own.get("name") or " ".join(_texts(own.get("match", []))) or ("tags" if "tags" in own else "")
        yield Entry(own, defaults, f"{place}: tables[{number}]" + (f" ({called})" if called else ""))


def _overlaid(entries: list[Entry], above: list[Entry]) -> list[Entry]:
    """The entries, each with what the overlay says of the same table; what is new there comes last."""
    places = {identity(entry.own): number for number, entry in enumerate(entries)}
    both = list(entries)
    for entry in above:
        number = places.get(identity(entry.own))
        if number is None:
            both.append(entry)
        else:
            both[number] = replace(both[number], own=layered(both[number].own, entry.own))
    return both


def _overlaid_sections(sections: RawSettings, above: RawSettings) -> RawSettings:
    both = layered(sections, {key: value for key, value in above.items() if key not in (*_APART, "sources")})
    sources = {source["name"]: source for source in sections["sources"]}
    for source in above.get("sources", []):
        sources[source["name"]] = {**sources.get(source["name"], {}), **source}
    # two of a name within a file are an error, which a dictionary would hide
    twice = len({source["name"] for source in sections["sources"]}) < len(sections["sources"])
    both["sources"] = sections["sources"] if twice else list(sources.values())
    return both


def _included(patterns: list[str], place: str) -> Iterator[Path]:
    for pattern in patterns:
        found = sorted(glob.glob(_beside(place, pattern), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found and not glob.has_magic(pattern):
            raise ConfigError(f"`include` names {pattern}, which is not there", where=place)
        if len(found) > FILES_MAX:
            raise ConfigError(f"`include` takes {len(found):,} files by {pattern}", where=place, remedy="narrow it")
        yield from map(Path, found)


def _beside(place: str, path: str) -> str:
    """A path of the file's as seen from here: it is relative to the file's folder."""
    return (
        str(Path(glob.escape(str(Path(place).parent))) / path)
        if glob.has_magic(path)
        else str(Path(place).parent / path)
    )


def _texts(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given
