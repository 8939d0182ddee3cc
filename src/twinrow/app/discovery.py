"""The tables that patterns (`match`, `tags`) stand for: asked of DynamoDB, or those that MySQL has a copy of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from twinrow.app import wiring
from twinrow.config import Config
from twinrow.config.resolve import Found, with_found
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import ConfigError, Transient
from twinrow.state import meta, tables
from twinrow.table_description import name_in_dynamodb

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB


def with_tables_there(config: Config) -> tuple[Config, list[str]]:
    """The configuration with the tables that DynamoDB has, and a warning for each that cannot be copied.

    A table that vanished is not in the list: it is not copied any more, and its copy stays. Where DynamoDB does not
    answer, the tables that have a copy stand for all, and a warning says so. Raises TwinrowError when neither can be
    asked, ConfigError when the file names no table and no pattern takes any.
    """
    try:
        found = [table for source in _sources(config) for table in _taken(config, source)]
    except Transient as trouble:
        known, warnings = with_tables_copied(config)
        return known, [f"new tables cannot be looked for: {trouble}; those that have a copy go on", *warnings]
    return _with(config, found, "they take none")


def with_tables_copied(config: Config) -> tuple[Config, list[str]]:
    """The configuration with the tables that have a copy, of MySQL alone. Raises TwinrowError, ConfigError.

    MySQL does not know tags, so a table that no `match` takes belongs to the first pattern of its source with tags.
    """
    with closing(wiring.connect(wiring.mysql_of(config))) as session:
        names = [known.table_name for known in tables.load_all(session)] if meta.check_version(session) else []
    named, found = {table.name for table in config.tables}, list[Found]()
    for name in sorted(set(names) - named):
        takers = [
            taken for pattern in config.patterns
            if (taken := Found(pattern, name_in_dynamodb(name))).called == name and pattern.takes(taken.name)
        ]  # fmt: skip
        found += [taken for taken in takers if not taken.pattern.tags] or takers[:1]
    return _with(config, found, "no table of theirs has a copy yet: `twinrow sync` makes it")


def _sources(config: Config) -> Sequence[str | None]:
    return list(dict.fromkeys(pattern.source for pattern in config.patterns))


def _with(config: Config, found: Sequence[Found], none: str) -> tuple[Config, list[str]]:
    both, refused = with_found(config, found)
    unusable = [f"{name}: {why}; it is not copied" for name, why in sorted(refused.items())]
    if not both.tables:
        titles = "; ".join(pattern.title for pattern in config.patterns)
        raise ConfigError(
            f"no table can be copied by {titles}: {'; '.join(unusable) or none}", where=config.path,
            remedy="mend the pattern, or name the tables", commands=("twinrow add",),
        )  # fmt: skip
    for table in both.tables:
        wiring.settings_of(table, config.path)
    return both, unusable


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
