"""Which attribute lives in which column of a copied table: the data, and its JSON form that is kept in MySQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import msgspec

from twinrow.change import SEALED_KEY, Item
from twinrow.decode.kind import Kind
from twinrow.flavour import SqlValue
from twinrow.schema.column_type import ColumnType
from twinrow.schema.naming import column_name, fold, is_reserved, valid_name

PAGE_BYTES: Final = 16_384
"""InnoDB's pages, where nobody has chosen another size (`innodb_page_size`) for the server."""
DERIVED: Final = "\x00part "
"""The attribute of a derived column begins so. An attribute of an item that does stays in extra."""
HASH_KEY_BYTES_MAX: Final = 2048
RANGE_KEY_BYTES_MAX: Final = 1024
"""AWS, "Constraints in Amazon DynamoDB": the longest partition key and sort key. A character takes a byte or more."""


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """A key attribute of a DynamoDB table. `sealed`: items carry their key as SEALED_KEY (`protect.guard`)."""

    name: str
    kind: Literal["S", "N", "B"]
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """The settings of one attribute: another column name, a type, or that it is left out.

    `widen`: whether a value that the type does not hold makes the column wider, as a learned column.
    """

    attribute: str
    column: str | None = None
    type: ColumnType | None = None
    ignore: bool = False
    # not printed: the copies of earlier versions are compared by what an override prints (`sync.changed_settings`)
    widen: bool = field(default=False, repr=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column and the attribute and kind of value that it belongs to, for good; only its type may grow."""

    attribute: str
    column: str
    kind: Kind
    type: ColumnType
    key: bool
    overridden: bool
    widen: bool = False

    @property
    def derived(self) -> bool:
        """Whether the column shows a piece of another attribute (see `TableSchema.derive`)."""
        return self.attribute.startswith(DERIVED)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A column that is filled beside the column of its attribute, under another name, until every row has it."""

    column: Column
    under: str


@dataclass(frozen=True, slots=True)
class Reshape:
    """A change of columns that is under way: the overrides after it, the columns that it brings, those it takes away.

    Rows are written under the schema as it stands, and into the new columns too. `left_out` are attributes.
    """

    overrides: tuple[Override, ...]
    shadows: tuple[Shadow, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class TableSchema:
    """How the items of one DynamoDB table, or of an entity of it, become rows.

    `own` are Twinrow's attributes (mark and link): never columns, never in extra, never a difference. `page_bytes` is
    the size of the server's pages, which bounds what a row may hold. `reshape` is a change that is not through.
    """

    table: str
    into: str
    version: int
    keys: tuple[KeyAttribute, ...]
    columns: tuple[Column, ...]
    own: frozenset[str]
    overrides: tuple[Override, ...]
    soft_deletes: bool
    page_bytes: int = PAGE_BYTES
    reshape: Reshape | None = None

    # No annotations: these are no fields, and stand in no JSON. A table of a split has others (`entities.table`).
    entity = ""
    """The entity whose items these are; a table without a split has none."""
    number = 0
    """By which the directory of a split knows the table."""
    numbers_rows = True
    """Whether the MySQL table gives its rows their ids; in a split the directory does, for all its tables."""

    @property
    def derives(self) -> bool:
        """Whether any column is derived."""
        return False

    def derive(self, item: Item, values: list[SqlValue]) -> None:
        """Fill the cells of the derived columns: pieces of the item that no rebuild needs. Without any: nothing."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.table, self.into, self.version, self.keys, self.columns, self.own, self.overrides))

    @cached_property
    def by_attribute(self) -> dict[str, Column]:
        """The columns, by attribute, without the derived ones."""
        return {column.attribute: column for column in self.columns if not column.derived}

    @cached_property
    def override_of(self) -> dict[str, Override]:
        """The overrides, by attribute."""
        return {override.attribute: override for override in self.overrides}

    @cached_property
    def left_out(self) -> frozenset[str]:
        """Attributes that no row holds: Twinrow's own and the ignored ones."""
        return self.own | {override.attribute for override in self.overrides if override.ignore}

    @cached_property
    def names_taken(self) -> frozenset[str]:
        """Column names that no new attribute may have: those in use and those the overrides give to others."""
        overrides = self.overrides + (self.reshape.overrides if self.reshape is not None else ())
        coming = self.reshape.shadows if self.reshape is not None else ()
        return (
            frozenset(column.column for column in self.columns)
            | {override.column for override in overrides if override.column is not None}
            | {shadow.column.column for shadow in coming}
        )


def empty_schema(
    table: str,
    into: str,
    keys: tuple[KeyAttribute, ...],
    own: frozenset[str],
    overrides: tuple[Override, ...],
    soft_deletes: bool,
    taken: frozenset[str] = frozenset(),
) -> TableSchema:
    """Return the schema before the first item: version 1, with the key attributes' columns, not named as `taken`.

    Raises ValueError, with a message for the configuration's author, when a key attribute is Twinrow's own or ignored,
    or when overrides contradict one another or MySQL.
    """
    if not 1 <= len(keys) <= 2 or len({key.name for key in keys}) != len(keys):
        raise ValueError("a DynamoDB table has one or two key attributes")
    check_overrides(keys, own, overrides)
    bare = TableSchema(table, into, 1, keys, (), own, overrides, soft_deletes)
    columns: list[Column] = []
    for key, bytes_max in zip(keys, (HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX), strict=False):
        override = bare.override_of.get(key.name, Override(key.name))
        others = bare.names_taken | taken | {column.column for column in columns}
        name = override.column or column_name(key.name, others)
        kind_type = _key_type(key, bytes_max)
        overridden = override.type is not None
        ct = override.type or kind_type
        columns.append(Column(key.name, name, key.kind, ct, True, overridden, override.widen))
    if keys[0].sealed:
        columns.append(Column(SEALED_KEY, SEALED_KEY, "S", ColumnType("TEXT"), False, True))
    return TableSchema(table, into, 1, keys, tuple(columns), own, overrides, soft_deletes)


def _key_type(key: KeyAttribute, bytes_max: int) -> ColumnType:
    if key.kind == "N":
        return ColumnType("BIGINT")
    return ColumnType("VARCHAR" if key.kind == "S" else "VARBINARY", bytes_max)


def check_overrides(keys: tuple[KeyAttribute, ...], own: frozenset[str], overrides: tuple[Override, ...]) -> None:
    """Raise ValueError when overrides contradict one another, the key, Twinrow's own attributes or MySQL's names."""
    key_names = {key.name for key in keys}
    for name in sorted(key_names & own):
        raise ValueError(f"attribute {name!r} is part of the key and cannot be Twinrow's own")
    attributes: set[str] = set()
    columns: dict[str, str] = {}
    for override in overrides:
        if override.attribute in attributes:
            raise ValueError(f"attribute {override.attribute!r} is overridden twice")
        attributes.add(override.attribute)
        if override.ignore and override.attribute in key_names:
            raise ValueError(f"attribute {override.attribute!r} is part of the key and cannot be ignored")
        if override.attribute in own and not override.ignore:
            raise ValueError(f"attribute {override.attribute!r} is Twinrow's own and has no column")
        if override.column is None:
            continue
        if not valid_name(override.column):
            raise ValueError(
                f"column {override.column!r}: MySQL takes 1 to 64 characters, none of them NUL or above U+FFFF, "
                "and no white space at the end"
            )
        if is_reserved(override.column):
            raise ValueError(f"column {override.column!r}: the name is reserved")
        other = columns.setdefault(fold(override.column), override.attribute)
        if other != override.attribute:
            raise ValueError(
                f"attributes {other!r} and {override.attribute!r} would share the column {override.column!r}"
            )


_decode: Final = msgspec.json.Decoder(TableSchema).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


def to_json(schema: TableSchema) -> str:
    """Return the schema as JSON; equal schemas give equal text."""
    return msgspec.json.encode(schema, order="deterministic").decode()


def from_json(text: str) -> TableSchema:
    """Return the schema that `to_json` wrote. Raises ValueError for anything else."""
    try:
        return _decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a table's schema: {error}") from error
