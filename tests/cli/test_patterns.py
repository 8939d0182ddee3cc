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

from twinrow.local_servers.servers import DynamoDBLocal


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
    in_many: CommandLine, database: Database, make_table: MakeTable, dynamodb_client: Any
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


@pytest.mark.either_server
def test_a_pattern_that_takes_no_table_is_an_error_that_says_so(in_many: CommandLine) -> None:
    done = in_many.run("sync", "--once")
    assert done.code == 2
    assert "no table is taken by match many-*" in done.err
    assert "Traceback" not in done.err
