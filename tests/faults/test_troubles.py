"""Servers that stop, refuse or are changed under the sync's feet: it waits or says so, and ends equal."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.conftest import ROOT_PASSWORD, MakeCopying, MakeTable, Tell
from tests.fixtures import tables
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import seeded
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, TcpProxy, chaos
from tests.fixtures.waiting import wait_until

from twinrow.config import mysql_config
from twinrow.errors import Broken
from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.mysql import MySQL
from twinrow.retry import back_off_s
from twinrow.sink import inspect, row_keys
from twinrow.workers import run

WAIT_S = 40.0
LOCK_WAITS = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
REQUESTS_BETWEEN_TROUBLES = (0, 0, 1, 3, 10, 30)
"""None: the next trouble meets it while it starts."""
TRX_CACHE_S = 0.15
"""The servers show the same copy of innodb_trx again when it was read less than 100 ms ago."""


def _linked(copying: Copying) -> bool:
    return all("mysql_id" in item and "migrated" not in item for item in copying.items())


def _write(copying: Copying, turn: int, count: int = 20) -> None:
    put_all(copying.client, copying.table, [marked(n, turn={"N": str(turn)}) for n in range(turn, turn + count)])


@contextmanager
def _writing(copying: Copying) -> Iterator[None]:
    """An application that goes on writing while the block runs."""
    stop = threading.Event()

    def work() -> None:
        turn = 0
        while not stop.wait(0.1):
            turn += 1
            _write(copying, turn % 60, 5)

    writer = threading.Thread(target=work, daemon=True)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


@contextmanager
def _on_own_server(
    server: MySQLServer, dynamodb: DynamoDBLocal, client: Any, make_table: MakeTable, folder: Path
) -> Iterator[Copying]:
    database = Database(server, "own")
    database.create()
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    options = {"capture": "pending-index", "pending_index": PENDING_INDEX}
    yield Copying(database, client, dynamodb.endpoint_url, folder, {table: options})


def test_mysql_killed_and_restarted_under_a_running_sync(
    fresh_mysql_server: MySQLServer,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
) -> None:
    with _on_own_server(fresh_mysql_server, dynamodb, dynamodb_client, make_table, tmp_path) as copying:
        _write(copying, 0, 60)
        with copying.running() as running:
            wait_until(lambda: _linked(copying), WAIT_S)
            with _writing(copying):
                fresh_mysql_server.kill()
                wait_until(lambda: any("MySQL" in reason for _, reason in running.waits), WAIT_S, what="word of it")
                fresh_mysql_server.resume()
            wait_until(lambda: _linked(copying), WAIT_S)
        copying.once_well()
        copying.assert_equal()


def test_dynamodb_killed_and_restarted_under_a_running_sync(
    database: Database, local_credentials: None, tmp_path: Path
) -> None:
    with DynamoDBLocal.start(folder=tmp_path / "dynamodb") as server:
        client = tables.client(server.endpoint_url)
        table = tables.create_table(client, index=("migrated-index", "migrated:S", "ALL"))
        options = {"capture": "pending-index", "pending_index": PENDING_INDEX}
        copying = Copying(database, client, server.endpoint_url, tmp_path, {table: options})
        _write(copying, 0, 60)
        with copying.running() as running:
            wait_until(lambda: _linked(copying), WAIT_S)
            _write(copying, 3)
            server.kill()
            wait_until(lambda: any("DynamoDB" in reason for _, reason in running.waits), WAIT_S, what="word of it")
            server.resume()
            wait_until(lambda: tables.is_active(client, table), WAIT_S)
            _write(copying, 7)
            wait_until(lambda: _linked(copying), WAIT_S)
        copying.once_well()
        copying.assert_equal()
        client.close()


def _trouble(proxy: TcpProxy, chance: random.Random) -> None:
    """One trouble of the network, over when it returns; bounded pauses only."""
    pause = threading.Event()
    which = chance.randrange(5)
    if which == 0:
        proxy.cut()
    elif which == 1:
        proxy.halve_next(chance.randint(1, 3))
        pause.wait(chance.uniform(0.05, 0.3))
        proxy.halve_next(0)
    elif which == 2:
        proxy.mode = "refuse"
        proxy.cut()
        pause.wait(chance.uniform(0.1, 0.5))
    elif which == 3:
        proxy.delay_s = 0.05
        pause.wait(0.5)
    else:
        proxy.mode = "black-hole"
        pause.wait(chance.uniform(0.1, 0.5))
        proxy.cut()
    proxy.mode, proxy.delay_s = "pass", 0.0


def _wait_for_requests(proxy: DynamoDBProxy, count: int) -> None:
    """Until the sync works again: it has sent so many requests more."""
    wanted = sum(proxy.requests.values()) + count
    wait_until(lambda: sum(proxy.requests.values()) >= wanted, WAIT_S, what="it works again")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("troubles", [8, pytest.param(150, marks=pytest.mark.faults)])
def test_a_bad_network_on_both_sides_loses_nothing(
    make_copying: MakeCopying, database: Database, dynamodb: DynamoDBLocal, troubles: int, tell: Tell
) -> None:
    chance = seeded("network")
    to_mysql = TcpProxy(database.server.host, database.server.port)
    with to_mysql, DynamoDBProxy(dynamodb.endpoint_url, chaos(chance.randrange(2**32))) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        port = f":{database.server.port}/"
        copying.mysql_url = database.url.replace(port, f":{to_mysql.port}/")
        put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(100)])
        pause = threading.Event()
        with copying.running() as running, _writing(copying):
            for _ in range(troubles):
                _trouble(to_mysql, chance)
                _wait_for_requests(proxy, chance.choice(REQUESTS_BETWEEN_TROUBLES))
                pause.wait(chance.uniform(0.0, 0.3))
        assert to_mysql.cuts > troubles / 4
        assert not any("stands by" in reason for _, reason in running.waits)
    copying.endpoint_url, copying.mysql_url = dynamodb.endpoint_url, ""
    copying.once_well()
    copying.assert_equal()
    tell(
        f"network, {database.flavour}, seed {chance.begun_with}: {troubles} troubles to MySQL ({to_mysql.cuts} "
        f"connections cut), {sum(proxy.requests.values()):,} requests to a DynamoDB that fails, differences = 0"
    )


def test_a_lost_connection_costs_neither_the_lease_nor_longer_and_longer_waits(
    make_copying: MakeCopying, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it could not give back is its own; and trouble after work is not the trouble before."""
    attempts: list[int] = []

    def noted(attempt: int) -> float:
        attempts.append(attempt)
        return back_off_s(attempt)

    monkeypatch.setattr(run, "back_off_s", noted)
    with TcpProxy(database.server.host, database.server.port) as to_mysql:
        copying = make_copying()
        copying.lease_s = 600.0
        copying.mysql_url = database.url.replace(f":{database.server.port}/", f":{to_mysql.port}/")
        with copying.running() as running:
            for turn in range(5):
                _write(copying, turn)
                wait_until(lambda: _linked(copying), WAIT_S, what="all is linked again")
                tries = len(attempts)
                to_mysql.mode = "refuse"
                to_mysql.cut()
                wait_until(partial(_longer, attempts, tries), WAIT_S, what="word of it")
                to_mysql.mode = "pass"
            _write(copying, 5)
            wait_until(lambda: _linked(copying), WAIT_S, what="all is linked again")
        assert attempts.count(1) == 5
        assert not any("stands by" in reason for _, reason in running.waits)
    copying.mysql_url = ""
    copying.once_well()
    copying.assert_equal(items=25)


def _longer(attempts: list[int], than: int) -> bool:
    return len(attempts) > than


def test_a_slow_beginning_does_not_cost_the_session(make_copying: MakeCopying, dynamodb: DynamoDBLocal) -> None:
    """The first pages of a large table take longer than the server keeps a session that says nothing."""
    pause = threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Scan":
            pause.wait(1.8)
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url, segments=4)
        copying.lease_s = 6.0
        put_all(copying.client, copying.table, [review(n) for n in range(20)])
        copying.once_well()
        assert proxy.requests["Scan"] == 4
        copying.assert_equal(items=20)


def test_a_server_made_read_only_is_waited_for(
    fresh_mysql_server: MySQLServer,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
) -> None:
    with _on_own_server(fresh_mysql_server, dynamodb, dynamodb_client, make_table, tmp_path) as copying:
        owner = copying.database
        owner.query("CREATE USER 'app'@'%' IDENTIFIED BY 'word'")
        owner.query("GRANT ALL ON own.* TO 'app'@'%'")
        copying.mysql_url = fresh_mysql_server.url("own", "app", "word")
        _write(copying, 0, 30)
        with copying.running() as running:
            wait_until(lambda: _linked(copying), WAIT_S)
            owner.query("SET GLOBAL read_only = 1")
            _write(copying, 5)
            wait_until(lambda: any("read-only" in reason for _, reason in running.waits), WAIT_S, what="word of it")
            owner.query("SET GLOBAL read_only = 0")
            wait_until(lambda: _linked(copying), WAIT_S)
        copying.once_well()
        copying.assert_equal()
        assert copying.state("_twinrow_dead_letter") == 0


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_connections_used_up_are_waited_for(
    flavour: Flavour, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> None:
    with (
        MySQLServer.start(flavour, password=ROOT_PASSWORD, options=["--max-connections=12"]) as server,
        _on_own_server(server, dynamodb, dynamodb_client, make_table, tmp_path) as copying,
    ):
        owner = copying.database
        owner.query("CREATE USER 'app'@'%' IDENTIFIED BY 'word'")
        owner.query("GRANT ALL ON own.* TO 'app'@'%'")
        copying.mysql_url = server.url("own", "app", "word")
        _write(copying, 0, 60)
        taken = [owner.connect() for _ in range(11)]
        with copying.running() as running:
            wait_until(lambda: any("no connection free" in reason for _, reason in running.waits), WAIT_S)
            for one in taken:
                one.close()
            wait_until(lambda: _linked(copying), WAIT_S)
        copying.once_well()
        copying.assert_equal(items=60)


def test_rows_locked_by_an_analyst_are_waited_for_and_deadlocks_are_run_again(make_copying: MakeCopying) -> None:
    copying = make_copying()
    _write(copying, 0, 40)
    copying.once_well()
    with copying.running():
        for turn in range(1, 4):
            with copying.database.connect() as analyst, analyst.cursor() as cursor:
                cursor.execute("START TRANSACTION")
                cursor.execute(f"SELECT row_id FROM `{copying.table}` ORDER BY row_id DESC LIMIT 10 FOR UPDATE")
                _write(copying, turn * 5, 20)
                wait_until(
                    lambda: copying.database.query(LOCK_WAITS)[0][0],
                    WAIT_S,
                    every_s=TRX_CACHE_S,
                    what="the sync waiting for the lock",
                )
                if turn == 2:
                    # The lease's row, too, which the sync holds: the server rolls back one of the two.
                    with contextlib.suppress(pymysql.err.OperationalError):
                        cursor.execute("SELECT * FROM _twinrow_lease FOR UPDATE")
                cursor.execute("ROLLBACK")
            wait_until(lambda: _linked(copying), WAIT_S)
    copying.once_well()
    copying.assert_equal()
    assert copying.state("_twinrow_dead_letter") == 0


def test_a_wait_for_a_lock_is_named_until_the_rows_are_there(make_copying: MakeCopying) -> None:
    copying = make_copying()
    _write(copying, 0, 5)
    copying.once_well()
    reason = "SELECT reason FROM _twinrow_table"
    with copying.running() as running:
        with copying.database.connect() as analyst, analyst.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute(f"SELECT row_id FROM `{copying.table}` FOR UPDATE")
            _write(copying, 1, 4)
            wait_until(lambda: "(1205)" in copying.database.query(reason)[0][0], WAIT_S, what="the wait's name")
            assert not any("(1205)" in text for _, text in running.waits), "told only once all tries were over"
            cursor.execute("ROLLBACK")
        wait_until(lambda: copying.database.query(reason) == [("",)], WAIT_S, what="the end of the wait")
        wait_until(lambda: _linked(copying), WAIT_S)


def test_an_index_deleted_under_a_sync_is_told_with_the_way_back(make_copying: MakeCopying) -> None:
    copying = make_copying()
    _write(copying, 0, 20)
    copying.once_well()
    with copying.running() as running:
        wait_until(lambda: copying.database.query("SELECT holder <> '' FROM _twinrow_lease") == [(1,)], WAIT_S)
        copying.client.update_table(
            TableName=copying.table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": PENDING_INDEX["index"]}}]
        )
        wait_until(lambda: running.ran is not None, WAIT_S, what="the table's end")
    assert running.ran is not None
    for error in (running.ran.outcome.error, copying.once().outcome.error):
        assert "has no index 'migrated-index'" in str(error) or "is being deleted" in str(error)
        assert "twinrow check --fix" in str(error)


Change = Callable[[Copying], None]


def _sql(text: str) -> Change:
    def change(copying: Copying) -> None:
        copying.database.query(text.replace("{t}", f"`{copying.table}`"))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_sql("ALTER TABLE {t} DROP COLUMN rating"), "rating"),
        (_sql("DROP TABLE {t}"), "is gone"),
        (_sql("ALTER TABLE {t} ADD COLUMN theirs INT NOT NULL"), "theirs"),
    ],
    ids=["column-dropped", "table-dropped", "column-without-default"],
)
def test_a_table_changed_by_hand_is_told_and_not_made_worse(
    make_copying: MakeCopying, change: Change, said: str
) -> None:
    copying = make_copying()
    _write(copying, 0, 20)
    copying.once_well()
    with copying.running() as running:
        wait_until(lambda: copying.database.query("SELECT holder <> '' FROM _twinrow_lease") == [(1,)], WAIT_S)
        change(copying)
        put_all(copying.client, copying.table, [marked(n, turn={"N": "1"}) for n in range(100, 110)])
        wait_until(lambda: running.ran is not None, WAIT_S, what="the table's end")
    assert running.ran is not None
    error = running.ran.outcome.error
    assert error is not None
    assert said in str(error)
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("BROKEN",)]
    assert copying.state("_twinrow_dead_letter") == 0
    marks = [item for item in copying.items() if "migrated" in item]
    assert len(marks) == 10, "what was not copied keeps its mark"
    again = copying.once().outcome.error
    assert again is not None
    assert again.exit_code in (1, 2)


def test_columns_and_indexes_that_others_add_stay_theirs(make_copying: MakeCopying) -> None:
    copying = make_copying()
    _write(copying, 0, 20)
    copying.once_well()
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN note VARCHAR(20), ADD KEY by_rating (rating)")
    copying.database.query(f"UPDATE `{copying.table}` SET note = 'mine'")
    _write(copying, 0, 30)
    copying.once_well()
    copying.assert_equal(items=30)
    assert copying.rows("COUNT(*)", "note = 'mine'") == [(20,)]
    # An attribute of the same name comes: it must not be written into somebody else's column.
    put_all(copying.client, copying.table, [marked(n, note={"N": "1.5"}) for n in range(40, 45)])
    ran = copying.once()
    if ran.outcome.error is None:
        copying.assert_equal(items=35)
    else:
        assert isinstance(ran.outcome.error, Broken)
    assert copying.rows("COUNT(*)", "note = 'mine'") == [(20,)]


def test_a_row_that_a_table_of_others_refers_to_is_kept_and_told(make_copying: MakeCopying) -> None:
    copying = make_copying(pending_index={"deleted": "deleted"})
    _write(copying, 0, 20)
    copying.once_well()
    held = [marked(n) for n in (3, 5)]
    ids = [copying.rows("row_id", f"reviewed_at = '{item['reviewed_at']['S']}'")[0][0] for item in held]
    copying.database.query(
        "CREATE TABLE notes (review_id BIGINT UNSIGNED NOT NULL, "
        f"FOREIGN KEY (review_id) REFERENCES `{copying.table}` (row_id))"
    )
    copying.database.query("INSERT INTO notes VALUES (%s), (%s)", *ids)
    deleted = {"deleted": {"BOOL": True}}
    put_all(copying.client, copying.table, [marked(n, **deleted) for n in range(2, 7)])
    put_all(copying.client, copying.table, [marked(9, rating={"N": "11"})])
    copying.once_well()
    assert copying.rows("COUNT(*)") == [(20 - 5 + len(held),)]
    assert copying.rows("rating", "rating = 11") == [(11,)], "the others go on"
    letters = copying.database.query("SELECT reason FROM _twinrow_dead_letter")
    assert len(letters) == len(held)
    assert all("cannot be deleted" in reason and "oreign key" in reason for (reason,) in letters)
    assert copying.verify().dead_letters == len(held)

    copying.database.query("DROP TABLE notes")
    put_all(copying.client, copying.table, [marked(n, **deleted) for n in (3, 5)])
    copying.once_well()
    assert copying.rows("COUNT(*)") == [(15,)]
    assert copying.state("_twinrow_dead_letter") == 0
    assert copying.verify().in_step


def test_a_row_of_no_item_that_others_refer_to_is_kept_and_told(make_copying: MakeCopying) -> None:
    copying = make_copying()
    _write(copying, 0, 20)
    copying.once_well()
    copying.database.query(
        f"INSERT INTO `{copying.table}` (username, reviewed_at, _twinrow_key) VALUES ('by', 'hand', 'sixteen bytes ok')"
    )
    copying.database.query(
        "CREATE TABLE notes (review_id BIGINT UNSIGNED NOT NULL, "
        f"FOREIGN KEY (review_id) REFERENCES `{copying.table}` (row_id))"
    )
    copying.database.query(f"INSERT INTO notes SELECT row_id FROM `{copying.table}` WHERE username = 'by'")
    for _ in range(2):
        left = copying.repair(execute=True).left
        assert left is not None
        assert (left.extra, left.dead_letters) == (1, 1)
    copying.once_well()
    copying.database.query("DROP TABLE notes")
    left = copying.repair(execute=True).left
    assert left is not None
    assert left.in_step
    copying.assert_equal(items=20)


def test_a_table_that_somebody_alters_is_not_taken_for_gone(database: Database) -> None:
    """A session that holds a lock of its own is not shown a table that is being altered (MariaDB)."""
    session = MySQL(mysql_config(database.url, "test", {})).connect()
    session.query("SELECT GET_LOCK('test', 0)")
    database.query("CREATE TABLE altered (row_id INT PRIMARY KEY, theirs INT, UNIQUE KEY theirs (theirs))")
    stop = threading.Event()

    def alter() -> None:
        with database.connect() as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("ALTER TABLE altered ADD COLUMN more INT")
                cursor.execute("ALTER TABLE altered DROP COLUMN more")

    thread = threading.Thread(target=alter, daemon=True)
    thread.start()
    try:
        for _ in range(100):
            assert {"row_id", "theirs"} <= inspect.columns(session, "altered").keys()
            assert row_keys.others_unique(session, "altered") == ["theirs"]
    finally:
        stop.set()
        thread.join()
    assert inspect.columns(session, "gone") == {}
    session.close()
