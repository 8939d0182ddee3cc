"""A batch's rows in a temporary table of the writing session: filled before the lease is locked, upserted at once.

LOAD DATA cannot update; INSERT … SELECT … ON DUPLICATE KEY UPDATE can, and neither builds a statement of literals here.
The table lives for one batch. DROP and CREATE of a temporary table would commit, so they stand before the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from twinrow.flavour import COLLATION, Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.schema.load_text import WritableRow
from twinrow.schema.naming import quote
from twinrow.schema.table import TableSchema
from twinrow.sink import bulk
from twinrow.sink.statements import column_definition

TABLE: Final = "_twinrow_stage"


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that stand in the temporary table of `session`, by fingerprint."""

    session: Connection
    keys: frozenset[bytes]


def fill(session: Connection, schema: TableSchema, rows: Sequence[WritableRow]) -> Staged | None:
    """Put rows with distinct fingerprints there, outside of a transaction; None where they must go another way.

    That is where the user may not make temporary tables, too, and where the server refuses for whatever reason: the way
    without a temporary table needs less, and tells whose fault it is.
    """
    if not bulk.can_load(session, len(rows)):
        return None
    try:
        session.execute(f"DROP TEMPORARY TABLE IF EXISTS {TABLE}")
        session.execute(_create(schema, session.flavour))
    except MySQLError:
        return None
    return Staged(session, frozenset(row.key for row in rows)) if _load(session, schema, rows) else None


def _load(session: Connection, schema: TableSchema, rows: Sequence[WritableRow]) -> bool:
    data = bulk.text_of(rows).encode()
    if len(data) > bulk.LOAD_BYTES_MAX:
        return False
    try:
        affected, warnings = session.load(bulk.load_sql(schema, TABLE), data)
    except MySQLError:
        return False
    return affected == len(rows) and not warnings


@lru_cache(maxsize=64)
def _create(schema: TableSchema, flavour: Flavour) -> str:
    """The table's own columns without its row id and times; no index but the fingerprint."""
    collation = COLLATION[flavour]
    lines = [
        "`_twinrow_key` BINARY(16) NOT NULL PRIMARY KEY",
        *(column_definition(column, flavour) for column in schema.columns),
        f"`_twinrow_extra` LONGTEXT CHARACTER SET utf8mb4 COLLATE {collation} NULL",
    ]
    return (
        f"CREATE TEMPORARY TABLE {TABLE} ({', '.join(lines)}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC "
        f"DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}"
    )


@lru_cache(maxsize=64)
def upsert(schema: TableSchema) -> str:
    """Write every staged row: a row already there takes the new values and lives again."""
    names = [*(quote(column.column) for column in schema.columns), "`_twinrow_extra`"]
    into = quote(schema.into)
    sets = ", ".join(f"{into}.{name} = s.{name}" for name in names)
    return (
        f"INSERT INTO {into} (`_twinrow_key`, {', '.join(names)}) "
        f"SELECT s.`_twinrow_key`, {', '.join(f's.{name}' for name in names)} FROM {TABLE} AS s "
        f"ON DUPLICATE KEY UPDATE {sets}, {into}.`_twinrow_deleted_at` = NULL"
    )


@lru_cache(maxsize=64)
def count_rows(schema: TableSchema) -> str:
    """How many rows the staged fingerprints have: a row each, while the UNIQUE index stands."""
    return (
        f"SELECT COUNT(*) FROM {TABLE} AS s STRAIGHT_JOIN {quote(schema.into)} AS t "
        "ON t.`_twinrow_key` = s.`_twinrow_key`"
    )


@lru_cache(maxsize=64)
def select_ids(schema: TableSchema) -> str:
    """(fingerprint, row_id, whether soft-deleted) of the rows that the staged fingerprints have."""
    return (
        f"SELECT t.`_twinrow_key`, t.`row_id`, t.`_twinrow_deleted_at` IS NOT NULL FROM {TABLE} AS s "
        f"STRAIGHT_JOIN {quote(schema.into)} AS t ON t.`_twinrow_key` = s.`_twinrow_key`"
    )
