"""The whole way with least rights: a MySQL user with what `grants` prints, DynamoDB behind what `iam-policy` prints."""

from __future__ import annotations

import json
import re
import signal
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.command_line import CommandLine, InProcess, config_of, pending_table
from tests.fixtures.copying import put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.iam import ACCOUNT, Enforcer
from tests.fixtures.proxy import DynamoDBProxy
from tests.fixtures.waiting import is_paused, wait_until

from twinrow.config import mysql_config
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.mysql import MySQL
from twinrow.state import lease

MARKED, STREAMED, SCANNED = "marked", "streamed", "scanned"
LINKED = (MARKED, STREAMED)
ALL = (MARKED, STREAMED, SCANNED)
ITEMS = 30
USER, WORD = "least", "its pass%word"
PARTIQL = "dynamodb:PartiQLUpdate"


class Way:
    """Three tables, one for each capture, copied by somebody who may do just what is printed."""

    def __init__(self, folder: Path, database: Database, proxy: DynamoDBProxy, client: Any) -> None:
        self.database, self.proxy, self.client = database, proxy, client
        self.command = InProcess(folder)
        self.user = f"{USER}_{uuid.uuid4().hex[:8]}"
        self.iam = Enforcer({"Statement": []})
        parts = (
            pending_table(MARKED),
            f'[[tables]]\nname = "{STREAMED}"\ncapture = "stream"\nlink = true\n',
            # TTL deletes of their own kind: which attribute tells them is asked of DynamoDB.
            f'[[tables]]\nname = "{SCANNED}"\ncapture = "scan"\nttl_deletes = "soft"\n',
        )
        url = database.server.url(database.name, self.user, WORD)
        self.command.write_config(config_of(proxy.endpoint_url, url, *parts))

    def make_user(self) -> None:
        self.database.query(f"CREATE USER '{self.user}'@'%' IDENTIFIED BY '{WORD}'")
        for statement in self.printed():
            self.database.query(statement)

    def printed(self, *arguments: str) -> list[str]:
        """What `twinrow grants` prints."""
        return self.well("grants", *arguments).splitlines()

    def take_policy(self, *arguments: str, without: str = "") -> None:
        """From now on DynamoDB allows what `twinrow iam-policy` prints."""
        names = [f"--keys={table}=username,reviewed_at" for table in ALL]
        policy = json.loads(self.well("iam-policy", "--account", ACCOUNT, *names, *arguments))
        for one in policy["Statement"]:
            one["Action"] = [action for action in one["Action"] if action != without]
        self.iam.policy = policy
        self.proxy.rule = self.iam

    def run(self, code: int, *arguments: str) -> str:
        """Run a command that must end so; what it printed."""
        done = self.command.run(*arguments)
        assert done.code == code, f"{arguments} ended with {done.code}: {done.out}{done.err}"
        return done.out

    def well(self, *arguments: str) -> str:
        return self.run(0, *arguments)

    def put(self, table: str, *numbers: int, **more: Any) -> None:
        mark = {"migrated": {"S": "false"}} if table == MARKED else {}
        put_all(self.client, table, [review(number, **mark, **more) for number in numbers])

    def assert_in_step(self) -> None:
        """All items have their rows, and all ids are written."""
        self.well("verify")
        for table in LINKED:
            found = [item for item in self.client.scan(TableName=table)["Items"] if "deleted" not in item]
            assert found
            assert all("mysql_id" in item and "migrated" not in item for item in found)


@pytest.fixture
def way(tmp_path: Path, database: Database, fresh_dynamodb: DynamoDBLocal) -> Iterator[Way]:
    client = tables.client(fresh_dynamodb.endpoint_url)
    with DynamoDBProxy(fresh_dynamodb.endpoint_url) as proxy:
        for table in ALL:
            tables.create_table(client, table)
        made = Way(tmp_path, database, proxy, client)
        made.make_user()
        yield made
        database.query(f"DROP USER '{made.user}'@'%'")
    client.close()


def _prepare(way: Way) -> None:
    """`check --fix` needs one right more, which `iam-policy --fix` prints."""
    way.take_policy()
    assert "UpdateTable" in way.run(1, "check", "--fix", "--yes")
    assert {one.action for one in way.iam.denied} == {"dynamodb:UpdateTable"}
    way.iam.denied.clear()
    way.take_policy("--fix")
    way.well("check", "--fix", "--yes")
    tried = {pair for pair in way.iam.used if pair[0] == "dynamodb:UpdateTable"}
    assert tried == {pair for pair in way.iam.granted() if pair[0] == "dynamodb:UpdateTable"}
    way.take_policy()
    assert json.loads(way.well("check", "--json"))["ok"] is True
    # What `check` tries proves no need: from here on the work itself is looked at.
    way.iam.used.clear()


def _copy_and_follow(way: Way) -> None:
    for table in ALL:
        way.put(table, *range(ITEMS))
    way.well("sync", "--once")
    way.assert_in_step()
    for table in ALL:
        # A new column, a wider one, and a deleted item.
        way.put(table, 1, 2, 50, new={"S": "a new column"}, rating={"N": "1.5"})
        gone = {"username": {"S": "user3"}, "reviewed_at": {"S": "2024-01-01T00000003"}}
        if table != MARKED:
            way.client.delete_item(TableName=table, Key=gone)
    way.put(MARKED, 3, deleted={"BOOL": True})
    way.well("sync", "--once")
    way.assert_in_step()
    assert all(way.database.query(f"SELECT COUNT(*) FROM {table}") == [(ITEMS,)] for table in ALL)
    way.well("status", "--json")
    way.well("plan")
    assert len(way.well("item", MARKED, "--all").splitlines()) == ITEMS


def _mend(way: Way) -> None:
    for table in ALL:
        way.database.query(f"DELETE FROM {table} WHERE row_id = 1")
        way.database.query(f"UPDATE {table} SET price = 0 WHERE row_id = 5")
    way.run(3, "repair")
    way.well("repair", "--execute")
    for table in ALL:
        way.database.query(f"ALTER TABLE {table} DROP COLUMN text")
    way.run(1, "sync", "--once")
    way.well("schema", "--apply")
    way.well("sync", "--once")
    way.assert_in_step()
    assert way.database.query(f"SELECT COUNT(text) FROM {SCANNED}") == [(ITEMS,)]


def _park(way: Way) -> None:
    objects = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such number'"
    way.database.query(
        f"CREATE TRIGGER objects BEFORE INSERT ON {MARKED} FOR EACH ROW IF NEW.rating > 8 THEN {objects}; END IF"
    )
    way.put(MARKED, 60, 61, rating={"N": "9"})
    way.run(3, "sync", "--once")
    first, second = json.loads(way.run(3, "dead-letters", "list", "--json"))["dead_letters"]
    way.well("dead-letters", "drop", str(first["id"]))
    way.database.query("DROP TRIGGER objects")
    way.well("dead-letters", "retry", str(second["id"]))
    way.well("repair", MARKED, "--execute")
    way.assert_in_step()


def _take_over(way: Way) -> None:
    """A process paused in its transaction holds the lease's row: its session is ended, which needs no right."""
    way.put(MARKED, 70)
    process = CommandLine(way.command.folder).start("sync", MARKED, env={"TWINROW_FAIL_POINT": "after-rows:1:stop"})
    try:
        wait_until(lambda: is_paused(process.pid), 30, what="the process paused with a lock in hand")
        with closing(MySQL(mysql_config(way.database.url, "test", {})).connect()) as looking:
            session = lease.writing_session(looking, "marked")
        assert session is not None
        way.database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6)")
        way.well("sync", MARKED, "--once")
        assert way.database.query("SELECT 1 FROM information_schema.processlist WHERE id = %s", session) == []
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    way.assert_in_step()


def _begin_anew(way: Way) -> None:
    for table in (MARKED, SCANNED):
        way.well("reset", table, "--yes")
    way.well("sync", "--once", "--adopt-links")
    way.assert_in_step()


def _link_without_partiql(way: Way) -> None:
    used = set(way.iam.used)
    way.take_policy(without=PARTIQL)
    assert "UpdateItem only" in way.well("check")
    assert {one.action for one in way.iam.denied} == {PARTIQL}
    way.iam.used = used
    for table in LINKED:
        way.put(table, 80)
    way.well("sync", "--once")
    way.assert_in_step()
    assert {one.action for one in way.iam.denied} == {PARTIQL}
    way.iam.denied.clear()
    way.take_policy()


@pytest.mark.timeout(200)
def test_the_whole_way_needs_what_is_printed_and_all_of_it_but_no_more(way: Way) -> None:
    _prepare(way)
    _copy_and_follow(way)
    _mend(way)
    _park(way)
    _take_over(way)
    _begin_anew(way)
    assert way.iam.denied == []
    _link_without_partiql(way)
    assert way.iam.granted() - way.iam.used == set()
    for table in LINKED:
        (writes,) = [one for one in way.iam.policy["Statement"] if PARTIQL in one["Action"] and _is_of(one, table)]
        limited = writes["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
        for resource in writes["Resource"]:
            assert set(limited) == way.iam.written[resource]


def _is_of(statement: dict[str, Any], table: str) -> bool:
    return any(re.search(f":table/{table}$", resource) for resource in statement["Resource"])
