"""Servers start, answer, restart and end with certainty, even when whoever started them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pymysql
import pytest
from tests.fixtures import tables
from tests.fixtures.databases import Database, connect
from tests.fixtures.waiting import is_running, wait_until

from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer, ServerError

_GONE_TIMEOUT_S = 10.0

pytestmark = pytest.mark.slow

_PARENT = """
import sys, threading
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
servers = []
# From a thread that ends: the servers must not end with it.
for start in (DynamoDBLocal.start, lambda: MySQLServer.start(sys.argv[1])):
    thread = threading.Thread(target=lambda: servers.append(start()))
    thread.start()
    thread.join()
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


def _one(server: MySQLServer, sql: str, database: str | None = None) -> object:
    with connect(server, database) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        return row[0] if row else None


def test_both_flavours_answer_and_say_what_they_are(mysql_server: MySQLServer) -> None:
    version = str(_one(mysql_server, "SELECT VERSION()"))
    assert ("MariaDB" in version) == (mysql_server.flavour == "mariadb")
    assert version.startswith("9.7." if mysql_server.flavour == "mysql" else "1")


def test_durability_is_the_servers_default_and_local_infile_is_on(mysql_server: MySQLServer) -> None:
    assert _one(mysql_server, "SELECT @@innodb_flush_log_at_trx_commit") == 1
    assert _one(mysql_server, "SELECT @@local_infile") == 1


def test_the_url_carries_an_odd_password(database: Database) -> None:
    parts = urlsplit(database.url)
    assert parts.password is not None
    assert unquote(parts.password) == database.server.password
    assert (parts.hostname, parts.port, parts.path) == (database.server.host, database.server.port, f"/{database.name}")


def test_root_without_the_password_is_refused(mysql_server: MySQLServer) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(host=mysql_server.host, port=mysql_server.port, user="root", password="")


def test_data_and_port_survive_a_crash_and_a_restart(fresh_mysql_server: MySQLServer) -> None:
    server = fresh_mysql_server
    port, first = server.port, server.pid
    _one(server, "CREATE DATABASE kept")
    _one(server, "CREATE TABLE kept.numbers (n INT) ENGINE=InnoDB")
    _one(server, "INSERT INTO kept.numbers VALUES (7)")

    server.kill()
    assert server.pid is None
    with pytest.raises(pymysql.err.OperationalError):
        connect(server)
    server.resume()
    assert _one(server, "SELECT n FROM kept.numbers") == 7

    server.restart()
    assert _one(server, "SELECT n FROM kept.numbers") == 7
    assert server.port == port
    assert server.pid != first


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_a_given_folder_is_kept_and_taken_up_again(flavour: Flavour, tmp_path: Path) -> None:
    with MySQLServer.start(flavour, folder=tmp_path, password="first") as server:
        _one(server, "CREATE DATABASE kept")
    with MySQLServer.start(flavour, folder=tmp_path, password="second") as server:
        assert _one(server, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'kept'") == 1


def test_stop_ends_the_process_and_removes_what_it_wrote() -> None:
    server = MySQLServer.start("mariadb")
    pid = server.pid
    folder = Path(str(_one(server, "SELECT @@datadir"))).parent
    assert pid is not None
    assert folder.is_dir()
    server.stop()
    server.stop()
    assert not is_running(pid)
    assert not folder.exists()


def test_dynamodb_keeps_tables_in_a_folder_and_forgets_those_in_memory(tmp_path: Path) -> None:
    for folder, kept in ((tmp_path, ["reviews"]), (None, [])):
        with DynamoDBLocal.start(folder) as server:
            client = tables.client(server.endpoint_url)
            tables.create_table(client, "reviews", index=("migrated-index", "migrated:S", "ALL"))
            server.restart()
            assert client.list_tables()["TableNames"] == kept
            client.close()


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_servers_end_with_a_killed_parent(flavour: Flavour) -> None:
    command = [sys.executable, "-c", _PARENT, flavour]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_running(pid) for pid in pids)
        folders = [folder for pid in pids if (folder := _folder_of(pid))]
        assert folders
        parent.kill()
    wait_until(lambda: not any(map(is_running, pids)), _GONE_TIMEOUT_S, what="servers gone")
    wait_until(lambda: not any(folder.exists() for folder in folders), _GONE_TIMEOUT_S, what="folders gone")


def test_a_server_ends_with_a_killed_watchdog() -> None:
    with MySQLServer.start("mariadb") as server:
        pid = server.pid
        assert pid is not None
        watchdog = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        folder = Path(str(_one(server, "SELECT @@datadir"))).parent
        os.kill(watchdog, signal.SIGKILL)
        wait_until(lambda: not is_running(pid), _GONE_TIMEOUT_S, what="server gone")
        assert server.pid is None
    assert not folder.exists()


@pytest.mark.parametrize("piece", ["DynamoDB Local", "MySQL"])
def test_a_missing_server_is_an_error_that_names_the_remedy(
    piece: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINROW_SERVERS", str(tmp_path))
    with pytest.raises(ServerError, match=f"{piece} is missing.*make servers"):
        DynamoDBLocal.start() if piece == "DynamoDB Local" else MySQLServer.start("mysql")


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_a_server_that_does_not_start_shows_why_and_leaves_nothing(
    flavour: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ServerError, match=r"did not start.*no-such-option"):
        MySQLServer.start(flavour, options=["--no-such-option=1"])
    assert list(tmp_path.iterdir()) == []


def _folder_of(pid: int) -> Path | None:
    """The private folder of a server that runs in its data folder, as MySQL does."""
    working = Path(f"/proc/{pid}/cwd").readlink()
    return working.parent if working.name == "data" else None
