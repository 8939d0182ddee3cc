"""A user's mistake is one line that says what and how to mend it; the exit code tells its kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, config_text, pending_table
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

SCAN = "[mysql]\nurl = 'mysql://u@h/d'\n[[tables]]\nname = 'abc'\ncapture = 'scan'\n"


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["sync", "--nonsense"], ["status", "nope"], ["item", "nope"], ["status"]]
)
def test_usage_and_configuration_exit_with_2(command: CommandLine, arguments: list[str]) -> None:
    done = command.run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1\n[mysql]\nurl = 'mysql://u@h/d'\n[[tables]]\nname = 'abc'\ncapture = 'scan'\n", "nonsense"),
        ("[mysql]\nurl = 'mysql://u@h/d'\n[[tables]]\nname = 'abc'\ncaptur = 'scan'\n", "captur"),
        ("[mysql]\nurl = 'mysql://u:${NOT_SET}@h/d'\n[[tables]]\nname = 'abc'\ncapture = 'scan'\n", "NOT_SET"),
        (SCAN + "[tables.columns.x]\ntype = 'CHAR(3)'\n", "CHAR"),
        ("[mysql\n", "TOML"),
    ],
)
def test_a_wrong_configuration_names_key_and_place(command: CommandLine, text: str, told: str) -> None:
    command.write_config(text)
    for arguments in (["sync", "--once"], ["status"]):
        done = command.run(*arguments)
        assert done.code == 2
        (line,) = done.err.splitlines()
        assert line.startswith("twinrow: twinrow.toml")
        assert told in line


@pytest.mark.parametrize("keys", ["abc=a,b,c", "abc=a,", "abc=", "=a", "abc"])
def test_keys_that_are_none_are_refused(command: CommandLine, keys: str) -> None:
    command.write_config(SCAN)
    done = command.run("iam-policy", "--keys", keys)
    assert done.code == 2
    assert "TABLE=HASH,RANGE" in done.err


def test_servers_and_tables_that_are_not_there(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    good = config_text(dynamodb, database, pending_table(table, into="reviews"))
    secret = database.server.password
    port = f"127.0.0.1:{database.server.port}"
    wrong_password = good.replace("root:", "root:not")
    cases = {
        "wrong password": (wrong_password, 2, "mysql.url"),
        "MySQL down": (good.replace(port, "127.0.0.1:1"), 1, "mysql.url"),
        "no such table": (config_text(dynamodb, database, pending_table("not_there")), 1, "endpoint_url"),
        "no such index": (config_text(dynamodb, database, pending_table(table, index="nope")), 2, "check --fix"),
        "a table that is not ours": (good, 2, "into"),
    }
    database.query("CREATE TABLE reviews (n INT)")
    for name, (text, code, remedy) in cases.items():
        command.write_config(text)
        done = command.run("sync", "--once")
        assert done.code == code, f"{name}: {done.err}"
        last = done.err.splitlines()[-1]
        assert last.startswith("twinrow: "), name
        assert remedy in last, name
        assert secret not in done.err + done.out, name
    assert database.query("SHOW COLUMNS FROM reviews")[0][0] == "n"


def test_one_broken_table_does_not_stop_the_other(
    command: CommandLine, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    dynamodb_client.put_item(TableName=table, Item={"username": {"S": "ann"}, "reviewed_at": {"S": "1"}})
    command.write_config(
        config_text(dynamodb, database, pending_table("not_there"), pending_table(table, into="reviews"))
    )
    done = command.run("sync", "--once")
    assert done.code == 1
    assert f"{table}: 1 rows" in done.out
    assert "not_there" in done.err


def test_a_password_that_others_can_read_is_worth_a_warning(command: CommandLine) -> None:
    command.write_config("[mysql]\nurl = 'mysql://u:pw@127.0.0.1:1/d'\n[[tables]]\nname = 'abc'\ncapture = 'scan'\n")
    assert "warning" not in command.run("status").err
    (command.folder / "twinrow.toml").chmod(0o644)
    assert "others can read the password" in command.run("status").err


@pytest.mark.parametrize("path", ["nowhere/twinrow.toml", "."])
def test_init_says_where_it_cannot_write_before_it_asks_any_server(command: CommandLine, path: str) -> None:
    done = command.run("init", "-c", path, "--force", "--mysql", "mysql://u@127.0.0.1:1/d", "--table", "abc", "--yes")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "-c FILE" in line


def test_with_json_logs_an_error_is_a_json_line_too(command: CommandLine) -> None:
    done = command.run("--json-logs", "sync")
    assert done.code == 2
    (line,) = done.err.splitlines()
    told = json.loads(line)
    assert list(told) == ["at", "level", "event", "table", "text"]
    assert (told["level"], told["table"]) == ("error", "")
    assert "twinrow init" in told["text"]


def test_a_watch_in_json_is_refused_not_ignored(command: CommandLine) -> None:
    command.write_config(SCAN.replace("u@h", "u@127.0.0.1:1"))
    done = command.run("status", "--watch", "--json")
    assert (done.code, done.out) == (2, "")
    assert "--watch" in done.err
