"""States of MySQL that its operator changes again: a running sync waits with the server's words, others give up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all
from tests.fixtures.databases import Database, connect
from tests.fixtures.waiting import wait_until

from twinrow.app import wiring
from twinrow.config import mysql_config
from twinrow.errors import ServerState, TransactionRetry
from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.mysql import Connection, MySQL, MySQLError
from twinrow.mysql_error import meaning
from twinrow.workers import run

WAIT_S = 90.0
STATES: dict[Flavour, tuple[tuple[str, str, str], ...]] = {
    "mysql": (
        ("ALTER SCHEMA own READ ONLY = 1", "3989", "ALTER SCHEMA own READ ONLY = 0"),
        ("SET GLOBAL offline_mode = 1", "3032", "SET GLOBAL offline_mode = 0"),
        ("ALTER USER 'app'@'%' ACCOUNT LOCK", "3118", "ALTER USER 'app'@'%' ACCOUNT UNLOCK"),
        ("ALTER USER 'app'@'%' PASSWORD EXPIRE", "password", "ALTER USER 'app'@'%' IDENTIFIED BY 'word'"),
    ),
    "mariadb": (
        ("SET GLOBAL read_only = 1", "read-only", "SET GLOBAL read_only = 0"),
        ("ALTER USER 'app'@'%' ACCOUNT LOCK", "4151", "ALTER USER 'app'@'%' ACCOUNT UNLOCK"),
        ("ALTER USER 'app'@'%' PASSWORD EXPIRE", "password", "ALTER USER 'app'@'%' IDENTIFIED BY 'word'"),
    ),
}
"""What the operator says, what is told then, and what ends it."""
ODD = "(SELECT 1 UNION SELECT 2)"
"""Error 1242 in a trigger: one that nobody thought of."""


def _end_sessions(server: MySQLServer) -> None:
    """A locked account keeps the sessions that it has."""
    with connect(server) as root, root.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'app'")
        for (number,) in cursor.fetchall():
            try:
                cursor.execute(f"KILL {number}")
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1094:  # it has just ended by itself
                    raise


@pytest.fixture
def own(
    fresh_mysql_server: MySQLServer,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
) -> Copying:
    """A copy by a plain user, on a server of its own."""
    database = Database(fresh_mysql_server, "own")
    database.create()
    database.query("CREATE USER 'app'@'%' IDENTIFIED BY 'word'")
    database.query("GRANT ALL ON own.* TO 'app'@'%'")
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    options = {"capture": "pending-index", "pending_index": PENDING_INDEX}
    copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: options})
    copying.mysql_url = fresh_mysql_server.url("own", "app", "word")
    return copying


def _settled(copying: Copying) -> bool:
    return not any("migrated" in item for item in copying.items())


@pytest.mark.timeout(400)
def test_a_running_sync_waits_in_each_state_with_the_servers_words(own: Copying) -> None:
    put_all(own.client, own.table, [marked(n) for n in range(10)])
    process = own.process(once=False)
    try:
        wait_until(lambda: _settled(own), WAIT_S, what="the first copy")
        for number, (enter, told, leave) in enumerate(STATES[own.database.flavour]):
            before = len(process.said())
            own.database.query(enter)
            _end_sessions(own.database.server)
            put_all(own.client, own.table, [marked(number, turn={"N": str(number)})])
            _wait_for_words(process, before, told)
            assert process.popen.poll() is None, f"{enter}: {process.said()}"
            own.database.query(leave)
            wait_until(lambda: _settled(own), WAIT_S, what=f"it goes on after: {leave}")
        assert own.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)]
        assert own.state("_twinrow_dead_letter") == 0
    finally:
        process.kill()
    own.once_well()
    own.assert_equal(items=10)


def _wait_for_words(process: Any, before: int, words: str) -> None:
    wait_until(lambda: words in process.said()[before:], WAIT_S, what=f"the server's words ({words})")


@contextmanager
def _odd_trigger(database: Database, when: str, table: str) -> Iterator[None]:
    database.query(f"CREATE TRIGGER odd {when} ON {table} FOR EACH ROW SET @x = {ODD}")
    try:
        yield
    finally:
        database.query("DROP TRIGGER IF EXISTS odd")


def test_an_error_that_nobody_knows_at_a_state_statement_is_waited_for(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    with copying.running() as running, _odd_trigger(copying.database, "BEFORE UPDATE", "_twinrow_table"):
        wait_until(lambda: any("1242" in reason for _, reason in running.waits), WAIT_S, what="word of it")
        assert running.ran is None
        copying.database.query("DROP TRIGGER odd")
        put_all(copying.client, copying.table, [marked(n, turn={"N": "1"}) for n in range(5)])
        wait_until(lambda: _settled(copying), WAIT_S, what="it goes on")
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)]
    copying.once_well()
    copying.assert_equal(items=5)


def test_once_gives_up_after_its_bound_and_breaks_nothing(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    monkeypatch.setattr(run, "GIVE_UP_S_MAX", 0.3)
    with _odd_trigger(copying.database, "BEFORE UPDATE", "_twinrow_table"):
        error = copying.once().outcome.error
    assert error is not None
    assert error.exit_code == 1
    assert "1242" in str(error)
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)]


def test_a_start_with_a_wrong_login_or_database_is_refused(own: Copying) -> None:
    own.database.query("CREATE USER 'nobody'@'%' IDENTIFIED BY 'word'")
    server = own.database.server
    for url, words in (
        (server.url("own", "app", "wrong"), "check user and password"),
        (server.url("gone", "root"), "create the database"),
        (server.url("gone", "nobody", "word"), "create the database"),
    ):
        own.mysql_url = url
        for once in (True, False):
            code, said = own.process(once=once).ended()
            assert code == 2, said
            assert words in said


def test_other_commands_wait_for_a_state_for_so_long_and_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "GIVE_UP_S_MAX", 0.3)
    mysql = MySQL(mysql_config(database.url, "test", {}))
    tries: list[int] = []

    def refuse(code: int) -> Connection:
        tries.append(code)
        raise meaning(code, "the server's words", "mysql", "MySQL here")

    for code in (3032, 1862, 9999):
        tries.clear()
        monkeypatch.setattr(mysql, "connect", lambda code=code: refuse(code))
        with pytest.raises(ServerState, match="the server's words") as told:
            wiring.connect(mysql)
        assert told.value.exit_code == 1
        assert len(tries) > wiring.ONE_SHOT_TRIES_MAX
    tries.clear()
    monkeypatch.setattr(mysql, "connect", lambda: refuse(1045))
    with pytest.raises(MySQLError):
        wiring.connect(mysql)
    assert tries == [1045], "a wrong password is not tried again"


@pytest.mark.parametrize("code", [1180, 1205, 1213, 3100, 3101])
def test_what_rolls_a_transaction_back_runs_it_again(code: int) -> None:
    assert isinstance(meaning(code, "", "mysql", ""), TransactionRetry)
