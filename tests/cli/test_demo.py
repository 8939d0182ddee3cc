"""The demo on given servers: it ends by itself, proves the copy, and leaves nothing behind."""

from __future__ import annotations

import http.client
import os
import pty
import re
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT_PASSWORD
from tests.fixtures.command_line import CommandLine
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.app.demo import app as demo_app
from twinrow.app.demo import enter, shop, single_table
from twinrow.app.demo import run as demo
from twinrow.clock import Stop
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer


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
        assert database.query("SELECT * FROM _twinrow_made") == []
    assert set(dynamodb_client.list_tables()["TableNames"]) - before == set()


@pytest.mark.timeout(200)
def test_the_shop_of_a_single_table_proves_the_copy_and_cleans_up(
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shop, "CUSTOMERS", 20)
    monkeypatch.setattr(single_table, "LIVE_S_MAX", 2.0)
    before = set(dynamodb_client.list_tables()["TableNames"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert single_table.run(demo.Options(dynamodb.endpoint_url, database.url, False, address), Stop()) == 0
    shown = capsys.readouterr().out
    assert "0 differences" in shown
    assert "USING (customer_id)" in shown
    assert [name for (name,) in database.query("SHOW TABLES") if "shop" in name or "_row_" in name] == []
    assert set(dynamodb_client.list_tables()["TableNames"]) - before == set()


def test_a_demo_that_is_kept_shows_page_and_commands_until_it_is_stopped(
    tmp_path: Path,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_app, "ITEMS_BEFORE", 200)
    monkeypatch.setattr(demo, "LIVE_S_MAX", 1.0)
    monkeypatch.setattr(demo, "LIVE_S_MIN", 1.0)
    before = set(dynamodb_client.list_tables()["TableNames"])
    stop, said, codes = Stop(), [""], list[int]()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = demo.Options(dynamodb.endpoint_url, database.url, keep=True, serve=f"127.0.0.1:{port}")
    thread = threading.Thread(target=lambda: codes.append(demo.run(options, stop)), daemon=True)

    def is_kept() -> bool:
        said[0] += "".join(capsys.readouterr())
        return "until Ctrl-C" in said[0] or not thread.is_alive()

    thread.start()
    try:
        wait_until(is_kept, 60, what="the commands for another terminal")
        (told,) = re.findall(r"twinrow -c (\S+) verify", said[0])
        done = CommandLine(tmp_path).run("-c", told, "status", "--json")
        assert done.code == 0, done.err
        assert done.document["tables"][0]["running"]
        assert f"the page: http://127.0.0.1:{port}/" in said[0]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        assert database.server.password not in said[0]
    finally:
        stop.set()
        thread.join(30)
    assert codes == [0]
    assert set(dynamodb_client.list_tables()["TableNames"]) == before


@pytest.mark.either_server
def test_at_a_terminal_the_page_stays_up_until_enter(
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_app, "ITEMS_BEFORE", 200)
    monkeypatch.setattr(demo, "LIVE_S_MAX", 1.0)
    monkeypatch.setattr(demo, "LIVE_S_MIN", 1.0)
    before = set(dynamodb_client.list_tables()["TableNames"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pressed = iter((False, False, True))
    statuses = []

    def is_entered(_wait_s: float) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        statuses.append(connection.getresponse().status)
        connection.close()
        return next(pressed)

    options = demo.Options(dynamodb.endpoint_url, database.url, False, f"127.0.0.1:{port}", is_entered)
    assert demo.run(options, Stop()) == 0
    assert statuses == [200] * 3
    assert "until you press Enter" in "".join(capsys.readouterr())
    assert set(dynamodb_client.list_tables()["TableNames"]) == before


def test_enter_is_seen_at_a_terminal_and_nobody_is_there_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal, os.fdopen(ours, "wb", buffering=0) as keyboard:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        assert enter.somebody_is_there()
        assert not enter.is_pressed(0.0)
        keyboard.write(b"\n")
        assert enter.is_pressed(30.0)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not enter.somebody_is_there()
