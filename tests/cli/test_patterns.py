"""Patterns in the configuration: the tables that they take are copied, as if each had its own part."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import put_all, review
from tests.fixtures.databases import Database

from twinrow.app import wiring
from twinrow.app.discovery import with_tables_there
from twinrow.app.library import load
from twinrow.config import parse
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import ConfigError, Transient
from twinrow.local_servers.servers import DynamoDBLocal

NOBODY = "http://127.0.0.1:9"
"""The port `discard`: nobody answers there."""


@pytest.fixture
def in_many(tmp_path: Path, database: Database, dynamodb: DynamoDBLocal) -> CommandLine:
    (tmp_path / "twinrow.toml").write_text(
        f'[dynamodb]\nregion = "us-east-1"\nendpoint_url = "{dynamodb.endpoint_url}"\n[mysql]\nurl = "{database.url}"\n'
        '[defaults]\ncapture = "scan"\nlink = false\n'
        '[[tables]]\nmatch = "many-*"\nexclude = "many-tmp*"\ninto = "{rest}"\n'
    )
    return CommandLine(tmp_path)


@pytest.mark.either_server
def test_every_table_that_a_pattern_takes_is_copied_and_no_other(
    in_many: CommandLine, database: Database, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any
) -> None:
    for number, name in enumerate(("many-orders", "many-users", "many-tmp-1", "other")):
        put_all(dynamodb_client, make_table(name), [review(n) for n in range(number + 1)])
    assert in_many.run("sync", "--once").code == 0
    with closing(database.connect()) as session, session.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        made = {str(name) for (name,) in cursor.fetchall() if not str(name).startswith("_twinrow")}
        assert made == {"orders", "users"}
        cursor.execute("SELECT COUNT(*) FROM users")
        assert cursor.fetchone() == (2,)
    put_all(dynamodb_client, make_table("many-later"), [review(1)])
    verified = in_many.run("verify")
    assert verified.code != 0
    assert "many-later" in verified.out + verified.err
    assert in_many.run("sync", "--once").code == 0
    assert in_many.run("verify").code == 0
    config = (in_many.folder / "twinrow.toml").read_text()
    in_many.write_config(config.replace(dynamodb.endpoint_url, NOBODY))
    status = in_many.run("status", "--json")
    assert [table["table"] for table in status.document["tables"]] == ["many-later", "many-orders", "many-users"]
    assert "looked for" not in status.err
    once = in_many.run("sync", "--once")
    assert once.code != 0
    assert "new tables cannot be looked for" in once.err


@pytest.mark.either_server
def test_a_pattern_that_takes_no_table_is_an_error_that_says_so(in_many: CommandLine) -> None:
    done = in_many.run("sync", "--once")
    assert done.code == 2
    assert "no table can be copied by match many-*: they take none" in done.err
    assert "`twinrow sync` makes it" in in_many.run("status").err
    assert "Traceback" not in done.err


class Away:
    """A door to DynamoDB that does not answer."""

    def tables(self) -> list[str]:
        raise Transient("does not answer", where="DynamoDB")


def test_the_library_asks_for_tables_when_it_needs_them_and_not_when_it_is_loaded(
    in_many: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "dynamodb_of", lambda config, source: Away())
    monkeypatch.setattr(wiring, "few_tries", lambda work: work())
    copies = load(in_many.folder / "twinrow.toml")
    with pytest.raises(ConfigError, match="has a copy yet"):
        copies.sync_once()
    with pytest.raises(ConfigError, match="has a copy yet"):
        copies.status()


class Tagged:
    """A door to DynamoDB with three tables, of which one is deleted between the list and the question for its tags."""

    def tables(self) -> list[str]:
        return ["orders", "users", "gone"]

    def tags(self, table: str) -> dict[str, str]:
        if table == "gone":
            raise DynamoDBError(NO_SUCH_TABLE, "no such table", where="table gone", remedy="")
        return {"twinrow": "yes", "team": table}


def test_tags_choose_among_the_tables_and_a_table_deleted_meanwhile_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wiring, "dynamodb_of", lambda config, source: Tagged())
    text = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\ncapture = "scan"\ntags = {{ twinrow = "yes", team = "{}" }}\n'
    config, warnings = with_tables_there(parse(text.format("users")))
    assert [table.name for table in config.tables] == ["users"]
    assert not warnings
    with pytest.raises(ConfigError, match="they take none"):
        with_tables_there(parse(text.format("sales")))


def test_a_table_whose_name_in_mysql_is_taken_is_warned_of_and_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "dynamodb_of", lambda config, source: Tagged())
    text = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "sales"\ncapture = "scan"\ninto = "{}"\n'
    text += '[[tables]]\nmatch = ["orders", "users"]\ncapture = "scan"\ninto = "both"\n'
    config, warnings = with_tables_there(parse(text.format("sales")))
    assert [table.name for table in config.tables] == ["sales", "orders"]
    assert len(warnings) == 1
    assert warnings[0].startswith("users: ")
