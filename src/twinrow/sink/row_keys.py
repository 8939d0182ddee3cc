"""The two UNIQUE indexes on which "one item, one row" rests: on the fingerprint and on `row_id`.

An upsert finds the row of an item by the UNIQUE index on its fingerprint, and by nothing else. Without that index, or
with an index over more columns (as partitioning needs it), each update of an item inserts a second row.
"""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.errors import Broken, StartRefused
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.sink import inspect, statements
from twinrow.sink.inspect import KEY_COLUMN

ROW_ID = "row_id"
PRIMARY = "PRIMARY"


@dataclass(frozen=True, slots=True)
class Index:
    """An index as information_schema tells it: `columns` are whole columns, `parts` prefixes and expressions.

    `used` is false for an index that the server does not use: INVISIBLE in MySQL, IGNORED in MariaDB.
    """

    name: str
    unique: bool
    columns: tuple[str, ...]
    parts: bool
    used: bool

    def proves(self, column: str) -> bool:
        """Whether no two rows can have one value of `column`, and rows are found by it."""
        return self.unique and self.columns == (column,) and not self.parts and self.used


@dataclass(frozen=True, slots=True)
class Unproved:
    """Why an item could have two rows, and the statement that mends it."""

    what: str
    remedy: str
    commands: tuple[str, ...] = ()


def indexes(connection: Connection, table: str) -> list[Index]:
    """The indexes of a table; empty when there is none. Raises Transient while it is being changed."""
    used = "is_visible = 'YES'" if connection.flavour == "mysql" else "ignored = 'NO'"
    found = inspect.look(
        connection,
        f"SELECT index_name, non_unique, column_name, sub_part, {used} FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = %s ORDER BY index_name, seq_in_index",
        table,
    )
    names = dict.fromkeys(str(name) for name, *_ in found)
    made = []
    for index_name in names:
        rows = [row for row in found if str(row[0]) == index_name]
        parts = any(column is None or sub_part is not None for _, _, column, sub_part, _ in rows)
        columns = tuple(str(column) for _, _, column, sub_part, _ in rows if column is not None and sub_part is None)
        made.append(Index(index_name, not rows[0][1], columns, parts, bool(rows[0][4])))
    return made


def unproved(connection: Connection, table: str) -> Unproved | None:
    """The fault in the copy's UNIQUE indexes; None when both are as they have to be (or the table is gone)."""
    found = indexes(connection, table)
    lacking = [column for column in (KEY_COLUMN, ROW_ID) if not any(index.proves(column) for index in found)]
    if not found or not lacking:
        return None
    steps = [step for column in lacking for step in _steps(connection, found, column)]
    ending = " REMOVE PARTITIONING" if _is_partitioned(connection, table) else ""
    return Unproved(
        f"has no UNIQUE index over exactly {quote(lacking[0])}; each update of an item would insert a second row",
        f"ALTER TABLE {quote(table)} {', '.join(steps)}{ending}",
    )


def _steps(connection: Connection, found: list[Index], column: str) -> list[str]:
    """The steps of an ALTER after which an index proves `column` again."""
    hidden = next((index for index in found if index.unique and index.columns == (column,) and not index.parts), None)
    if hidden is not None:
        return [f"ALTER INDEX {quote(hidden.name)} {'VISIBLE' if connection.flavour == 'mysql' else 'NOT IGNORED'}"]
    name = statements.UNIQUE_INDEX if column == KEY_COLUMN else PRIMARY
    there = any(index.name == name for index in found)
    if name == PRIMARY:
        return [*(["DROP PRIMARY KEY"] if there else []), f"ADD PRIMARY KEY ({quote(column)})"]
    drop = [f"DROP INDEX {quote(name)}"] if there else []
    return [*drop, f"ADD UNIQUE KEY {quote(name)} ({quote(column)})"]


def _is_partitioned(connection: Connection, table: str) -> bool:
    return bool(
        connection.query(
            "SELECT 1 FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = %s "
            "AND partition_name IS NOT NULL LIMIT 1",
            (table,),
        )
    )


def others_unique(connection: Connection, table: str) -> list[str]:
    """UNIQUE indexes that are not ours: an upsert would hit them and overwrite another item's row.

    An index that holds the whole fingerprint or id beside other columns is hit only by the row of the same item.
    """
    return [
        index.name
        for index in indexes(connection, table)
        if index.unique and index.name != PRIMARY and not {KEY_COLUMN, ROW_ID} & set(index.columns)
    ]


def refuse_others_unique(connection: Connection, table: str) -> None:
    """Raise StartRefused when somebody put a UNIQUE index of their own on the copy."""
    names = others_unique(connection, table)
    if names:
        raise StartRefused(
            f"has the UNIQUE index {names[0]!r} not made by Twinrow; an upsert would overwrite another item's row",
            where=f"MySQL table {table}", remedy=f"ALTER TABLE `{table}` DROP INDEX `{names[0]}` or make it not unique",
        )  # fmt: skip


def _remedy(found: Unproved, table: str) -> str:
    return f"{found.remedy}; where that finds duplicates, first: twinrow repair {table} --execute"


def _commands(found: Unproved, table: str) -> tuple[str, ...]:
    return (*found.commands, f"twinrow repair {table} --execute")


def refuse_unproved(connection: Connection, into: str, table: str) -> None:
    """Raise StartRefused when an update of an item could insert a second row."""
    found = unproved(connection, into)
    if found is not None:
        raise StartRefused(
            found.what, where=f"MySQL table {into}", remedy=_remedy(found, table), commands=_commands(found, table)
        )


def stop_unproved(connection: Connection, into: str, table: str) -> None:
    """Raise Broken when an update of an item could insert a second row: for a table that is being copied."""
    found = unproved(connection, into)
    if found is not None:
        raise Broken(found.what, where=f"table {table}", remedy=_remedy(found, table), commands=_commands(found, table))


def second_row(connection: Connection, into: str, table: str) -> Broken:
    """The error for a statement that has made, or met, a second row of an item."""
    found = unproved(connection, into)
    if found is None:
        found = Unproved("has two rows of one item", f"twinrow verify {table}", (f"twinrow verify {table}",))
    return Broken(found.what, where=f"table {table}", remedy=_remedy(found, table), commands=_commands(found, table))
