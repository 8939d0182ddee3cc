"""The commands at a terminal: what they ask a person, what they do with the answers, what they draw."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, config_text, pending_table
from tests.fixtures.copying import put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.pseudo_terminal import PseudoTerminal

from twinrow.local_servers.servers import DynamoDBLocal

CURSOR_BACK = "\x1b[?25h"
"""What rich sends when it has ended drawing."""


@pytest.mark.either_server
def test_init_asks_what_it_is_not_told_and_asks_again_for_what_is_not_there(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    marked, plain, left_out = make_table(index=("migrated-index", "migrated:S", "ALL")), make_table(), make_table()
    with PseudoTerminal(tmp_path, "init", "--endpoint-url", dynamodb.endpoint_url) as terminal:
        terminal.wait_for("MySQL, as mysql://user:password@host:port/database")
        terminal.type(database.url)
        terminal.wait_for(left_out)
        terminal.wait_for("Which tables")
        terminal.type(f"{marked} nowhere")
        terminal.wait_for("there is no table 'nowhere'")
        terminal.asks("Which tables")
        terminal.type(f"-{left_out}")
        terminal.asks("Which tables")
        terminal.type(f"{plain} capture=trigger")
        terminal.wait_for("'trigger' is none of")
        terminal.asks("Which tables")
        terminal.type(f"{plain} capture=stream link=yes into=copied")
        terminal.wait_for("yes   copied")
        terminal.asks("Which tables")
        terminal.type("")
        terminal.asks("Read this sample")
        terminal.type("")
        terminal.wait_for("check --fix")
        assert terminal.ended() == 0

    written = (tmp_path / "twinrow.toml").read_text()
    assert f'name = "{marked}"\ncapture = "pending-index"' in written
    assert f'name = "{plain}"\ncapture = "stream"' in written
    assert 'into = "copied"\nlink = true' in written
    assert left_out not in written
    assert database.server.password not in written


def test_init_given_up_at_a_question_writes_nothing(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    make_table()
    with PseudoTerminal(tmp_path, "init", "--endpoint-url", dynamodb.endpoint_url, "--mysql", database.url) as terminal:
        terminal.asks("Which tables")
        terminal.interrupt()
        assert terminal.ended() != 0

    assert list(tmp_path.iterdir()) == []


def test_init_is_given_up_also_where_ctrl_c_was_ignored_before(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    """As below `nohup make test &`: an ignored SIGINT is handed on to every child."""
    make_table()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        given = ("init", "--endpoint-url", dynamodb.endpoint_url, "--mysql", database.url)
        with PseudoTerminal(tmp_path, *given) as terminal:
            terminal.asks("Which tables")
            terminal.interrupt()
            assert terminal.ended() != 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.either_server
def test_init_with_nothing_left_to_ask_needs_nobody(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    given = ("--endpoint-url", dynamodb.endpoint_url, "--mysql", database.url, "--table", make_table())
    command = CommandLine(tmp_path)
    assert command.run("init", *given).code == 2
    done = command.run("init", *given, "--capture", "scan")
    assert done.code == 0, done.err


@pytest.mark.either_server
def test_status_is_watched_until_it_is_interrupted(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    command = CommandLine(tmp_path)
    command.write_config(config_text(dynamodb, database, pending_table(table, into="reviews")))
    with PseudoTerminal(tmp_path, "status", "--watch") as terminal:
        terminal.wait_for("NEW")
        assert command.run("sync", "--once").code == 0
        terminal.wait_for("LIVE")
        terminal.interrupt()
        assert terminal.ended() == 0


@pytest.mark.either_server
def test_a_first_copy_is_drawn_as_a_bar_below_what_is_logged_and_gone_when_it_is_through(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    put_all(dynamodb_client, table, [review(n, text={"S": "long " * 20_000}) for n in range(60)])
    slow = pending_table(table, more=["read_capacity_max = 256"])
    CommandLine(tmp_path).write_config(config_text(dynamodb, database, slow))
    with PseudoTerminal(tmp_path, "sync") as terminal:
        terminal.wait_for("SNAPSHOT")
        terminal.wait_for("items/s")
        terminal.wait_for("phase LIVE")
        terminal.wait_for(CURSOR_BACK)
        drawn = terminal.shown
        terminal.interrupt()
        assert terminal.ended() == 0
    (line,) = [line for line in drawn.splitlines() if "phase LIVE" in line]
    assert "items/s" not in line, "it was logged into the bar"
    assert "items/s" not in terminal.shown[len(drawn) :], "it was drawn again"


@pytest.mark.either_server
def test_check_fix_ends_at_one_ctrl_c_while_it_asks(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    table = make_table()
    CommandLine(tmp_path).write_config(config_text(dynamodb, database, pending_table(table)))
    with PseudoTerminal(tmp_path, "check", "--fix") as terminal:
        terminal.asks("Do it?")
        terminal.interrupt()
        assert terminal.ended() != 0
    assert "GlobalSecondaryIndexes" not in dynamodb_client.describe_table(TableName=table)["Table"]


@pytest.mark.either_server
def test_check_fix_shows_each_change_with_its_cost_and_does_only_what_is_agreed_to(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    marked, streamed = make_table(), make_table()
    stream_part = f'[[tables]]\nname = "{streamed}"\ncapture = "stream"\n'
    CommandLine(tmp_path).write_config(config_text(dynamodb, database, pending_table(marked), stream_part))
    with PseudoTerminal(tmp_path, "check", "--fix") as terminal:
        terminal.wait_for(f"{marked}: ")
        terminal.wait_for("Do it?")
        terminal.type("n")
        terminal.wait_for(f"{streamed}: ")
        terminal.wait_for("Do it?")
        terminal.type("y")
        assert terminal.ended() == 1
    described = {name: dynamodb_client.describe_table(TableName=name)["Table"] for name in (marked, streamed)}
    assert "GlobalSecondaryIndexes" not in described[marked]
    assert described[streamed]["StreamSpecification"]["StreamEnabled"]
