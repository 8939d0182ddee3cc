"""A table's split, read from its keys and checked: its entities with their rules, tables and parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from twinrow.config.entities import EntityConfig, SplitConfig, Unmatched
from twinrow.entities.condition import AnyOf, Condition, parts_of, read_condition
from twinrow.entities.part import Part, column_type
from twinrow.entities.settings import SplitKeys
from twinrow.entities.template import Template, check_separator, parse_template
from twinrow.errors import ConfigError
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, fold, valid_name
from twinrow.schema.sql_type import record_bytes
from twinrow.schema.table import Override
from twinrow.wanted import When

PARTS_BYTES_MAX: Final = 50_000
"""A row's columns may declare 65,535 bytes. The two keys take 12,292 of them, so six text parts are left beside them,
and room for every attribute's column. A seventh would make CREATE TABLE fail (error 1118)."""
VALUE: Final = "value"
"""The part that stands in the `into` of `[tables.split]`."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of item: its rule, and the MySQL table of its rows; None where its items are ignored."""

    name: str
    into: str | None
    when: Condition
    where: Condition = ()
    extract: tuple[tuple[str, Template], ...] = ()
    parts: tuple[Part, ...] = ()
    index: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ByValue:
    """One table for each text of an attribute; `into` has one hole."""

    attribute: str
    into: Template
    tables_max: int


@dataclass(frozen=True, slots=True)
class Split:
    """How the items of one DynamoDB table are spread over MySQL tables. `into` is the rest table."""

    into: str
    separator: str
    unmatched: Unmatched
    where: Condition
    entities: tuple[Entity, ...]
    by_value: ByValue | None = None

    def entity(self, name: str) -> Entity | None:
        """The entity of that name, or None."""
        return next((entity for entity in self.entities if entity.name == name), None)


@dataclass(frozen=True, slots=True)
class Around:
    """The rest of the configuration: the table's `into`, Twinrow's own attributes, overrides, other tables.

    `others` maps every other MySQL table of the configuration to the DynamoDB table that it belongs to.
    """

    into: str
    own: frozenset[str] = frozenset()
    columns: tuple[Override, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)


def read_split(keys: SplitKeys, around: Around, place: str, *, reads_dynamodb: bool = False) -> Split:
    """Read and check the split of a table. Raises ConfigError that names entity and key; `place` names the table.

    `reads_dynamodb`: the table is read from DynamoDB anyway, so that rules may use attributes that no row holds.
    """
    try:
        check_separator(keys.separator)
    except ValueError as error:
        raise ConfigError(f"`separator`: {error}", where=place) from error
    if not keys.entities and keys.split is None and keys.unmatched != "keep":
        raise ConfigError("`unmatched` is set, but there are neither entities nor a split", where=place)
    entities = tuple(_entity(entity, f"{place}, entity {entity.name!r}") for entity in keys.entities)
    by_value = _by_value(keys.split, f"{place}, split") if keys.split is not None else None
    where = _condition(keys.where, "where", place, filtering=True) if keys.where is not None else ()
    split = Split(around.into, keys.separator, keys.unmatched, where, entities, by_value)
    _check_names(split, around, place)
    _check_part_types(split, place)
    _check_columns(keys, split, around, place)
    if not reads_dynamodb:
        _check_left_out(keys, split, around, place)
    _check_own(split, around, place)
    return split


def _condition(wanted: When | list[When], key: str, where: str, *, filtering: bool) -> Condition:
    try:
        return read_condition(wanted, filtering=filtering)
    except ValueError as error:
        text = str(error)
        reason = f"`{key}.{text[1:]}" if text.startswith("`") else f"`{key}` {text}"
        raise ConfigError(reason, where=where) from error


def _entity(entity_config: EntityConfig, where: str) -> Entity:
    _check_name(entity_config.name, "name", where)
    if entity_config.into is not None:
        _check_name(entity_config.into, "into", where)
    if entity_config.when is None:
        raise ConfigError("`when` is missing: nothing says which items are meant", where=where)
    if entity_config.ignore:
        for key in ("into", "where", "extract", "index", "columns"):
            if getattr(entity_config, key):
                raise ConfigError(f"`ignore` and `{key}` together: ignored items have no rows", where=where)
    when = _condition(entity_config.when, "when", where, filtering=False)
    filtered = (
        _condition(entity_config.where, "where", where, filtering=True) if entity_config.where is not None else ()
    )
    extract = tuple(_extract(attribute, source, where) for attribute, source in entity_config.extract.items())
    parts: dict[str, Part] = {}
    for part in [*_parts_of(when), *(hole.part for _, template in extract for hole in template.holes)]:
        other = parts.setdefault(part.name, part)
        if other.type != part.type:
            raise ConfigError(
                f"`when`: part {part.name!r} has two types, {other.type} and {part.type}",
                where=where, remedy=f"write {{{part.name}:{other.type}}} each time",
            )  # fmt: skip
    into = None if entity_config.ignore else entity_config.into or entity_config.name
    entity = Entity(
        entity_config.name,
        into,
        when,
        filtered,
        extract,
        tuple(parts.values()),
        tuple(dict.fromkeys(entity_config.index)),
    )
    _check_room(entity, where)
    return entity


def _parts_of(when: Condition) -> Iterable[Part]:
    return (part for clause in when for part in parts_of(clause))


def _extract(attribute: str, source: str, where: str) -> tuple[str, Template]:
    try:
        template = parse_template(source)
    except ValueError as error:
        raise ConfigError(f"`extract.{attribute}`: {error}", where=where) from error
    if not template.holes:
        raise ConfigError(f"`extract.{attribute}`: {source!r} has no part", where=where)
    return attribute, template


def _check_room(entity: Entity, where: str) -> None:
    if entity.into is not None and sum(record_bytes(column_type(part.type)) for part in entity.parts) > PARTS_BYTES_MAX:
        texts = sum(part.type == "text" for part in entity.parts)
        raise ConfigError(
            f"`when` has {texts} parts of type text; a MySQL row has no room for so many", where=where,
            remedy="give the parts types, or take the columns of the item's own attributes",
        )  # fmt: skip


def _check_name(name: str, key: str, where: str) -> None:
    if fold(name).startswith(OWN_PREFIX):
        raise ConfigError(f"`{key}`: {name!r}: names that begin with {OWN_PREFIX} are Twinrow's own", where=where)
    if not valid_name(name) or name != name.strip():
        raise ConfigError(
            f"`{key}`: {name!r} is no name of a MySQL table: 1 to {NAME_CHARACTERS_MAX} characters, none above U+FFFF, "
            "no blank at the ends", where=where,
        )  # fmt: skip


def _by_value(config: SplitConfig, where: str) -> ByValue:
    try:
        template = parse_template(config.into)
    except ValueError as error:
        raise ConfigError(f"`into`: {error}", where=where) from error
    if [(hole.part, hole.any_text) for hole in template.holes] != [(Part(VALUE), False)]:
        raise ConfigError(f"`into`: {config.into!r} must hold {{value}} once, and no other part", where=where)
    _check_name("x".join(template.literals), "into", where)
    return ByValue(config.attribute, template, config.tables_max)


def _check_names(split: Split, around: Around, place: str) -> None:
    names: set[str] = set()
    tables = {name.casefold(): f"of table {table!r}" for name, table in around.others.items()}
    tables.setdefault(split.into.casefold(), "the rest table")
    for entity in split.entities:
        where = f"{place}, entity {entity.name!r}"
        if entity.name.casefold() in names:
            raise ConfigError("`name`: two entities have this name", where=where)
        names.add(entity.name.casefold())
        if entity.into is None:
            continue
        owner = tables.setdefault(entity.into.casefold(), f"of entity {entity.name!r}")
        if owner != f"of entity {entity.name!r}":
            raise ConfigError(
                f"`into`: {entity.into!r} is also the MySQL table {owner}" if owner != "the rest table"
                else f"`into`: {entity.into!r} is also the rest table",
                where=where, remedy="set `into`",
            )  # fmt: skip


def _check_part_types(split: Split, place: str) -> None:
    """A part that entities share is what they are joined by, so it has one type in all of them."""
    seen: dict[str, tuple[Part, str]] = {}
    for entity in split.entities:
        for part in entity.parts if entity.into is not None else ():
            other, owner = seen.setdefault(fold(part.name), (part, entity.name))
            if other.type != part.type:
                raise ConfigError(
                    f"`when`: part {part.name!r} is {part.type} here and {other.type} in entity {owner!r}",
                    where=f"{place}, entity {entity.name!r}",
                    remedy="give both one type, so that they can be joined, or another name to either of them",
                )


def _check_columns(keys: SplitKeys, split: Split, around: Around, place: str) -> None:
    """Overrides hold for an entity's table and may not take the name of one of its parts."""
    for entity_config, entity in zip(keys.entities, split.entities, strict=True):
        where = f"{place}, entity {entity.name!r}"
        parts = {fold(part.name): part.name for part in entity.parts}
        named = {override.attribute: override.column for override in around.columns} | {
            attribute: override.column for attribute, override in entity_config.columns.items()
        }
        for attribute, column_name in named.items():
            if column_name is not None and fold(column_name) in parts:
                raise ConfigError(
                    f"`columns.{attribute}.column`: {column_name!r} is a part of this entity", where=where
                )
        for attribute, column in entity_config.columns.items():
            if attribute in around.own:
                raise ConfigError(
                    f"`columns.{attribute}`: that attribute is Twinrow's own and is no column", where=where
                )
            if column.ignore and (column.column or column.type):
                raise ConfigError(f"`columns.{attribute}`: ignored and described at once", where=where)


def _used(split: Split) -> Iterable[tuple[str, str, str]]:
    """(attribute, key, title) of every attribute that a rule looks at."""
    for clause in split.where:
        yield from ((test.attribute, f"where.{test.attribute}", "") for test in clause)
    for entity in split.entities:
        title = f", entity {entity.name!r}"
        for key, condition in (("when", entity.when), ("where", entity.where)):
            yield from ((test.attribute, f"{key}.{test.attribute}", title) for clause in condition for test in clause)
        yield from ((attribute, f"extract.{attribute}", title) for attribute, _ in entity.extract)
    if split.by_value is not None:
        yield split.by_value.attribute, "attribute", ", split"


def attributes_of(split: Split) -> frozenset[str]:
    """Return the attributes that the rules of a split look at, whether to decide or to take parts."""
    return frozenset(attribute for attribute, _, _ in _used(split))


def _check_left_out(keys: SplitKeys, split: Split, around: Around, place: str) -> None:
    """A later split is made from the rows alone, so the rules may look only at what every row holds."""
    left_out = {
        override.attribute: f"`columns.{override.attribute}.ignore`" for override in around.columns if override.ignore
    }
    for entity_config in keys.entities:
        for name, override in entity_config.columns.items():
            if override.ignore:
                left_out.setdefault(name, f"`columns.{name}.ignore` of entity {entity_config.name!r}")
    for attribute, key, title in _used(split):
        if attribute in left_out:
            raise ConfigError(
                f"`{key}`: {left_out[attribute]} leaves this attribute out of the rows, and a changed rule could not "
                "be applied to them", where=f"{place}{title}", remedy="keep the attribute, or use another",
            )  # fmt: skip


def _check_own(split: Split, around: Around, place: str) -> None:
    for attribute, key, title in _used(split):
        if attribute in around.own:
            raise ConfigError(
                f"`{key}`: this attribute is Twinrow's own (mark or link) and in no row", where=f"{place}{title}"
            )


def check_keys(split: Split, kinds: Mapping[str, str], place: str) -> None:
    """Check the rules against the types of the table's key attributes (S, N, B). Raises ConfigError."""
    named = [("", "where", split.where)]
    for entity in split.entities:
        title = f", entity {entity.name!r}"
        named += [(title, "when", entity.when), (title, "where", entity.where)]
        for attribute, _ in entity.extract:
            if kinds.get(attribute, "S") != "S":
                raise ConfigError(
                    f"`extract.{attribute}`: this key is of type {kinds[attribute]}; a template reads texts (S) only",
                    where=f"{place}{title}",
                )
    if split.by_value is not None and kinds.get(split.by_value.attribute, "S") != "S":
        raise ConfigError("`attribute`: this key holds no texts (S)", where=f"{place}, split")
    for title, key, condition in named:
        for test in (test for clause in condition for test in clause):
            wrong = _never(test, kinds.get(test.attribute)) if isinstance(test, AnyOf) else None
            if wrong is not None:
                kind = kinds[test.attribute]
                raise ConfigError(
                    f"`{key}.{test.attribute}`: {wrong} never matches: this key is of type {kind}",
                    where=f"{place}{title}",
                )


def _never(test: AnyOf, kind: str | None) -> str | None:
    """The part of a test on a key of this kind that can never match; None where all can, or the attribute is no key."""
    if kind is None:
        return None
    if test.texts and kind != "S":
        return "a template or text"
    if test.numbers and kind != "N":
        return "a number"
    return "true or false" if test.booleans else None
