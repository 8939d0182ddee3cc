"""`twinrow add` and `twinrow init --all`, as their user meets them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, InProcess
from tests.fixtures.databases import Database
from tests.fixtures.pseudo_terminal import PseudoTerminal

from twinrow.local_servers.servers import DynamoDBLocal

INDEX = ("migrated-index", "migrated:S", "ALL")


@pytest.mark.either_server
def test_tables_are_added_to_a_file_that_somebody_wrote_and_copied(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    first, marked, other = make_table(), make_table(index=INDEX), make_table()
    text = (
        f'# ours\n[dynamodb]\nendpoint_url = "{dynamodb.endpoint_url}"\n\n[mysql]\nurl = "{database.url}" # the copy\n'
        f'[[tables]]\nname = "{first}"   # the first\ncapture = "scan"\n\n# beside the tables\n[sync]\nworkers = 1\n'
    )
    command = InProcess(tmp_path)
    command.write_config(text)
    path = tmp_path / "twinrow.toml"

    wrong = marked[:-1] + "_"
    for arguments, said in [
        ((first, "--yes"), "already"), ((wrong, "--yes"), f"did you mean {marked}?"),
        ((marked, "--into", "_twinrow_x", "--yes"), "_twinrow_"),
        ((marked, "--into", first, "--yes"), "same MySQL table"),
        ((marked, "--capture", "trigger"), "none of"), ((marked, other, "--into", "x"), "single"),
        ((marked,), "say --yes"),
    ]:  # fmt: skip
        refused = command.run("add", *arguments)
        assert (refused.code, said in refused.err) == (2, True), refused
        assert path.read_text() == text

    made = command.run("add", marked, "--into", "reviews", "--yes")
    assert made.code == 0, made.err
    assert '+ capture = "pending-index"' in made.out
    assert f"check --fix {marked}" in made.out
    assert command.run("add", other, "--capture", "scan", "--yes").code == 0

    written = path.read_text()
    before, after = text.split("# beside the tables")
    assert written.startswith(before)
    assert written.endswith(f"\n# beside the tables{after}")
    assert [table["name"] for table in tomllib.loads(written)["tables"]] == [first, marked, other]
    assert command.run("sync", "--once").code == 0
    assert database.query("SELECT COUNT(*) FROM reviews") == [(0,)]


@pytest.mark.either_server
def test_a_person_is_shown_the_lines_before_they_are_added(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    first, other = make_table(), make_table()
    command = CommandLine(tmp_path)
    given = ("--mysql", database.url, "--endpoint-url", dynamodb.endpoint_url, "--table", first, "--yes")
    assert command.run("init", *given).code == 0
    before = (tmp_path / "twinrow.toml").read_text()
    env = {"MYSQL_PASSWORD": database.server.password}
    with PseudoTerminal(tmp_path, "add", other, env=env) as terminal:
        terminal.wait_for(f'+ name = "{other}"')
        terminal.asks("Do it?")
        terminal.type("n")
        assert terminal.ended() == 1
    assert (tmp_path / "twinrow.toml").read_text() == before
    with PseudoTerminal(tmp_path, "add", other, env=env) as terminal:
        terminal.asks("Do it?")
        terminal.type("y")
        terminal.wait_for(f"next: twinrow check --fix {other}")
        assert terminal.ended() == 0
    assert (tmp_path / "twinrow.toml").read_text().startswith(before)


@pytest.mark.either_server
def test_init_takes_all_tables_without_a_question(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, database: Database
) -> None:
    names = {make_table() for _ in range(4)}
    command = InProcess(tmp_path)
    given = ("--mysql", database.url, "--endpoint-url", dynamodb.endpoint_url)
    assert command.run("init", *given).code == 2, "nobody is there to be asked"
    assert command.run("init", *given, "--all", next(iter(names))).code == 2
    made = command.run("init", *given, "--all")
    assert made.code == 0, made.err
    written = tomllib.loads((tmp_path / "twinrow.toml").read_text())
    assert names <= {table["name"] for table in written["tables"]}
    assert written["defaults"]["capture"] == "scan"
