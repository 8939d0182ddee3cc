"""A database that version 0.1.0 wrote: migrated in place, rolled back to a backup, and two versions side by side.

`data/version_0_1_0` was written by the code of that version on real servers, then dumped: two tables, `reviews` with a
pending index and `visits` by scan. Its last `sync --once` was killed before a link call, so links are owed; an item is
parked, a key waits for recheck, and a refused start stands where that version kept it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.conftest import MakeCopying
from tests.fixtures import tables as dynamodb_tables
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state import lease, meta
from twinrow.workers.held import held

DATA = Path(__file__).parent / "data" / "version_0_1_0"
FORMER_LEASE = (
    "UPDATE _twinrow_lease SET fence = 900, holder = 'former', connection_id = 0 WHERE table_name = 'reviews'",
    """INSERT INTO _twinrow_heartbeat (table_name, fence, deadline)
        VALUES ('reviews', 900, UTC_TIMESTAMP(6) + INTERVAL 8000000 MICROSECOND)
        ON DUPLICATE KEY UPDATE fence = VALUES(fence), deadline = VALUES(deadline)""",
)
"""How version 0.1.0 takes a lease, in one transaction, with the `sql_mode` that it sets."""
FORMER_SQL_MODE = "STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"


def from_wire(value: dict[str, Any]) -> dict[str, Any]:
    """A value as a botocore client takes it; the dump holds binary as base64 text."""
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(inner)}
    if kind == "M":
        return {"M": {name: from_wire(one) for name, one in inner.items()}}
    if kind == "L":
        return {"L": [from_wire(one) for one in inner]}
    return value


def restore(database: Database, client: Any) -> None:
    """The database as the dump has it, whatever is there now."""
    for (name,) in database.query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"):
        database.query(f"DROP TABLE `{name}`")
    text = (DATA / f"{database.flavour}.sql").read_text(encoding="utf-8")
    for table in ("reviews", "visits"):
        told = client.describe_table(TableName=table)["Table"]
        text = text.replace(f"@ID_OF_{table}@", told.get("TableId") or told["TableArn"])
    with database.connect() as connection, connection.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


@pytest.fixture
def former(fresh_dynamodb: DynamoDBLocal, database: Database, tmp_path: Path) -> Copying:
    """Both sides as version 0.1.0 has left them."""
    client = dynamodb_tables.client(fresh_dynamodb.endpoint_url)
    dynamodb_tables.create_table(client, "reviews", index=("migrated-index", "migrated:S", "ALL"))
    dynamodb_tables.create_table(client, "visits")
    for table, items in json.loads((DATA / f"{database.flavour}.items.json").read_text(encoding="utf-8")).items():
        put_all(client, table, [{name: from_wire(one) for name, one in item.items()} for item in items])
    restore(database, client)
    settings: dict[str, dict[str, Any]] = {
        "reviews": {"capture": "pending-index", "pending_index": PENDING_INDEX},
        "visits": {"capture": "scan", "link": False},
    }
    copying = Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, settings)
    copying.config_file()
    return copying


def row_ids(copying: Copying) -> dict[bytes, int]:
    return dict(copying.database.query("SELECT _twinrow_key, row_id FROM reviews"))


def version(copying: Copying) -> str:
    return str(copying.database.query("SELECT value FROM _twinrow_meta WHERE name = 'version'")[0][0])


def test_a_database_of_version_0_1_0_is_migrated_in_place(former: Copying) -> None:
    command = InProcess(former.folder)
    before = row_ids(former)
    waits = command.run("status")
    assert waits.code == 2
    assert "twinrow sync" in waits.err
    assert version(former) == "2", "a command that only looks has changed the state"

    former.once_well()
    assert version(former) == str(meta.VERSION)
    assert row_ids(former).items() >= before.items(), "a row has another id"
    assert former.database.query("SELECT COUNT(*) FROM _twinrow_checkpoint WHERE part = 'refused'") == [(0,)]
    assert command.run("dead-letters", "list").code == 3, "the parked item is forgotten"
    assert command.run("dead-letters", "retry").code == 0
    former.once_well()
    former.assert_equal("reviews", items=15)
    former.assert_equal("visits", items=5)
    assert command.run("verify").code == 0


def test_rolled_back_to_a_backup_of_before_the_upgrade_it_is_equal_again(former: Copying) -> None:
    command = InProcess(former.folder)
    former.once_well()
    put_all(former.client, "reviews", [marked(50), marked(1, text={"S": "since the upgrade"})])
    former.once_well()
    linked = {json.dumps(item): item.get("mysql_id") for item in former.items("reviews")}

    restore(former.database, former.client)
    assert version(former) == "2"
    former.once_well()
    command.run("dead-letters", "retry")
    repaired = command.run("repair", "--execute")
    assert repaired.code == 0, repaired.err
    former.once_well()
    former.assert_equal("reviews", items=16)
    for item in former.items("reviews"):
        before = linked.get(json.dumps(item))
        assert before is None or before == item["mysql_id"]


def take_as_version_0_1_0(database: Database) -> None:
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_mode = '{FORMER_SQL_MODE}'")
        connection.begin()
        for statement in FORMER_LEASE:
            cursor.execute(statement)
        connection.commit()


def test_a_0_1_0_that_stands_by_takes_no_table_of_a_migrated_state(former: Copying) -> None:
    """It looked at the state's version when it began to wait, and does not look again."""
    take_as_version_0_1_0(former.database)  # before the migration it may
    former.database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6)")
    former.once_well()
    fence = former.database.query("SELECT fence FROM _twinrow_lease WHERE table_name = 'reviews'")
    with pytest.raises(pymysql.err.Error, match=meta.KEEPS_OUT):
        take_as_version_0_1_0(former.database)
    assert former.database.query("SELECT fence FROM _twinrow_lease WHERE table_name = 'reviews'") == fence


@pytest.mark.either_server
def test_a_0_1_0_that_holds_a_table_goes_on_beside_the_migration(former: Copying) -> None:
    """What it writes then: rows, its heartbeat and its register, by the statements of that version."""
    take_as_version_0_1_0(former.database)
    session = former.copies(Stop())[1].connect()
    meta.install(session)
    session.close()
    query = former.database.query
    query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6) + INTERVAL 1 SECOND WHERE fence = 900")
    query("UPDATE _twinrow_table SET phase = 'LIVE', reason = '', backlog = 0 WHERE table_name = 'reviews'")
    query(
        "INSERT INTO _twinrow_recheck (table_name, key_hash, late, item_key, cause, due_at) "
        "SELECT table_name, key_hash, 0, item_key, 'repair', 0 FROM _twinrow_link "
        "ON DUPLICATE KEY UPDATE seq = seq + 1"
    )
    query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6)")
    former.once_well()
    InProcess(former.folder).run("dead-letters", "retry")
    former.once_well()
    former.assert_equal("reviews", items=15)


@pytest.mark.parametrize("version_since", [meta.VERSION + 1, meta.VERSION - 1], ids=("migrated", "restored"))
@pytest.mark.either_server
def test_no_lease_is_taken_under_a_state_of_another_version(make_copying: MakeCopying, version_since: int) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    copying.database.query("UPDATE _twinrow_meta SET value = %s", str(version_since))
    session = copying.copies(Stop())[1].connect()
    fence = copying.database.query("SELECT fence FROM _twinrow_lease")
    with pytest.raises(StartRefused if version_since > meta.VERSION else Transient):
        lease.acquire(session, copying.table, "somebody", 8.0)
    assert copying.database.query("SELECT fence FROM _twinrow_lease") == fence
    session.close()


@pytest.mark.either_server
def test_a_sync_that_stands_by_ends_when_a_newer_twinrow_has_migrated(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    (copy,), mysql = copying.copies(Stop())
    with held(copy, mysql), copying.running() as running:
        wait_until(lambda: any("stands by" in reason for _, reason in running.waits), 30, what="standing by")
        copying.database.query("UPDATE _twinrow_meta SET value = %s", str(meta.VERSION + 1))
        copying.database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6)")
        copying.database.query("UPDATE _twinrow_lease SET holder = ''")
        wait_until(lambda: running.ran is not None, 30, what="its end")
    assert running.ran is not None
    assert isinstance(running.ran.outcome.error, StartRefused)
    phase = copying.database.query("SELECT phase FROM _twinrow_table")
    assert phase == [("LIVE",)], "it has written over the newer state"


def test_the_items_of_the_dump_are_those_of_its_rows() -> None:
    """Both dumps tell of the same items, so that one test serves both servers."""
    reviews = [json.loads((DATA / f"{one}.items.json").read_text())["reviews"] for one in ("mysql", "mariadb")]
    keys = [{(item["username"]["S"], item["reviewed_at"]["S"]) for item in items} for items in reviews]
    assert keys[0] == keys[1]
    assert (review(0)["username"]["S"], review(0)["reviewed_at"]["S"]) in keys[0]
