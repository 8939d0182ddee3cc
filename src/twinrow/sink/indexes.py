"""The indexes that a table's settings ask for: their names, their columns, and the statements that build them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from twinrow.mysql import Connection, MySQLError
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import BLOB_BYTES_MAX, BYTES_A_CHARACTER, TEXT_BYTES_MAX
from twinrow.schema.table import Column, TableSchema
from twinrow.schema.widening import grows
from twinrow.sink import ddl, inspect
from twinrow.sink.statements import KEY_PREFIX_BYTES_MAX, KEY_PREFIX_BYTES_OF

PREFIX: Final = "_twinrow_by_"
"""The names of these indexes begin so."""
PREFIX_CHARACTERS: Final = 191
"""An index holds this much of a long text: 764 bytes, which fit an index key on pages of 4 KB."""
READABLE_CHARACTERS_MAX: Final = 40

IndexAttributes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index that can be built now (`parts`, as ALTER wants them), or the reason why it cannot.

    `lacks`: an attribute that no item has had so far. `refused`: an attribute whose column no index can hold.
    """

    attributes: IndexAttributes
    name: str
    parts: tuple[str, ...] = ()
    lacks: str = ""
    refused: str = ""


def name_of(attributes: IndexAttributes) -> str:
    """The name of the index on these attributes, always the same."""
    readable = re.sub(r"\W+", "_", "_".join(attributes), flags=re.ASCII)[:READABLE_CHARACTERS_MAX]
    tail = blake2b("\0".join(attributes).encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{PREFIX}{readable}_{tail}"


def index_of(schema: TableSchema, attributes: IndexAttributes) -> WantedIndex:
    """The index on these attributes under a schema (pure)."""
    name, known = name_of(attributes), schema.by_attribute
    for attribute in attributes:
        if attribute not in known:
            return WantedIndex(attributes, name, lacks=attribute)
        if known[attribute].type.name == "JSON":
            return WantedIndex(attributes, name, refused=attribute)
    share = KEY_PREFIX_BYTES_OF.get(schema.page_bytes, KEY_PREFIX_BYTES_MAX) // len(attributes)
    return WantedIndex(attributes, name, tuple(_part(known[attribute], share) for attribute in attributes))


def _part(column: Column, share: int) -> str:
    """A column as ALTER wants it, cut to what its share of an index key holds."""
    name, length = column.type.name, column.type.length or 0
    prefix = 0
    if name in TEXT_BYTES_MAX or (name == "VARCHAR" and (length > PREFIX_CHARACTERS or grows(column))):
        # a column that may become MEDIUMTEXT has a prefix from the start: without it MySQL refuses that change
        prefix = min(PREFIX_CHARACTERS, share // BYTES_A_CHARACTER, length - 1 if name == "VARCHAR" else length or 255)
    elif name == "VARCHAR" and length * BYTES_A_CHARACTER > share:
        prefix = share // BYTES_A_CHARACTER
    elif name in BLOB_BYTES_MAX or (name == "VARBINARY" and length > min(share, PREFIX_CHARACTERS)):
        prefix = min(share, PREFIX_CHARACTERS)
    return quote(column.column) + (f"({prefix})" if prefix > 0 else "")


def names_there(connection: Connection, table: str) -> frozenset[str]:
    """The names of a table's indexes."""
    sql = (
        "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "AND table_name = %s"
    )
    return frozenset(str(name) for (name,) in inspect.look(connection, sql, table))


def build(connection: Connection, into: str, index: WantedIndex) -> None:
    """Build an index; an index of its name that is there is this very index. Raises as `ddl.run`.

    Nothing hangs on it: it is tried once, and again later, since all readers queue behind an ALTER that waits.
    """
    try:
        ddl.run(connection, f"ALTER TABLE {quote(into)} ADD KEY {quote(index.name)} ({', '.join(index.parts)})", 1)
    except MySQLError as error:
        if error.code != ddl.DUPLICATE_INDEX:
            raise


def drop(connection: Connection, into: str, names: list[str]) -> None:
    """Drop those of these indexes that are there. Raises as `ddl.run`."""
    there = names_there(connection, into)
    left = [name for name in names if name in there]
    if left:
        ddl.run(connection, f"ALTER TABLE {quote(into)} " + ", ".join(f"DROP INDEX {quote(name)}" for name in left))
