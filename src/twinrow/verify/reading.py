"""The readers of verify and repair, and reading that waits until a trouble passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from twinrow.budget import Budget
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.mysql import Connection, MySQL, MySQLError
from twinrow.mysql_error import BY_HAND_CODES
from twinrow.retry import back_off_s
from twinrow.schema.table import TableSchema, from_json
from twinrow.state import meta, tables
from twinrow.table.settings import Settings

READ_TRIES_MAX = 10

Result = TypeVar("Result")


@dataclass(frozen=True)
class Reader:
    """The means of a verify: a table's settings, both servers, the read budget.

    `mysql` opens the session that keeps writers away for a moment (see `suspects`); all else goes by `connection`.
    """

    settings: Settings
    dynamodb: DynamoDB
    connection: Connection
    budget: Budget
    stop: Stop
    mysql: MySQL


def schema_of(connection: Connection, table: str) -> TableSchema:
    """The schema of a table that has been copied. Raises TwinrowError when it never was."""
    registered = tables.load(connection, table) if meta.check_version(connection) else None
    if registered is None or registered.phase == "NEW":
        raise TwinrowError("was never copied", where=f"table {table}", remedy=f"twinrow sync --once {table}")
    return from_json(registered.table_schema)


@contextmanager
def columns_stay(reader: Reader) -> Iterator[None]:
    """Raise Transient where a column, or the table's name, has gone because a changed setting was applied meanwhile."""
    table = reader.settings.table
    version = schema_of(reader.connection, table).version
    try:
        yield
    except MySQLError as error:
        if error.code not in BY_HAND_CODES or schema_of(reader.connection, table).version == version:
            raise
        raise Transient(
            "a changed setting was applied to its columns while its rows were read", where=f"table {table}",
            remedy="run the command again",
        ) from error  # fmt: skip


def patiently(reader: Reader, work: Callable[[], Result]) -> Result:
    """Read from DynamoDB; what passes is tried again, at most READ_TRIES_MAX times."""
    for tried in range(1, READ_TRIES_MAX):
        try:
            return work()
        except Transient:
            if reader.stop.wait(back_off_s(tried)):
                raise
    return work()
