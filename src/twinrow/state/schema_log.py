"""The schema's history: what changed, when and why."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.mysql import Connection


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One column added, widened or overridden; `before_type` is empty for an added one. `at` is an epoch second."""

    version: int
    attribute: str
    column_name: str
    column_type: str
    before_type: str
    why: str
    at: float


_COLUMNS = "version, attribute, column_name, column_type, before_type, why, at"


def note(tx: Connection, table: str, changes: list[SchemaChange]) -> None:
    """Append to the history."""
    for change in changes:
        tx.execute(
            f"INSERT INTO _twinrow_schema_log (table_name, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                table,
                change.version,
                change.attribute,
                change.column_name,
                change.column_type,
                change.before_type,
                change.why,
                change.at,
            ),
        )


def history(connection: Connection, table: str) -> list[SchemaChange]:
    """The whole history of a table, oldest first."""
    found = connection.query(f"SELECT {_COLUMNS} FROM _twinrow_schema_log WHERE table_name = %s ORDER BY id", (table,))
    return [SchemaChange(*row) for row in found]
