"""MySQL's words are told without the values of rows that they quote."""

from __future__ import annotations

import pymysql
import pytest
from tests.fixtures.databases import Database

from twinrow.mysql import translate
from twinrow.mysql_text import without_values

SECRET = "ann's secret"
MAKING = (
    "CREATE TABLE t (n INT, d DATE, w VARCHAR(99), u VARCHAR(99) UNIQUE, s VARCHAR(9), k BIGINT UNSIGNED)",
    "INSERT INTO t (u, k) VALUES ('ann''s secret', 1)",
)
FAILING = (
    "INSERT INTO t (u) VALUES ('ann''s secret')",
    "INSERT INTO t (n) VALUES ('ann''s secret')",
    "INSERT INTO t (d) VALUES ('ann''s secret')",
    "INSERT INTO t (s) VALUES ('ann''s secret')",
    "UPDATE t SET n = 1 WHERE CAST(w AS SIGNED) = 0 AND n = 'ann''s secret'",
    "INSERT INTO t (w) VALUES (CONVERT(X'616E6E277320736563726574FF' USING utf8mb4))",
    "SELECT 1 FROM t WHERE 'ann''s secret' 'x' nonsense 'ann''s secret'",
    "UPDATE t SET k = k - 2",
    "INSERT INTO t (d) VALUES (CAST('ann''s secret' AS DATE))",
)


def test_no_message_of_a_server_shows_a_value(database: Database) -> None:
    for statement in MAKING:
        database.query(statement)
    told = []
    for statement in FAILING:
        try:
            database.query(statement)
        except pymysql.err.Error as error:
            told.append(str(translate(error, "here", database.flavour)))
    assert len(told) >= 5, told
    assert not [one for one in told if SECRET in one or "secret" in one]
    assert any("for key" in one for one in told)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Duplicate entry 'a' for key 'b' x' for key 't.u'", "Duplicate entry '…' for key 't.u'"),
        (
            "Incorrect integer value: 'it's' for column 'n' at row 1",
            "Incorrect integer value: '…' for column 'n' at row 1",
        ),
        ("Truncated incorrect DOUBLE value: 'x\ny'", "Truncated incorrect DOUBLE value: '…'"),
        ("Table has no partition for value 42", "Table has no partition for value …"),
        ("Data too long for column 'text' at row 1", "Data too long for column 'text' at row 1"),
        ("Unknown column 'a' in 'field list'", "Unknown column 'a' in 'field list'"),
        ("CONSTRAINT `c` failed for `d`.`t`", "CONSTRAINT `c` failed for `d`.`t`"),
    ],
)
def test_only_values_are_left_out(text: str, shown: str) -> None:
    assert without_values(text) == shown
