"""The commands as their user meets them: results, exit codes, and nothing but results on stdout."""

from __future__ import annotations

import http.client
import json
import re
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, config_text, end, pending_table
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.local_servers.servers import DynamoDBLocal

INDEX = ("migrated-index", "migrated:S", "ALL")
ITEMS = 30


def review(number: int, **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "username": {"S": f"user{number}"}, "reviewed_at": {"S": "2025-03-01"}, "rating": {"N": f"{number}.5"},
        "flavour": {"M": {"sweet": {"N": "3"}}}, **more,
    }  # fmt: skip


def put(client: Any, table: str, item: dict[str, Any]) -> None:
    client.put_item(TableName=table, Item=item)


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def reviews(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> str:
    """A table with ITEMS items, and its configuration."""
    table = make_table(index=INDEX)
    for number in range(ITEMS):
        put(dynamodb_client, table, review(number))
    command.write_config(config_text(dynamodb, database, pending_table(table, into="reviews")))
    return table


def test_a_copy_from_the_first_sync_to_the_reset(
    command: CommandLine, reviews: str, dynamodb_client: Any, database: Database
) -> None:
    new = command.run("status", "--json")
    assert new.code == 3, "nothing is known of a copy that was never made"
    assert new.document["tables"][0]["phase"] == "NEW"

    synced = command.run("sync", "--once")
    assert synced.code == 0, synced.err
    assert synced.out.startswith(f"{reviews}: {ITEMS} rows in reviews")

    (told,) = command.run("status", "--json").document["tables"]
    wanted = {
        "table": reviews, "capture": "pending-index", "phase": "LIVE", "rows": ITEMS, "backlog": 0, "lag_s": 0.0,
        "unlinked": 0, "dead_letters": 0, "gaps": 0, "reason": "",
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted

    verified = command.run("verify", "--json")
    assert verified.code == 0
    assert verified.document["in_step"] is True
    assert verified.document["tables"][0]["items"] == ITEMS

    key = {"username": {"S": "user7"}, "reviewed_at": {"S": "2025-03-01"}}
    item = dynamodb_client.get_item(TableName=reviews, Key=key, ConsistentRead=True)["Item"]
    row_id = item.pop("mysql_id")["N"]
    assert command.run("item", reviews, "--key", json.dumps(key)).document == item
    assert command.run("item", reviews, "--row-id", row_id).document == item
    lines = command.run("item", reviews, "--all").out.splitlines()
    assert len(lines) == ITEMS
    assert item in [json.loads(line) for line in lines]

    columns = command.run("schema", "--json").document["tables"][0]["columns"]
    assert {"attribute": "rating", "column": "rating", "type": "DECIMAL(38,9)", "key": False}.items() <= columns[
        3
    ].items()
    assert [one["attribute"] for one in columns if one["key"]] == ["username", "reviewed_at"]

    refused = command.run("reset", reviews)
    assert refused.code == 2
    assert database.query("SELECT COUNT(*) FROM reviews") == [(ITEMS,)]
    assert command.run("reset", reviews, "--yes").code == 0
    assert command.run("reset", reviews, "--yes").code == 0
    assert command.run("status", "--json").document["tables"][0]["phase"] == "NEW"

    assert command.run("sync", "--once").code == 2
    adopted = command.run("sync", "--once", "--adopt-links")
    assert adopted.code == 0, adopted.err
    assert database.query("SELECT row_id FROM reviews WHERE username = 'user7'") == [(int(row_id),)]
    assert command.run("status", "--json").document["tables"][0]["rows"] == ITEMS


def test_what_differs_is_told_and_repaired(command: CommandLine, reviews: str, database: Database) -> None:
    command.run("sync", "--once")
    database.query("DELETE FROM reviews WHERE username = 'user1'")
    database.query("UPDATE reviews SET rating = 9 WHERE username = 'user2'")

    found = command.run("verify", "--json")
    assert found.code == 3
    (told,) = found.document["tables"]
    assert (told["missing"], told["different"]) == (1, 1)
    different = next(one for one in told["examples"] if one["kind"] == "DIFFERENT")
    assert different["attributes"] == ["rating"]

    assert command.run("repair", "--json").code == 3
    repaired = command.run("repair", "--execute", "--json")
    assert repaired.code == 0, repaired.err
    assert "found 1 missing, 1 different; still left" in repaired.err
    (left,) = repaired.document["tables"]
    assert (left["items"], left["rows"], left["missing"], left["different"]) == (ITEMS, ITEMS, 0, 0)
    assert command.run("verify").code == 0


def test_a_dead_letter_is_listed_retried_and_dropped(
    command: CommandLine, reviews: str, database: Database, dynamodb_client: Any
) -> None:
    command.run("sync", "--once")
    database.query(
        "CREATE TRIGGER objects BEFORE INSERT ON reviews FOR EACH ROW "
        "IF NEW.username LIKE 'bad%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such user'; END IF"
    )
    for name in ("bad1", "bad2"):
        put(dynamodb_client, reviews, review(1, username={"S": name}, migrated={"S": "false"}))

    assert command.run("sync", "--once").code == 3
    assert command.run("status").code == 3
    assert command.run("verify", "--json").document["in_step"] is False
    listed = command.run("dead-letters", "list", "--json")
    assert listed.code == 3
    letters = listed.document["dead_letters"]
    assert {one["key"]["username"]["S"] for one in letters} == {"bad1", "bad2"}
    assert all("no such user" in one["reason"] and one["table"] == reviews for one in letters)

    assert command.run("dead-letters", "drop").code == 2
    assert command.run("dead-letters", "drop", str(letters[0]["id"])).code == 0
    parked_again = command.run("repair", "--execute", "--json")
    assert parked_again.code == 3
    (left,) = parked_again.document["tables"]
    assert (left["missing"], left["dead_letters"]) == (0, 2)
    assert command.run("dead-letters", "retry", reviews).code == 3
    database.query("DROP TRIGGER objects")
    retried = command.run("dead-letters", "retry", reviews)
    assert retried.code == 0, retried.err
    assert command.run("dead-letters", "list", "--json").document == {"dead_letters": []}

    database.query(
        "CREATE TRIGGER objects BEFORE INSERT ON reviews FOR EACH ROW "
        "IF NEW.username LIKE 'bad%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such user'; END IF"
    )
    put(dynamodb_client, reviews, review(1, username={"S": "bad3"}, migrated={"S": "false"}))
    assert command.run("sync", "--once").code == 3
    dropped = command.run("dead-letters", "drop", reviews)
    assert (dropped.code, dropped.out) == (0, "1 dropped\n")


def test_what_a_newer_twinrow_has_written_no_command_reads_or_changes(
    command: CommandLine, reviews: str, database: Database
) -> None:
    command.run("sync", "--once")
    database.query("UPDATE _twinrow_meta SET value = '99' WHERE name = 'version'")
    before = database.query("SELECT * FROM _twinrow_table")
    for line in (
        "sync --once", "status", "status --json", "verify", "repair", "repair --execute", "schema", "schema --apply",
        f"item {reviews} --row-id 1", "dead-letters list", "dead-letters retry", "dead-letters drop --yes",
        f"reset {reviews} --yes",
    ):  # fmt: skip
        done = command.run(*line.split())
        assert done.code == 2, (line, done)
        assert "version 99" in done.err
        assert "newer Twinrow" in done.err
        assert done.out == "", line
        assert database.query("SELECT * FROM _twinrow_table") == before, line
    assert command.run("check").code != 0


def test_a_running_sync_follows_and_stops_on_a_signal(
    command: CommandLine, reviews: str, database: Database, dynamodb_client: Any
) -> None:
    process = command.start("--json-logs", "sync")
    try:
        wait_until(
            lambda: (command.run("status", "--json").document["tables"][0]["phase"]) == "LIVE", 40, what="phase LIVE"
        )
        put(dynamodb_client, reviews, review(77, migrated={"S": "false"}))
        wait_until(lambda: database.query("SELECT 1 FROM reviews WHERE username = 'user77'"), 20, what="the row")
        held = command.run("reset", reviews, "--yes")
        assert held.code == 2
        assert "twinrow sync" in held.err
    finally:
        process.send_signal(signal.SIGINT)  # as `timeout` and the terminal both pass it on
        done = end(process, signal.SIGINT)
    assert done.code == 0
    assert done.out == ""
    for line in done.err.splitlines():
        assert json.loads(line).keys() == {"at", "level", "event", "table", "text"}
    assert command.run("verify").code == 0


@pytest.mark.either_server
def test_a_once_that_is_stopped_says_that_it_is_not_the_whole(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table()
    put_all(dynamodb_client, table, [{**review(number), "text": {"S": "x" * 2000}} for number in range(200)])
    slow = f'[[tables]]\nname = "{table}"\ncapture = "scan"\nread_capacity_max = 1\n'
    command.write_config(config_text(dynamodb, database, slow))
    process = command.start("sync", "--once")
    try:
        wait_until(lambda: database.query("SHOW TABLES LIKE '_twinrow_lease'"), 40, what="a sync that has begun")
        wait_until(lambda: database.query("SELECT 1 FROM _twinrow_lease WHERE holder <> ''"), 40, what="its lease")
    finally:
        done = end(process, signal.SIGTERM)
    assert done.code == 1
    assert "stopped before the end" in done.err


@pytest.mark.either_server
def test_metrics_of_a_sync_whose_tables_are_all_broken_stay_until_it_is_stopped(
    command: CommandLine, dynamodb: DynamoDBLocal, database: Database
) -> None:
    command.write_config(config_text(dynamodb, database, pending_table("not_there")))
    process = command.start("sync", "--metrics", "127.0.0.1:0")
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        port = next(found[1] for line in lines if (found := re.search(r"http://127\.0\.0\.1:(\d+)/metrics", line)))
        assert any("no table is left to copy" in line for line in lines)
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        assert answer.status == 503
        assert "not_there" in answer.read().decode()
        connection.close()
    finally:
        done = end(process, signal.SIGTERM)
    assert done.code == 1


@pytest.mark.either_server
def test_a_first_start_that_is_refused_is_the_reason_until_one_is_let_through(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    table = make_table()
    command.write_config(config_text(dynamodb, database, pending_table(table)))
    assert command.run("sync", "--once").code == 2
    (told,) = command.run("status", "--json").document["tables"]
    assert told["phase"] == "STOPPED"
    assert "has no index 'migrated-index'" in told["reason"]
    assert "twinrow check --fix" in told["remedies"]
    assert "has no index" in command.run("status").out

    assert command.run("check", "--fix", "--yes").code == 0
    assert command.run("sync", "--once").code == 0
    (told,) = command.run("status", "--json").document["tables"]
    assert (told["phase"], told["reason"]) == ("LIVE", "")


@pytest.mark.either_server
def test_a_key_without_types_is_told_how_it_is_written(command: CommandLine, reviews: str) -> None:
    command.run("sync", "--once")
    done = command.run("item", reviews, "--key", '{"username": "user1", "reviewed_at": "2025-03-01"}')
    assert done.code == 2
    assert "needs its type" in done.err
    assert "username (S)" in done.err


@pytest.mark.either_server
def test_check_tells_an_into_that_was_changed_from_a_copy_that_is_gone(
    command: CommandLine, reviews: str, dynamodb: DynamoDBLocal, database: Database
) -> None:
    command.run("sync", "--once")
    command.write_config(config_text(dynamodb, database, pending_table(reviews, into="elsewhere")))
    looked = command.run("check", "--json")
    assert looked.code == 0
    found = {one["name"]: one for one in looked.document["checks"] if one["table"]}
    assert "`reviews` is the copy" in found["MySQL table"]["text"]
    assert "`reviews` becomes `elsewhere`, by one statement" in found["settings"]["text"]
    database.query("DROP TABLE reviews")
    found = {one["name"]: one for one in command.run("check", "--json").document["checks"] if one["table"]}
    assert "`reviews` is gone" in found["MySQL table"]["text"]
    assert "the MySQL table is gone" in command.run("sync", "--once").err


@pytest.mark.either_server
def test_check_fix_adds_the_index_and_the_stream(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    marked, streamed = make_table(), make_table()
    stream_part = f'[[tables]]\nname = "{streamed}"\ncapture = "stream"\n'
    text = config_text(dynamodb, database, pending_table(marked), stream_part)
    command.write_config(text)
    command.write_config(text, "my.toml")

    for as_json in ((), ("--json",)):
        looked = command.run("check", "-c", "my.toml", *as_json)
        assert f"twinrow check -c my.toml {marked} --fix" in looked.out
    looked = command.run("check", "--json")
    assert looked.code == 1
    wrong = [(one["table"], one["name"]) for one in looked.document["checks"] if one["level"] == "error"]
    assert wrong == [(marked, "pending index"), (streamed, "stream")]
    assert command.run("check", "--fix").code == 2

    answered = command.run("check", "--fix", "--json", stdin="n\ny\n")
    still = [one["table"] for one in answered.document["checks"] if one["level"] == "error"]
    assert (answered.code, still) == (1, [marked])
    fixed = command.run("check", "--fix", "--yes")
    assert fixed.code == 0, fixed.out
    index = dynamodb_client.describe_table(TableName=marked)["Table"]["GlobalSecondaryIndexes"][0]
    assert (index["IndexName"], index["IndexStatus"]) == ("migrated-index", "ACTIVE")
    stream = dynamodb_client.describe_table(TableName=streamed)["Table"]["StreamSpecification"]
    assert stream == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert command.run("check", "--json").document["ok"] is True


def test_init_writes_what_check_and_sync_take(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table(index=INDEX)
    put(dynamodb_client, table, review(1))
    arguments = ("--mysql", database.url, "--endpoint-url", dynamodb.endpoint_url, table, "--yes")
    made = command.run("init", *arguments)
    assert made.code == 0, made.err
    assert "check --fix" in made.out
    assert command.run("init", *arguments).code == 2
    written = (command.folder / "twinrow.toml").read_text()
    assert "${MYSQL_PASSWORD}" in written
    assert database.server.password not in written

    password = {"MYSQL_PASSWORD": database.server.password}
    assert command.run("check", env=password).code == 0
    ignoring = written + "[tables.columns.username]\nignore = true\n"
    command.write_config(ignoring, "ignoring.toml")
    for of in ("plan", "sync --once"):
        refused = command.run(*of.split(), "-c", "ignoring.toml", env=password)
        assert (refused.code, "'username'" in refused.err) == (2, True), refused
    assert command.run("sync", "--once", env=password).code == 0
    assert command.run("plan", "--json", env=password).document["tables"][0]["table"] == table


@pytest.mark.either_server
def test_init_takes_a_variable_for_the_whole_url(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    arguments = ("--mysql", "${MYSQL_URL}", "--endpoint-url", dynamodb.endpoint_url, make_table(index=INDEX), "--yes")
    unset = command.run("init", *arguments)
    assert unset.code == 2
    assert "MYSQL_URL" in unset.err
    whole = {"MYSQL_URL": database.url}
    made = command.run("init", *arguments, env=whole)
    assert (made.code, "MYSQL_PASSWORD" in made.out) == (0, False), made.err
    assert 'url = "${MYSQL_URL}"' in (command.folder / "twinrow.toml").read_text()
    assert command.run("check", env=whole).code == 0


@pytest.mark.parametrize("prefix", ["_twinrow_", "_TWINROW_"])
@pytest.mark.either_server
def test_init_names_a_row_table_where_that_of_the_items_looks_like_twinrows_own(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database,
    prefix: str,
) -> None:  # fmt: skip
    table = make_table(f"{prefix}{uuid.uuid4().hex[:8]}")
    put(dynamodb_client, table, review(1))
    arguments = ("--mysql", database.url, "--endpoint-url", dynamodb.endpoint_url, "--table", table, "--yes")
    assert command.run("init", *arguments).code == 0
    done = command.run("sync", "--once", env={"MYSQL_PASSWORD": database.server.password})
    assert done.code == 0, done.err
    assert database.query(f"SELECT COUNT(*) FROM `{table.removeprefix('_')}`") == [(1,)]


@pytest.mark.either_server
def test_init_takes_a_table_named_twice_once_and_says_how_the_password_is_to_be_set(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    table = make_table(index=INDEX)
    url = database.url.replace(f":{database.server.password}@", ":twi%6Erow@")
    named = ("--table", table, "--table", table)
    made = command.run("init", "--mysql", url, "--endpoint-url", dynamodb.endpoint_url, *named, "--yes")
    assert made.code == 0, made.err
    assert "not percent-encoded" in made.out
    assert (command.folder / "twinrow.toml").read_text().count("[[tables]]") == 1


def test_check_reads_both_clocks(command: CommandLine, reviews: str) -> None:
    named = {one["name"]: one["level"] for one in command.run("check", "--json").document["checks"]}
    assert (named["clock of MySQL"], named["clock of DynamoDB"]) == ("ok", "ok")
