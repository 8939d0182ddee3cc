"""`check` tells what a server refuses as what it is: only a right that is lacking is about rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FLAVOURS
from tests.fixtures.command_line import InProcess, config_of
from tests.fixtures.databases import Database, server_as

from twinrow.app.check import mysql as check_mysql
from twinrow.config import mysql_config
from twinrow.errors import Transient
from twinrow.flavour import Flavour
from twinrow.local_servers.servers import MySQLServer
from twinrow.mysql import MySQL
from twinrow.mysql_error import MySQLError

SCAN = '[[tables]]\nname = "reviews"\ncapture = "scan"\n'


def findings(folder: Path, database: Database) -> dict[str, Any]:
    """What `check --json` says of MySQL, by name."""
    command = InProcess(folder)
    command.write_config(config_of("http://127.0.0.1:1", database.url, SCAN))
    return {one["name"]: one for one in json.loads(command.run("check", "--json").out)["checks"] if not one["table"]}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_binlog_that_cannot_take_the_rows_is_no_matter_of_rights(tmp_path: Path, flavour: Flavour) -> None:
    options = ("--log-bin=binlog", "--server-id=1", "--binlog-format=STATEMENT")
    with MySQLServer.start(flavour, options=options) as server:
        database = Database(server, "analytics")
        database.create()
        found = findings(tmp_path, database)
        assert database.query("SHOW TABLES") == [], "the probe is left behind"
    assert "MySQL rights" not in found
    told = found["MySQL statements"]
    assert told["level"] == "error"
    assert "1665" in told["text"]
    assert told["text"].startswith("INSERT")
    assert "binlog_format = 'ROW'" in told["remedy"]
    assert "grants" not in told["remedy"]


def test_safe_updates_are_no_matter_of_rights(tmp_path: Path, database: Database) -> None:
    with server_as(database, ["SET GLOBAL sql_safe_updates = ON"]):
        assert findings(tmp_path, database)["MySQL rights"]["level"] == "ok"
    assert database.query("SHOW TABLES") == [], "the probe is left behind"


@pytest.mark.parametrize("code", [1044, 1142, 1143, 1227])
def test_only_these_errors_are_about_rights(database: Database, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    told = _with_errors(database, monkeypatch, {"ALTER TABLE": MySQLError(code, f"refused ({code})")})
    assert [(one.name, one.level) for one in told] == [("MySQL rights", "error")]
    assert "lacks ALTER" in told[0].text
    assert "twinrow grants" in told[0].remedy


@pytest.mark.parametrize(
    "error",
    [
        MySQLError(1175, "safe"),
        MySQLError(1419, "SUPER"),
        MySQLError(3161, "no InnoDB"),
        MySQLError(9999, "new"),
        Transient("x"),
    ],
)
def test_every_other_error_is_told_in_its_own_words(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    told = _with_errors(database, monkeypatch, {"CREATE TABLE": error, "UPDATE ": error})
    assert [(one.name, one.level) for one in told] == [("MySQL statements", "error")]
    assert told[0].text == f"CREATE, UPDATE: {error}"
    assert told[0].remedy
    assert "grants" not in told[0].remedy


def _with_errors(database: Database, monkeypatch: pytest.MonkeyPatch, errors: dict[str, Exception]) -> list[Any]:
    """What `check` makes of rights when statements that begin so fail so."""
    session = MySQL(mysql_config(database.url, "t", None)).connect()
    execute = session.execute

    def failing(sql: str, *arguments: Any) -> int:
        for beginning, error in errors.items():
            if sql.startswith(beginning):
                raise error
        return execute(sql, *arguments)

    monkeypatch.setattr(session, "execute", failing)
    try:
        return list(check_mysql._rights(session))
    finally:
        session.close()


def test_the_probe_has_a_primary_key(tmp_path: Path, database: Database) -> None:
    if database.flavour == "mariadb":
        pytest.skip("MariaDB 10.11 has no sql_require_primary_key")
    database.query("SET GLOBAL sql_require_primary_key = ON")
    try:
        assert findings(tmp_path, database)["MySQL rights"]["level"] == "ok"
    finally:
        database.query("SET GLOBAL sql_require_primary_key = OFF")
