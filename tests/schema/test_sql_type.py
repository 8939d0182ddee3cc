"""Types of overrides: what is taken, how it is printed, and what the author is told otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.fixtures.items import LAW
from tests.fixtures.schemas import override_types

from twinrow.schema.column_type import ColumnType, parse_type, record_bytes, render, row_bytes


@pytest.mark.parametrize(
    ("text", "expected", "mysql", "mariadb"),
    [
        ("bigint", ColumnType("BIGINT"), "BIGINT", "BIGINT"),
        ("  int   unsigned ", ColumnType("INT UNSIGNED"), "INT UNSIGNED", "INT UNSIGNED"),
        ("Integer", ColumnType("INT"), "INT", "INT"),
        ("decimal(12,2)", ColumnType("DECIMAL", 12, 2), "DECIMAL(12,2)", "DECIMAL(12,2)"),
        ("NUMERIC ( 12 , 2 )", ColumnType("DECIMAL", 12, 2), "DECIMAL(12,2)", "DECIMAL(12,2)"),
        ("DECIMAL(5)", ColumnType("DECIMAL", 5, 0), "DECIMAL(5,0)", "DECIMAL(5,0)"),
        ("DECIMAL", ColumnType("DECIMAL", 10, 0), "DECIMAL(10,0)", "DECIMAL(10,0)"),
        ("double precision", ColumnType("DOUBLE"), "DOUBLE", "DOUBLE"),
        ("bool", ColumnType("BOOLEAN"), "BOOLEAN", "BOOLEAN"),
        ("DATETIME", ColumnType("DATETIME", 0), "DATETIME", "DATETIME"),
        ("DATETIME(3)", ColumnType("DATETIME", 3), "DATETIME(3)", "DATETIME(3)"),
        ("VARBINARY(16)", ColumnType("VARBINARY", 16), "VARBINARY(16)", "VARBINARY(16)"),
        ("json", ColumnType("JSON"), "JSON", "JSON COLLATE utf8mb4_nopad_bin"),
        (
            "varchar(40)",
            ColumnType("VARCHAR", 40),
            "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        ),
    ],
)
def test_types_are_read_and_printed(text: str, expected: ColumnType, mysql: str, mariadb: str) -> None:
    assert parse_type(text) == expected
    assert render(expected, "mysql") == mysql
    assert render(expected, "mariadb") == mariadb


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        ("", None, "unknown type '';"),
        ("FLOAT8", None, r"unknown type 'FLOAT8'; allowed: TINYINT"),
        ("VARCHAR", None, r"write VARCHAR\(n\) with n from 1 to 10000 \(longer text: MEDIUMTEXT\)"),
        ("VARCHAR(0)", None, r"VARCHAR\(n\)"),
        ("VARCHAR(20000)", None, "MEDIUMTEXT"),
        ("VARCHAR(1,2)", None, r"VARCHAR\(n\)"),
        ("VARBINARY(99999)", None, "MEDIUMBLOB"),
        ("DECIMAL(66,2)", None, "1 to 65 digits"),
        ("DECIMAL(12,13)", None, "behind the point"),
        ("DECIMAL(40,31)", None, "behind the point"),
        ("DECIMAL(0)", None, "1 to 65"),
        ("BIGINT(20)", None, "takes no length"),
        ("DATETIME(7)", None, "from 0 to 6"),
        ("TIMESTAMP(3)", None, r"time zone and ends in 2038; take DATETIME\(6\)"),
        ("CHAR(3)", None, "loses trailing spaces; take VARCHAR"),
        ("BINARY(16)", None, "pads with zero bytes"),
        ("float", None, "6 digits"),
        ("BIGINT; DROP TABLE x", None, "unknown type"),
        ("DATETIME(3)", "epoch_us", "unknown `from` 'epoch_us'; allowed: epoch_s, epoch_ms, iso8601"),
        ("BIGINT", "epoch_s", "`from` is for DATE and DATETIME"),
    ],
)
def test_other_types_are_refused_with_a_reason(text: str, source: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_type(text, source)


@LAW
@given(override_types())
def test_what_is_printed_is_read_again(ct: ColumnType) -> None:
    printed = render(ct, "mysql").split(" CHARACTER SET ")[0]
    assert parse_type(printed, ct.source) == ct
    assert 1 <= row_bytes(ct) <= 256
    assert 1 <= record_bytes(ct) <= 65_535


def test_sizes() -> None:
    sizes = {
        text: row_bytes(parse_type(text))
        for text in ("BIGINT", "DECIMAL(38,0)", "DECIMAL(65,27)", "DATETIME(3)", "JSON")
    }
    assert sizes == {"BIGINT": 8, "DECIMAL(38,0)": 17, "DECIMAL(65,27)": 29, "DATETIME(3)": 7, "JSON": 41}
    assert row_bytes(parse_type("VARCHAR(63)")) == 253
    assert row_bytes(parse_type("VARCHAR(64)")) == 42
    assert record_bytes(parse_type("VARCHAR(2048)")) == 8194
