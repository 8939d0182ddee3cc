"""The tables that patterns (`match`, `tags`) stand for, asked of DynamoDB when a command begins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from twinrow.app import wiring
from twinrow.config import Config
from twinrow.config.resolve import Found, with_found
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import ConfigError


def with_tables_of_patterns(config: Config) -> tuple[Config, list[str]]:
    """The configuration with these tables, and a warning for each that a pattern takes and that cannot be copied.

    A table that vanished is not in the list: it is not copied any more, and its copy stays. Raises TwinrowError when
    DynamoDB cannot be asked, ConfigError when the file names no table and no pattern takes any.
    """
    found: list[Found] = []
    for source in dict.fromkeys(pattern.source for pattern in config.patterns):
        found += _taken(config, source)
    both, refused = with_found(config, found)
    unusable = [f"{name}: {why}; it is not copied" for name, why in sorted(refused.items())]
    if not both.tables:
        titles = "; ".join(pattern.title for pattern in config.patterns)
        raise ConfigError(
            f"no table can be copied by {titles}: {'; '.join(unusable) or 'they take none'}", where=config.path,
            remedy="mend the pattern, or name the tables", commands=("twinrow add",),
        )  # fmt: skip
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
