"""The tables that patterns (`match`, `tags`) stand for: asked of DynamoDB, or those that MySQL has a copy of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from twinrow.app import protecting, wiring
from twinrow.config import Config
from twinrow.config.resolve import Found, with_found
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import ConfigError, Transient
from twinrow.mysql import Connection
from twinrow.state import meta, tables
from twinrow.state.tables import Phase
from twinrow.table_description import name_in_dynamodb

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB


GONE_TEXT: Final = "the DynamoDB table is gone; its copy stays as it was"


@dataclass(frozen=True, slots=True)
class Looked:
    """A configuration with the tables of its patterns, as DynamoDB and the state in MySQL say.

    `gone` are those of them that have a copy and are not in DynamoDB any more; `vanished` those of `gone` of which the
    state does not know it yet. `coming` are tables that DynamoDB is still making, which are not in the configuration.
    `refused` says of tables that patterns take why they cannot be copied.
    """

    config: Config
    gone: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    coming: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)


def with_tables_there(config: Config) -> tuple[Config, list[str]]:
    """The configuration with the tables that DynamoDB has, and a warning for each that cannot be copied.

    A table that vanished is not in the list: it is not copied any more, and its copy stays. Where DynamoDB does not
    answer, the tables that have a copy stand for all, and a warning says so. Raises TwinrowError when neither can be
    asked, ConfigError when the file names no table and no pattern takes any.
    """
    try:
        found = _there(config)
    except Transient as trouble:
        known = _copied(config)
        usable = _usable(config, [table for table, phase in known if phase != "GONE"])
        warning = f"new tables cannot be looked for: {trouble}; those that have a copy go on"
        return _some(usable, _NO_COPY), [warning, *_warnings(usable)]
    looked = _usable(config, found)
    return _some(looked, "they take none"), _warnings(looked)


def with_tables_copied(config: Config) -> tuple[Config, list[str]]:
    """The configuration with the tables that have a copy, of MySQL alone. Raises TwinrowError, ConfigError."""
    looked = _usable(config, [table for table, _ in _copied(config)])
    return _some(looked, _NO_COPY), _warnings(looked)


def look(config: Config, session: Connection) -> Looked:
    """Ask DynamoDB which tables are there, and MySQL which were; nothing is changed. Raises TwinrowError.

    A table that has a copy and is missing in the list is asked for by its name before it is taken for gone.
    """
    found = {table.called: table for table in _there(config)}
    known = {table.called: (table, phase) for table, phase in _copied_in(config, session)}
    coming = frozenset(name for name, table in found.items() if name not in known and _is_coming(config, table))
    missing = {name: entry for name, entry in known.items() if name not in found}
    gone = frozenset(
        name for name, (table, phase) in missing.items() if phase == "GONE" or _status(config, table) is None
    )
    there = [table for name, table in found.items() if name not in coming]
    # what is there and missing in the list has lost its tags, or the list is a moment old
    late = [table for name, (table, _) in missing.items() if name not in gone and not table.pattern.tags]
    looked = _usable(config, [*there, *late, *(missing[name][0] for name in gone)])
    names = {table.name for table in looked.config.tables}
    vanished = frozenset(name for name in gone if missing[name][1] != "GONE")
    return replace(looked, gone=gone & names, vanished=vanished & names, coming=coming)


_NO_COPY: Final = "no table of theirs has a copy yet: `twinrow sync` makes it"
_BEING_MADE: Final = "CREATING"


def _usable(config: Config, found: Sequence[Found]) -> Looked:
    """The configuration with the tables found, but for those whose names or settings make no copy."""
    both, refused = with_found(config, found)
    for table in both.tables:
        try:
            protecting.settings_with(config, table, wiring.settings_of(table, config.path))
        except ConfigError as error:
            if table.name not in both.found:
                raise
            refused[table.name] = error.what
    tables_kept = tuple(table for table in both.tables if table.name not in refused)
    return Looked(replace(both, tables=tables_kept, found=both.found - refused.keys()), refused=refused)


def _warnings(looked: Looked) -> list[str]:
    return [f"{name}: {why}; it is not copied" for name, why in sorted(looked.refused.items())]


def _some(looked: Looked, none: str) -> Config:
    """The configuration. Raises ConfigError where it has no table."""
    config = looked.config
    if not config.tables:
        titles = "; ".join(pattern.title for pattern in config.patterns)
        raise ConfigError(
            f"no table can be copied by {titles}: {'; '.join(_warnings(looked)) or none}", where=config.path,
            remedy="mend the pattern, or name the tables", commands=("twinrow add",),
        )  # fmt: skip
    return config


def _copied(config: Config) -> list[tuple[Found, Phase]]:
    with closing(wiring.connect(wiring.mysql_of(config))) as session:
        return _copied_in(config, session)


def _copied_in(config: Config, session: Connection) -> list[tuple[Found, Phase]]:
    """The tables of the state that patterns may have brought, and their phases.

    MySQL does not know tags, so a table that no `match` takes belongs to the first pattern of its source with tags.
    """
    if not meta.check_version(session):
        return []
    named, found = {table.name for table in config.tables}, list[tuple[Found, Phase]]()
    for known in sorted(tables.load_all(session), key=lambda entry: entry.table_name):
        name = known.table_name
        takers = [
            taken for pattern in config.patterns
            if (taken := Found(pattern, name_in_dynamodb(name))).called == name and pattern.takes(taken.name)
        ]  # fmt: skip
        if name not in named:
            kept = [taken for taken in takers if not taken.pattern.tags] or takers[:1]
            found += [(taken, known.phase) for taken in kept]
    return found


def _there(config: Config) -> list[Found]:
    """The tables in DynamoDB that patterns take. Raises TwinrowError when they cannot be listed, in whole."""
    sources = dict.fromkeys(pattern.source for pattern in config.patterns)
    return [table for source in sources for table in _taken(config, source)]


def _status(config: Config, table: Found) -> str | None:
    """The status of a table in DynamoDB; None where there is none of that name."""
    door = wiring.dynamodb_of(config, table.pattern.source)
    try:
        return wiring.few_tries(partial(door.describe, table.name)).status
    except DynamoDBError as error:
        if error.code == NO_SUCH_TABLE:
            return None
        raise


def _is_coming(config: Config, table: Found) -> bool:
    """Whether a table cannot be read yet, or was deleted since the list was made."""
    return _status(config, table) in (_BEING_MADE, None)


def _taken(config: Config, source: str | None) -> Iterator[Found]:
    """The tables of a source that its patterns take."""
    door = wiring.dynamodb_of(config, source)
    patterns = [pattern for pattern in config.patterns if pattern.source == source]
    for name in wiring.few_tries(lambda: list(door.tables())):
        for pattern in patterns:
            if pattern.takes(name) and _has_tags(door, name, pattern.tags):
                yield Found(pattern, name)


def _has_tags(door: DynamoDB, table: str, wanted: tuple[tuple[str, str], ...]) -> bool:
    if not wanted:
        return True
    try:
        tags = wiring.few_tries(partial(door.tags, table))
    except DynamoDBError as error:
        if error.code == NO_SUCH_TABLE:  # deleted since the list was made
            return False
        raise
    return all(tags.get(key) == value for key, value in wanted)
