"""The SQL that rows are written with, built from the schema: quoted identifiers and parameters only (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from twinrow.change import SEALED_KEY
from twinrow.flavour import COLLATION, Flavour
from twinrow.schema.column_type import render
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import BLOB_BYTES_MAX, BYTES_A_CHARACTER, TEXT_BYTES_MAX
from twinrow.schema.table import Column, TableSchema

KEY_PREFIX_BYTES_MAX = 3072
"""InnoDB's longest index key with ROW_FORMAT=DYNAMIC (MySQL manual, InnoDB limits), on pages of 16 KB and more."""
KEY_PREFIX_BYTES_OF = {4_096: 768, 8_192: 1536}
"""On smaller pages."""
KEY_INDEX = "_twinrow_key_columns"
UNIQUE_INDEX = "_twinrow_key"


def create_table(schema: TableSchema, flavour: Flavour) -> str:
    """CREATE TABLE for the whole schema; the columns that are ours are INVISIBLE."""
    collation, own = COLLATION[flavour], own_definitions(flavour)
    numbered = " AUTO_INCREMENT" if schema.numbers_rows else ""
    lines = [f"`row_id` BIGINT UNSIGNED NOT NULL{numbered} PRIMARY KEY"]
    lines += [column_definition(column, flavour) for column in schema.columns]
    lines += [
        "`_twinrow_key` BINARY(16) NOT NULL DEFAULT '' INVISIBLE",
        own["_twinrow_extra"],
        (
            "`_twinrow_updated_at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
            "ON UPDATE CURRENT_TIMESTAMP(6) INVISIBLE"
        ),
        own["_twinrow_deleted_at"],
        f"UNIQUE KEY `{UNIQUE_INDEX}` (`_twinrow_key`)",
    ]
    body = ",\n  ".join(lines)
    return (
        f"CREATE TABLE {quote(schema.into)} (\n  {body}\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC "
        f"DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}"
    )


def own_definitions(flavour: Flavour) -> dict[str, str]:
    """Those of Twinrow's own columns that hold what is written into a row, as CREATE and ALTER want them."""
    return {
        "_twinrow_extra": (
            f"`_twinrow_extra` LONGTEXT CHARACTER SET utf8mb4 COLLATE {COLLATION[flavour]} NULL INVISIBLE"
        ),
        "_twinrow_deleted_at": "`_twinrow_deleted_at` DATETIME(6) NULL INVISIBLE",
    }


def column_definition(column: Column, flavour: Flavour) -> str:
    """One column as CREATE and ALTER want it; every attribute's column is nullable."""
    hidden = " INVISIBLE" if column.column == SEALED_KEY else ""  # no attribute's column has a reserved name
    return f"{quote(column.column)} {render(column.type, flavour)} NULL{hidden}"


def add_columns(schema: TableSchema, columns: list[Column], flavour: Flavour, *, instant: bool) -> str:
    """One ALTER for all new columns of a batch."""
    adds = ", ".join(f"ADD COLUMN {column_definition(column, flavour)}" for column in columns)
    return f"ALTER TABLE {quote(schema.into)} {adds}" + (", ALGORITHM=INSTANT" if instant else "")


def widen_columns(schema: TableSchema, columns: list[Column], flavour: Flavour) -> str:
    """One ALTER for all widened columns of a batch (a rebuild on both servers)."""
    changes = ", ".join(f"MODIFY COLUMN {column_definition(column, flavour)}" for column in columns)
    return f"ALTER TABLE {quote(schema.into)} {changes}"


def key_index(schema: TableSchema) -> str:
    """The analysts' index on the readable key columns, cut to what an index key may hold."""
    return index_on(schema, KEY_INDEX, [column for column in schema.columns if column.key])


def index_on(schema: TableSchema, index: str, columns: Sequence[Column]) -> str:
    """An ordinary index on columns, each cut to its share of what an index key may hold; "" where there can be none."""
    share = KEY_PREFIX_BYTES_OF.get(schema.page_bytes, KEY_PREFIX_BYTES_MAX) // max(1, len(columns))
    parts = []
    for column in columns:
        name, length = column.type.name, column.type.length
        if name == "JSON":
            return ""
        prefix = ""
        long = name in ("VARCHAR", "CHAR") and (length or 0) * BYTES_A_CHARACTER > share
        if long or name.endswith("TEXT"):
            prefix = f"({min(share, TEXT_BYTES_MAX.get(name, share)) // BYTES_A_CHARACTER})"
        elif name.endswith("BLOB") or (name in ("VARBINARY", "BINARY") and (length or 0) > share):
            prefix = f"({min(share, BLOB_BYTES_MAX.get(name, share))})"
        parts.append(quote(column.column) + prefix)
    return f"ALTER TABLE {quote(schema.into)} ADD KEY {quote(index)} ({', '.join(parts)})" if parts else ""


@lru_cache(maxsize=512)
def _insert_head(schema: TableSchema, with_row_id: bool) -> str:
    names = [quote(column.column) for column in schema.columns]
    first = ["`row_id`"] if with_row_id else []
    listed = ", ".join([*first, "`_twinrow_key`", *names, "`_twinrow_extra`"])
    return f"INSERT INTO {quote(schema.into)} ({listed}) VALUES "


def insert_head(schema: TableSchema, *, with_row_id: bool) -> str:
    """INSERT … VALUES, before the rows: [row_id,] fingerprint, columns in the schema's order, extra."""
    return _insert_head(schema, with_row_id)


@lru_cache(maxsize=512)
def upsert_tail(schema: TableSchema, flavour: Flavour) -> str:
    """The end of an INSERT, with which a row that exists takes the new values and lives again."""
    names = [*(quote(column.column) for column in schema.columns), "`_twinrow_extra`"]
    if flavour == "mysql":
        sets = ", ".join(f"{name} = `_twinrow_new`.{name}" for name in names)
        return f" AS `_twinrow_new` ON DUPLICATE KEY UPDATE {sets}, `_twinrow_deleted_at` = NULL"
    sets = ", ".join(f"{name} = VALUES({name})" for name in names)
    return f" ON DUPLICATE KEY UPDATE {sets}, `_twinrow_deleted_at` = NULL"


def count_rows(schema: TableSchema) -> str:
    """How many live rows there are."""
    return f"SELECT COUNT(*) FROM {quote(schema.into)} WHERE `_twinrow_deleted_at` IS NULL"


def count_kept(schema: TableSchema) -> str:
    """How many rows are kept though their items are deleted."""
    return f"SELECT COUNT(*) FROM {quote(schema.into)} WHERE `_twinrow_deleted_at` IS NOT NULL"


def sum_of(counts: Iterable[str]) -> str:
    """One SELECT for the sum of several counts."""
    selects = list(counts)
    return selects[0] if len(selects) == 1 else f"SELECT {' + '.join(f'({select})' for select in selects)}"


def select_ids(schema: TableSchema, count: int) -> str:
    """(fingerprint, row_id, whether soft-deleted) of `count` fingerprints."""
    marks = ", ".join(["%s"] * count)
    return (
        f"SELECT `_twinrow_key`, `row_id`, `_twinrow_deleted_at` IS NOT NULL FROM {quote(schema.into)} "
        f"WHERE `_twinrow_key` IN ({marks})"
    )


def count_of(schema: TableSchema, count: int) -> str:
    """How many rows `count` fingerprints have: a row each, while the UNIQUE index stands."""
    marks = ", ".join(["%s"] * count)
    return f"SELECT COUNT(*) FROM {quote(schema.into)} WHERE `_twinrow_key` IN ({marks})"


def delete_seconds(schema: TableSchema, count: int) -> str:
    """Delete the `count` rows with these ids, of one fingerprint."""
    marks = ", ".join(["%s"] * count)
    return f"DELETE FROM {quote(schema.into)} WHERE `_twinrow_key` = %s AND `row_id` IN ({marks})"


def update_head(schema: TableSchema) -> str:
    """UPDATE of one row, before its assignments: what an upsert does, where no UNIQUE index tells which row it is."""
    return f"UPDATE {quote(schema.into)} SET "


def row_columns(schema: TableSchema) -> list[str]:
    """The columns that an UPDATE assigns, quoted: in the schema's order, then extra."""
    return [*(quote(column.column) for column in schema.columns), "`_twinrow_extra`"]


def select_rows(schema: TableSchema, where: str) -> str:
    """row_id, fingerprint, deleted?, updated_at (epoch s), extra, then the columns in the schema's order."""
    names = "".join(f", {quote(column.column)}" for column in schema.columns)
    return (
        "SELECT `row_id`, `_twinrow_key`, `_twinrow_deleted_at` IS NOT NULL, UNIX_TIMESTAMP(`_twinrow_updated_at`), "
        f"`_twinrow_extra`{names} FROM {quote(schema.into)} WHERE {where}"
    )


def select_outer_ids(schema: TableSchema, each: int) -> str:
    """The ids of the `each` newest and the `each` oldest rows, the newest first; none where the table is empty."""
    ids = f"SELECT `row_id` FROM {quote(schema.into)} ORDER BY `row_id`"
    return f"({ids} DESC LIMIT {each}) UNION ({ids} LIMIT {each})"


def upsert_onto_itself(schema: TableSchema) -> str:
    """Write the row of one id onto itself, as rows are written: by INSERT … ON DUPLICATE KEY UPDATE."""
    into = quote(schema.into)
    names = ["`row_id`", "`_twinrow_key`", *(quote(column.column) for column in schema.columns), "`_twinrow_extra`"]
    return (
        f"INSERT INTO {into} ({', '.join(names)}) SELECT {', '.join(f's.{name}' for name in names)} FROM {into} AS s "
        f"WHERE s.`row_id` = %s ON DUPLICATE KEY UPDATE {into}.`_twinrow_extra` = s.`_twinrow_extra`"
    )


def delete_rows(schema: TableSchema, count: int, *, soft: bool) -> str:
    """Take the rows of `count` fingerprints away, or mark them deleted."""
    marks = ", ".join(["%s"] * count)
    if soft:
        return (
            f"UPDATE {quote(schema.into)} SET `_twinrow_deleted_at` = UTC_TIMESTAMP(6) "
            f"WHERE `_twinrow_deleted_at` IS NULL AND `_twinrow_key` IN ({marks})"
        )
    return f"DELETE FROM {quote(schema.into)} WHERE `_twinrow_key` IN ({marks})"
