"""The demo on given servers: it ends by itself, proves the copy, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT_PASSWORD
from tests.fixtures.command_line import CommandLine
from tests.fixtures.databases import Database

from twinrow.app.servers import DynamoDBLocal, MySQLServer


@pytest.mark.timeout(200)
def test_the_demo_proves_the_copy_and_cleans_up(tmp_path: Path, dynamodb: DynamoDBLocal, dynamodb_client: Any) -> None:
    before = set(dynamodb_client.list_tables()["TableNames"])
    with MySQLServer.start("mariadb", password=ROOT_PASSWORD) as server:
        database = Database(server, "demo")
        database.create()
        command = CommandLine(tmp_path, timeout_s=180)
        done = command.run("demo", "--endpoint-url", dynamodb.endpoint_url, "--mysql", database.url)
        assert done.code == 0, done.err
        assert "0 differences" in done.out
        assert "ORDER BY rating DESC" in done.out
        assert ROOT_PASSWORD not in done.out + done.err
        assert [name for (name,) in database.query("SHOW TABLES") if not name.startswith("_twinrow_")] == []
        assert database.query("SELECT * FROM _twinrow_table") == []
    assert set(dynamodb_client.list_tables()["TableNames"]) - before == set()
