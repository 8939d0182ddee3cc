"""`_twinrow_entity`: the MySQL tables of a split, each with its schema and the counts of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twinrow.mysql import Connection
from twinrow.state.tables import Registered


@dataclass(frozen=True, slots=True)
class RegisteredEntity:
    """An entity of a copy. `into` and `table_schema` are None where its items are ignored.

    `rows`: its live rows; `moved`: rows that came to it from another table.
    """

    number: int
    name: str
    into: str | None
    table_schema: str | None
    rows: int
    moved: int


_COLUMNS = "number, name, into_table, table_schema, row_count, moved"


def load(connection: Connection, table: str) -> list[RegisteredEntity]:
    """The entities of a table, the rest first."""
    found = connection.query(f"SELECT {_COLUMNS} FROM _twinrow_entity WHERE table_name = %s ORDER BY number", (table,))
    return [_registered(row) for row in found]


def load_all(connection: Connection) -> dict[str, list[RegisteredEntity]]:
    """The entities of all tables that are split, by table."""
    found: dict[str, list[RegisteredEntity]] = {}
    for table, *row in connection.query(f"SELECT table_name, {_COLUMNS} FROM _twinrow_entity ORDER BY number"):
        found.setdefault(str(table), []).append(_registered(row))
    return found


def _registered(row: Sequence[Any]) -> RegisteredEntity:
    number, name, into, schema, rows, moved = row
    return RegisteredEntity(int(number), str(name), into, schema, int(rows), int(moved))


def tables_of(connection: Connection, copy: Registered) -> tuple[str, ...]:
    """The MySQL tables of a copy, the rest of a split first. A copy without a split costs no query."""
    if not copy.is_split:
        return (copy.into_table,)
    others = [known.into for known in load(connection, copy.table_name) if known.into is not None]
    return tuple(dict.fromkeys((copy.into_table, *others)))


def save(tx: Connection, table: str, number: int, name: str, into: str | None, table_schema: str | None) -> None:
    """Enter an entity, or its new schema. Its counts stay."""
    tx.execute(
        "INSERT INTO _twinrow_entity (table_name, number, name, into_table, table_schema) VALUES (%s, %s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE name = VALUES(name), into_table = VALUES(into_table), "
        "table_schema = VALUES(table_schema)",
        (table, number, name, into, table_schema),
    )


def forget(tx: Connection, table: str) -> None:
    """Drop what is known of a table's entities."""
    tx.execute("DELETE FROM _twinrow_entity WHERE table_name = %s", (table,))


def forget_ignored(tx: Connection, table: str) -> None:
    """Drop the entities without a table."""
    tx.execute("DELETE FROM _twinrow_entity WHERE table_name = %s AND into_table IS NULL", (table,))


def next_number(connection: Connection, table: str) -> int:
    """The number of the next table."""
    found = connection.query("SELECT COALESCE(MAX(number), 0) + 1 FROM _twinrow_entity WHERE table_name = %s", (table,))
    return int(found[0][0])


def count(tx: Connection, table: str, rows: Mapping[int, int], moved: Mapping[int, int]) -> None:
    """Add to the counts of rows and of moved rows, by number."""
    for number in sorted(rows.keys() | moved.keys()):
        if rows.get(number, 0) or moved.get(number, 0):
            tx.execute(
                "UPDATE _twinrow_entity SET row_count = row_count + %s, moved = moved + %s "
                "WHERE table_name = %s AND number = %s",
                (rows.get(number, 0), moved.get(number, 0), table, number),
            )


def recount(connection: Connection, table: str, number: int, count_rows: str) -> None:
    """Set an entity's number of rows right: number and rows are read at the same moment."""
    with connection.snapshot() as moment:
        counted = int(moment.query(count_rows)[0][0])
        known = moment.query(
            "SELECT row_count FROM _twinrow_entity WHERE table_name = %s AND number = %s", (table, number)
        )
    if known and counted != int(known[0][0]):
        connection.execute(
            "UPDATE _twinrow_entity SET row_count = row_count + %s WHERE table_name = %s AND number = %s",
            (counted - int(known[0][0]), table, number),
        )
