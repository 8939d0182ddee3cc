"""From the parts of the files to tables: own settings win over the pattern's, these over `[defaults]` (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import msgspec

from twinrow.capture_kind import KINDS, traits_of
from twinrow.config.checks import Known, check_table
from twinrow.config.documents import Entry, layered
from twinrow.config.patterns import TABLES_MAX, Pattern, into_of
from twinrow.config.settings import Config, TableConfig
from twinrow.config.shapes import NAMING_KEYS, PATTERN_KEYS
from twinrow.errors import ConfigError
from twinrow.table_description import SOURCE_MARK

_CHOOSING: Final = frozenset(key.name for key in PATTERN_KEYS)
_NAMING: Final = frozenset(key.name for key in NAMING_KEYS)
CALLED_CHARACTERS_MAX: Final = 255
"""The longest `SOURCE:NAME` that MySQL's state takes."""
SOME_NAME: Final = "some-table"


@dataclass(frozen=True)
class Found:
    """A table that a pattern takes: its name in DynamoDB, in the pattern's source."""

    pattern: Pattern
    name: str

    @property
    def called(self) -> str:
        """The name by which Twinrow calls it."""
        return called(self.pattern.source, self.name)


@dataclass
class Resolved:
    """The content of the files: tables by name, and patterns."""

    tables: list[TableConfig] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)


def called(source: str | None, name: str) -> str:
    """The name of a table on the command line, in state and JSON: that of a source has the source before it."""
    return f"{source}{SOURCE_MARK}{name}" if source else name


def resolved(entries: Sequence[Entry], sources: Iterable[str]) -> Resolved:
    """All tables and patterns of the parts, checked. Raises ConfigError that names table and place."""
    known_sources, known, both = tuple(sources), Known(), Resolved()
    chosen = [entry for entry in entries if "name" in entry.own]
    both.patterns = [_pattern(entry, known_sources) for entry in entries if "name" not in entry.own]
    titles: dict[str, str] = {}
    for pattern in both.patterns:
        if titles.setdefault(pattern.title, pattern.where) != pattern.where:
            raise ConfigError("the same pattern is there twice", where=pattern.where)
    for entry in chosen:
        table = _named(entry, both.patterns, known_sources)
        check_table(table, entry.where, known)
        both.tables.append(table)
    return both


def with_found(config: Config, found: Iterable[Found]) -> tuple[Config, dict[str, str]]:
    """The configuration with the tables that were found, and those that cannot be copied, with the reason.

    A table of the file wins over a pattern. Two patterns on a table, and two into the same place, are refused.
    """
    known, tables, refused = Known(), list(config.tables), dict[str, str]()
    for table in tables:
        known.add(table)
    by_name: dict[str, list[Found]] = {}
    for table_found in found:
        if table_found.called not in known.names:
            by_name.setdefault(table_found.called, []).append(table_found)
    for number, (name, takers) in enumerate(sorted(by_name.items())):
        titles = " and ".join(sorted({taker.pattern.title for taker in takers}))
        if number >= TABLES_MAX:
            refused[name] = f"patterns bring at most {TABLES_MAX} tables into a process; `exclude` some"
        elif len({taker.pattern.title for taker in takers}) > 1:
            refused[name] = f"two patterns take it ({titles}): give it a [[tables]] part of its own, or `exclude` it"
        else:
            try:
                table = _by_pattern(takers[0].pattern, takers[0].name)
                check_table(table, f"{takers[0].pattern.where}: {name}", known)
            except ConfigError as error:
                refused[name] = error.what
            else:
                tables.append(table)
    named = {table.name for table in config.tables}
    return replace(config, tables=tuple(tables), found=frozenset(known.names - named)), refused


def _source_of(own: Mapping[str, Any], defaults: Mapping[str, Any], sources: Sequence[str], where: str) -> str | None:
    source: str | None = own.get("source", defaults.get("source")) or None
    if source is not None and source not in sources:
        raise ConfigError(
            f"no [[sources]] part has the name {source!r}", where=where,
            remedy=f"there are: {', '.join(sources)}" if sources else "add it",
        )  # fmt: skip
    return source


def _pattern(entry: Entry, sources: Sequence[str]) -> Pattern:
    own = entry.own
    match, exclude = (
        tuple([own[key]] if isinstance(own.get(key), str) else own.get(key, ())) for key in ("match", "exclude")
    )
    if not match and not own.get("tags"):
        raise ConfigError(
            "the file lacks the required field `name`", where=entry.where,
            remedy="write `name`, or `match` or `tags` for many tables",
        )  # fmt: skip
    kept = {key: value for key, value in own.items() if key not in _CHOOSING}
    source = _source_of(own, entry.defaults, sources, entry.where)
    pattern = Pattern(
        match, exclude, tuple(sorted(own.get("tags", {}).items())), source, kept, entry.defaults, entry.where
    )
    some = match[0].replace("*", "xxx").replace("?", "x") if match else SOME_NAME
    check_table(_by_pattern(pattern, some), entry.where, Known())  # a mistake in it shows before any table is found
    return pattern


def _named(entry: Entry, patterns: Sequence[Pattern], sources: Sequence[str]) -> TableConfig:
    chosen = sorted(_CHOOSING & entry.own.keys())
    if chosen:
        raise ConfigError(f"has a `name` and `{chosen[0]}`", where=entry.where, remedy="write two [[tables]] parts")
    source = _source_of(entry.own, entry.defaults, sources, entry.where)
    name = entry.own["name"]
    takers = [pattern for pattern in patterns if pattern.source == source and not pattern.tags and pattern.takes(name)]
    if len(takers) > 1:
        titles = " and ".join(pattern.title for pattern in takers)
        raise ConfigError(f"two patterns take it: {titles}", where=entry.where, remedy="`exclude` it elsewhere")
    middle = takers[0].own if takers else {}
    rest = takers[0].rest(name) if takers else None
    return _table((entry.defaults, middle, entry.own), name, source, rest, entry.where)


def _by_pattern(pattern: Pattern, name: str) -> TableConfig:
    return _table((pattern.defaults, pattern.own), name, pattern.source, pattern.rest(name), pattern.where)


def _table(
    layers: Sequence[Mapping[str, Any]], name: str, source: str | None, rest: str | None, where: str
) -> TableConfig:
    """A table, its settings from several layers of which the last wins."""
    capture = next((layer["capture"] for layer in reversed(layers) if "capture" in layer), None)
    settings: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        inherited = number < len(layers) - 1
        settings = layered(settings, _of_capture(layer, capture) if inherited else layer)
    if capture is None:
        raise ConfigError(
            "the file lacks the required field `capture`", where=where,
            remedy="write it beside the table's name, or in [defaults]",
        )  # fmt: skip
    strip = settings.pop("strip_prefix", "")
    settings["into"] = into_of(settings.get("into"), name, strip=strip, rest=rest, source=source)
    try:
        table = msgspec.convert(settings | {"name": name, "source": source}, TableConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(str(error)), where=where, remedy="see docs/config.md") from error
    if len(called(source, name)) > CALLED_CHARACTERS_MAX:
        raise ConfigError(f"source and name together have more than {CALLED_CHARACTERS_MAX} characters", where=where)
    return msgspec.structs.replace(table, name=called(source, name))


def _readable(message: str) -> str:
    return message.replace("Object missing", "the file lacks the").replace("`$.", "`")


def _of_capture(layer: Mapping[str, Any], capture: str | None) -> dict[str, Any]:
    """A layer of several tables without the sections that another capture needs: they would claim its attributes."""
    sections = [key for key, value in layer.items() if isinstance(value, dict)]
    if capture is None or not sections:
        return dict(layer)
    others = _parts() - {traits_of(capture).part}
    return {key: value for key, value in layer.items() if key not in others}


@cache
def _parts() -> frozenset[str]:
    """The sections that some capture needs."""
    return frozenset(part for name in KINDS if (part := traits_of(name).part) is not None)
