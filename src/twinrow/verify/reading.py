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
from twinrow.state.tables import Registered
from twinrow.table.catalogue import Catalogue, of_one_table
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
    """The schema of a table that has been copied, of its rest in a split. Raises TwinrowError when it never was."""
    return from_json(_registered(connection, table).table_schema)


def schemas_of(connection: Connection, table: str) -> tuple[TableSchema, ...]:
    """The schemas of all MySQL tables of a copy, the rest of a split first, whatever the configuration says today."""
    registered = _registered(connection, table)
    if not registered.is_split:
        return (from_json(registered.table_schema),)
    from twinrow.table import spread

    return tuple(spread.load(connection, table))


def catalogue_of(connection: Connection, settings: Settings) -> Catalogue:
    """The tables of a copy. Raises TwinrowError when there is none, or when other rules than today's have split it."""
    registered = _registered(connection, settings.table)
    split = settings.split
    if (split.kept if split is not None else None) != registered.settings.get("split"):
        raise TwinrowError(
            "was split by other rules than those of the configuration", where=f"table {settings.table}",
            remedy=f"twinrow sync --once {settings.table}",
        )  # fmt: skip
    if split is None:
        return of_one_table(from_json(registered.table_schema))
    from twinrow.table import spread

    return spread.catalogue_of(split, spread.load(connection, settings.table))


def _registered(connection: Connection, table: str) -> Registered:
    registered = tables.load(connection, table) if meta.check_version(connection) else None
    if registered is None or registered.phase == "NEW":
        raise TwinrowError("was never copied", where=f"table {table}", remedy=f"twinrow sync --once {table}")
    return registered


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
