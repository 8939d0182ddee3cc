"""`_twinrow_made`: what Twinrow has turned on in DynamoDB, and the indexes and views that it has made in MySQL.

`twinrow uninstall` may turn off again what stands here, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from twinrow.mysql import Connection
from twinrow.state import meta

TABLE: Final = "_twinrow_made"
MadeKind = Literal["index", "stream", "pitr", "destination", "mysql-index", "mysql-view"]


@dataclass(frozen=True, slots=True)
class Made:
    """`what` under `name` (the index's name, the stream's ARN, "", the ARN of the Kinesis stream), turned on at `at`.

    `source_id` is the id of the DynamoDB table: another table under the same name has nothing of Twinrow's. It is empty
    for what is in MySQL.
    """

    what: MadeKind
    name: str
    source_id: str
    at: float


def note(connection: Connection, table: str, what: MadeKind, name: str, source_id: str) -> None:
    """Note it once it is done. Before the first sync there is no state: this table alone is made for it."""
    connection.execute(meta.create_statement(TABLE, connection.flavour))
    connection.execute(
        f"INSERT INTO {TABLE} (table_name, what, name, source_id, at) VALUES (%s, %s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE source_id = VALUES(source_id), at = VALUES(at)",
        (table, what, name, source_id, connection.now()),
    )


def of(connection: Connection, table: str) -> list[Made]:
    """The notes for a table, also where no sync has made the rest of the state yet."""
    if TABLE not in meta.tables_there(connection):
        return []
    found = connection.query(
        f"SELECT what, name, source_id, at FROM {TABLE} WHERE table_name = %s ORDER BY what, name", (table,)
    )
    return [Made(what, str(name), str(source_id), float(at)) for what, name, source_id, at in found]


def forget(connection: Connection, table: str, what: MadeKind | None = None) -> None:
    """Drop the notes of a table, all of them or those of a kind."""
    if TABLE in meta.tables_there(connection):
        only = " AND what = %s" if what is not None else ""
        connection.execute(
            f"DELETE FROM {TABLE} WHERE table_name = %s{only}", (table, what) if what is not None else (table,)
        )


def forget_thing(connection: Connection, table: str, what: MadeKind, name: str) -> None:
    """Drop a single note of a table."""
    connection.execute(f"DELETE FROM {TABLE} WHERE table_name = %s AND what = %s AND name = %s", (table, what, name))
