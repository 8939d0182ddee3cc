"""A server that means harm gets neither the password nor a file, and one clear line tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.fixtures.command_line import CommandLine, config_of
from tests.fixtures.databases import Database
from tests.fixtures.malicious_mysql import (
    SALT,
    MaliciousMySQL,
    Script,
    answers,
    answers_without_rows,
    asks_for_file,
    logs_in_by,
    public_pem,
    wants_full_login,
)

from twinrow import mysql_guard
from twinrow.config import mysql_config
from twinrow.errors import ConfigError, TwinrowError
from twinrow.mysql import MySQL, MySQLError

PASSWORD = "canary-in-clear"
SCAN = '[[tables]]\nname = "reviews"\ncapture = "scan"\n'
KEY = rsa.generate_private_key(65537, 2048)


def refusal(server: MaliciousMySQL, options: str = "") -> str:
    """What a connection to that server ends with, in one line; the password was not sent."""
    with pytest.raises(TwinrowError) as refused:
        MySQL(mysql_config(server.url(PASSWORD, options), "twinrow.toml", None)).connect().close()
    assert PASSWORD.encode() not in b"\n".join(server.heard)
    told = str(refused.value)
    assert "\n" not in told
    return told


def another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if loopback were a network: what the rules make of a server elsewhere."""
    monkeypatch.setattr(mysql_guard, "reach", lambda _driver: "network")


@pytest.mark.parametrize("tls", [False, True], ids=["no-tls", "unverified-tls"])
@pytest.mark.parametrize(
    ("plugin", "prompt"),
    [("mysql_clear_password", b""), ("dialog", b"\x04Password: "), ("mysql_old_password", b"12345678\0")],
)
def test_the_password_is_not_given_away(tmp_path: Path, plugin: str, prompt: bytes, tls: bool) -> None:
    with MaliciousMySQL(logs_in_by(plugin, prompt), tls=tmp_path if tls else None) as server:
        told = refusal(server)
        assert len(server.heard) == (2 if tls else 1), "it was answered"
    assert plugin in told
    assert "ssl_ca=FILE" in told


def test_the_greeting_may_ask_for_it_too(tmp_path: Path) -> None:
    for plugin in ("mysql_clear_password", "dialog"):
        with MaliciousMySQL(answers(b"\x01"), plugin=plugin, tls=tmp_path) as server:
            assert plugin in refusal(server)


@pytest.mark.parametrize("mode", ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])
def test_a_server_that_strips_tls_hears_nothing(tmp_path: Path, mode: str) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(_certificate(tmp_path))
    with MaliciousMySQL(wants_full_login(KEY)) as server:
        assert "TLS" in refusal(server, f"ssl_mode={mode}&ssl_ca={authority}")
        assert server.heard == []


def _certificate(folder: Path) -> bytes:
    with MaliciousMySQL(answers(b""), tls=folder):
        (path,) = folder.glob("server-*.pem")
        return path.read_bytes().partition(b"-----BEGIN PRIVATE")[0]


def test_from_another_host_no_key_is_taken_that_is_not_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    another_host(monkeypatch)
    for script in (wants_full_login(KEY), logs_in_by("sha256_password")):
        with MaliciousMySQL(script) as server:
            assert "server_public_key=FILE" in refusal(server)
    pinned = tmp_path / "public_key.pem"
    pinned.write_bytes(public_pem(KEY))
    with MaliciousMySQL(wants_full_login(rsa.generate_private_key(65537, 2048))) as server:
        refusal(server, f"server_public_key={pinned}")  # it logs in, and then the server has no rows
        sent = next(one for one in server.heard if len(one) == KEY.key_size // 8)
    masked = KEY.decrypt(sent, _oaep())
    assert bytes(a ^ b for a, b in zip(masked, SALT * 9, strict=False)) == PASSWORD.encode() + b"\0"
    with MaliciousMySQL(wants_full_login(KEY), tls=tmp_path) as server:
        assert "ssl_mode=DISABLED beside" in refusal(server, f"server_public_key={pinned}")


def _oaep() -> padding.OAEP:
    sha1 = hashes.SHA1()  # noqa: S303 - MySQL's own protocol has it
    return padding.OAEP(padding.MGF1(sha1), sha1, None)


def test_a_key_that_cannot_be_used_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no key")
    for name in ("no.pem", "missing.pem"):
        config = mysql_config(f"mysql://u:p@127.0.0.1:1/d?server_public_key={tmp_path / name}", "twinrow.toml", None)
        with pytest.raises(ConfigError, match="server_public_key"):
            MySQL(config).connect()


@pytest.mark.parametrize("afterwards", [b"\x00\x00\x00\x02\x00\x00\x00", b"\xff\x7a\x04#42S02no such table", b"\xfe"])
def test_a_file_that_is_asked_for_is_one_line(tmp_path: Path, afterwards: bytes) -> None:
    command = CommandLine(tmp_path)
    with MaliciousMySQL(asks_for_file(b"/etc/passwd\x1b[2J", afterwards=afterwards)) as server:
        command.write_config(config_of("http://127.0.0.1:1", server.url(PASSWORD), SCAN))
        done = command.run("status")  # which asserts that no traceback is shown
        assert not any(b"root:" in one for one in server.heard)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert "asks for a file of this machine ('/etc/passwd\\x1b[2J')" in line
    assert "ssl_ca=FILE" in line


@pytest.mark.parametrize(
    "script",
    [
        answers(b""), answers(b"\x01"), answers(b"\x01\x09"), answers(b"\xfe"), answers(b"\xfe\xff\xff\0"),
        answers(b"\xff"), logs_in_by("\N{SNOWMAN}"), logs_in_by("no_such_plugin"), answers(b"\x0a" * 40),
        answers_without_rows,
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_one_line(script: Script) -> None:
    with MaliciousMySQL(script) as server:
        assert "MySQL 127.0.0.1" in refusal(server)


def test_real_servers_are_logged_in_to_with_a_pinned_key(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.flavour == "mariadb":
        pytest.skip("MariaDB 10.11 has no plugin that asks for a key")
    ((folder,),) = database.query("SELECT @@datadir")
    key = Path(folder) / "public_key.pem"
    other = tmp_path / "other.pem"
    other.write_bytes(public_pem(KEY))
    user = f"pinned_{database.name[-8:]}"
    database.query(f"CREATE USER '{user}'@'%' IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'")
    database.query(f"GRANT ALL ON `{database.name}`.* TO '{user}'@'%'")
    another_host(monkeypatch)

    def connect(options: str) -> None:
        database.query("FLUSH PRIVILEGES")  # forgets who has logged in: the whole password is asked for again
        url = database.server.url(database.name, user, PASSWORD)
        MySQL(mysql_config(f"{url}?{options}", "twinrow.toml", None)).connect().close()

    try:
        connect(f"ssl_mode=DISABLED&server_public_key={key}")
        with pytest.raises(MySQLError, match="1045"):
            connect(f"ssl_mode=DISABLED&server_public_key={other}")
        connect(f"ssl_ca={Path(folder) / 'ca.pem'}&server_public_key={other}")  # verified: the key is not needed
        connect("ssl_mode=REQUIRED")
        with pytest.raises(TwinrowError, match="server_public_key=FILE"):
            connect("ssl_mode=DISABLED")
    finally:
        database.query(f"DROP USER '{user}'@'%'")
