"""Each right that `grants` prints is needed by some command, which says so where it lacks; nobody else gets any."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import InProcess, config_of, pending_table
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import Database

from twinrow.app.setup.permissions import MYSQL_RIGHTS
from twinrow.local_servers.servers import DynamoDBLocal

ITEMS = 10
MANY = 100
FOR_SPEED = "CREATE TEMPORARY TABLES"
WORD = "word"
NEEDED_BY: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "CREATE": ({}, ("sync", "--once")),
    "SELECT": ({}, ("status",)),
    "INSERT": ({"username": {"S": "somebody new"}}, ("sync", "--once")),
    "UPDATE": ({"text": {"S": "changed"}}, ("sync", "--once")),
    "ALTER": ({"new": {"S": "a column"}}, ("sync", "--once")),
    "DELETE": ({"deleted": {"BOOL": True}}, ("sync", "--once")),
    "DROP": ({}, ("reset", "reviews", "--yes")),
}
"""What is written to an item beforehand, and the command that then needs the right; in an order in which each can."""


@pytest.fixture
def user(database: Database) -> Iterator[str]:
    name = f"least_{uuid.uuid4().hex[:8]}"
    database.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{WORD}'")
    yield name
    database.query(f"DROP USER '{name}'@'%'")


@pytest.fixture
def command(
    tmp_path: Path, database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, user: str
) -> InProcess:
    """The table `reviews` with a few marked items; the user has no right yet."""
    make_table("reviews", index=("migrated-index", "migrated:S", "ALL"))
    put_all(dynamodb_client, "reviews", [marked(number) for number in range(ITEMS)])
    made = InProcess(tmp_path)
    url = database.server.url(database.name, user, WORD)
    made.write_config(config_of(dynamodb.endpoint_url, url, pending_table("reviews")))
    return made


@pytest.mark.timeout(200)
def test_each_right_is_needed_by_the_work_and_missed_by_check(
    command: InProcess, database: Database, dynamodb_client: Any, user: str
) -> None:
    assert {*NEEDED_BY, FOR_SPEED} == set(MYSQL_RIGHTS)
    (printed,) = command.run("grants").out.splitlines()
    place = printed.removesuffix(f" TO '{user}'@'%';").partition(" ON ")[2]
    for right, (change, work) in NEEDED_BY.items():
        database.query(printed)
        database.query(f"REVOKE {right} ON {place} FROM '{user}'@'%'")
        if change:
            put_all(dynamodb_client, "reviews", [marked(1, **change)])
        missed = command.run("check")
        assert missed.code == 1
        assert f"lacks {right}" in missed.out, missed.out
        refused = command.run(*work)
        assert refused.code == 1, f"{right} is not needed by {work}: {refused.out}{refused.err}"
        assert "twinrow grants" in refused.err, refused.err
        database.query(printed)
        done = command.run(*work)
        assert done.code == 0, f"{right}: {done.err}"
    assert command.run("sync", "--once", "--adopt-links").code == 0
    assert command.run("verify").code == 0
    assert database.query("SELECT COUNT(*) FROM reviews") == [(ITEMS,)]


def test_many_changed_rows_are_staged_where_that_is_allowed(
    command: InProcess, database: Database, dynamodb_client: Any, user: str
) -> None:
    (printed,) = command.run("grants").out.splitlines()
    database.query(printed)
    for allowed in (True, False):
        put_all(dynamodb_client, "reviews", [marked(number, text={"S": f"{allowed}"}) for number in range(MANY)])
        assert command.run("sync", "--once").code == 0
        if not allowed:
            database.query(printed.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
            database.query(printed.replace(f", {FOR_SPEED}", ""))
            checked = command.run("check")
            assert f"lacks {FOR_SPEED}" in checked.out
            assert checked.code == 0, "a sync does without it"
        loaded = _loads(database)
        put_all(dynamodb_client, "reviews", [marked(number, text={"S": "changed"}) for number in range(MANY)])
        assert command.run("sync", "--once").code == 0
        assert (_loads(database) > loaded) is allowed
        assert command.run("verify").code == 0


def _loads(database: Database) -> int:
    return int(database.query("SHOW GLOBAL STATUS LIKE 'Com_load'")[0][1])


def test_no_other_database_is_granted(command: InProcess, database: Database, user: str) -> None:
    """`_` stands for any character where GRANT names a database."""
    neighbour = Database(database.server, database.name.replace("_", "X"))
    neighbour.create()
    try:
        (printed,) = command.run("grants").out.splitlines()
        database.query(printed)
        _as(user, database).close()
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            _as(user, neighbour)
    finally:
        neighbour.drop()


def test_a_reader_sees_the_copy_and_nothing_else(command: InProcess, database: Database, user: str) -> None:
    for statement in command.run("grants").out.splitlines():
        database.query(statement)
    assert command.run("sync", "--once").code == 0
    reader = f"reader_{uuid.uuid4().hex[:8]}"
    database.query(f"CREATE USER '{reader}'@'%' IDENTIFIED BY '{WORD}'")
    try:
        for statement in command.run("grants", "--reader", reader).out.splitlines():
            database.query(statement)
        with _as(reader, database) as session, session.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM reviews")
            assert cursor.fetchall() == ((ITEMS,),)
            for refused in (
                "SELECT * FROM _twinrow_table",
                "DELETE FROM reviews",
                "SELECT * FROM _twinrow_dead_letter",
            ):
                with pytest.raises(pymysql.err.OperationalError, match="denied"):
                    cursor.execute(refused)
    finally:
        database.query(f"DROP USER '{reader}'@'%'")


def _as(user: str, database: Database) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
    server = database.server
    return pymysql.connect(host=server.host, port=server.port, user=user, password=WORD, database=database.name)
