"""What information_schema tells of a column, against the type that it was made of."""

from __future__ import annotations

from contextlib import closing

from tests.fixtures.databases import Database

from twinrow.config import mysql_config
from twinrow.mysql import MySQL
from twinrow.schema.sql_type import BLOB_BYTES_MAX, INTEGER_RANGES, TEXT_BYTES_MAX, ColumnType, parse_type, render
from twinrow.sink import inspect

TYPES = [parse_type(text) for text in (
    *INTEGER_RANGES, *TEXT_BYTES_MAX, *BLOB_BYTES_MAX, "BOOLEAN", "DOUBLE", "JSON", "DATE", "DATETIME", "DATETIME(3)",
    "DATETIME(6)", "DECIMAL(10,2)", "DECIMAL(38,0)", "DECIMAL(38,9)", "DECIMAL(65,27)", "VARCHAR(10)", "VARCHAR(2048)",
    "VARBINARY(10)", "VARBINARY(2048)",
)]  # fmt: skip
WIDER = [
    ("BIGINT", "DECIMAL(38,9)"), ("INT", "BIGINT"), ("BOOLEAN", "INT"), ("DECIMAL(38,0)", "DECIMAL(65,27)"),
    ("VARCHAR(10)", "VARCHAR(2048)"), ("VARCHAR(10)", "TEXT"), ("MEDIUMTEXT", "LONGTEXT"), ("VARBINARY(10)", "BLOB"),
    ("DATETIME", "DATETIME(6)"), ("INT UNSIGNED", "BIGINT"),
]  # fmt: skip


def test_a_column_holds_its_own_type_and_less_and_not_more(database: Database) -> None:
    with closing(MySQL(mysql_config(database.url, "t", None)).connect()) as session:
        body = ", ".join(f"c{n} {render(ct, session.flavour)} NULL" for n, ct in enumerate(TYPES))
        session.execute(f"CREATE TABLE t ({body})")
        columns = inspect.columns(session, "t")
        flavour = session.flavour

    def holds(of: ColumnType, wanted: ColumnType) -> bool:
        return columns[f"c{TYPES.index(of)}"].holds(wanted, flavour)

    assert all(holds(ct, ct) for ct in TYPES)
    for narrow, wide in WIDER:
        less, more = parse_type(narrow), parse_type(wide)
        assert holds(more, less), (narrow, wide)
        assert not holds(less, more), (narrow, wide)
