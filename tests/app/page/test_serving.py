"""The page's token stands in no log: it is shown at a terminal, or kept in a file that only its owner reads."""

from __future__ import annotations

import http.client
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fixtures.command_line import TIMEOUT_S, CommandLine, config_of
from tests.fixtures.pseudo_terminal import PseudoTerminal

from twinrow import config
from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.serving import Addresses, serving
from twinrow.app.serve.token import TOKEN_CHARACTERS_MIN, token_of
from twinrow.app.wiring import mysql_of
from twinrow.clock import Stop
from twinrow.errors import ConfigError

CONFIG = config_of(
    "http://127.0.0.1:1", "mysql://u:p@127.0.0.1:1/d", '[[tables]]\nname = "reviews"\ncapture = "scan"\n'
)
"""Servers that are not there: the page says so, and asks for its token all the same."""
TOKEN = "a-token-that-somebody-made"


@contextmanager
def served(capsys: pytest.CaptureFixture[str], addresses: Addresses, *, as_json: bool = False) -> Iterator[list[str]]:
    """The lines that are said when page and metrics begin."""
    loaded = config.parse(CONFIG, environment={})
    source = StatusSource(mysql_of(loaded), loaded.tables)
    with serving(addresses, source, Stop(), Log(as_json=as_json, verbose=True)):
        yield capsys.readouterr().err.splitlines()


def asked(line: str, token: str) -> int:
    """The page's answer to a wish for a raw item; its address is in the line."""
    found = re.search(r"http://([\d.:]+)/", line)
    assert found is not None
    connection = http.client.HTTPConnection(found[1], timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/api/item?table=reviews&id=1", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("as_json", [False, True])
def test_no_log_holds_the_token(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    with served(capsys, Addresses("127.0.0.1:0"), as_json=as_json) as lines:
        (line,) = lines
    assert "token=" not in line
    assert "--serve-token-file" in line


def test_a_terminal_is_shown_the_token(tmp_path: Path) -> None:
    CommandLine(tmp_path).write_config(CONFIG)
    with PseudoTerminal(tmp_path, "sync", "--serve", "127.0.0.1:0") as terminal:
        terminal.wait_for("?token=")
    with PseudoTerminal(tmp_path, "--json-logs", "sync", "--serve", "127.0.0.1:0") as terminal:
        terminal.wait_for("--serve-token-file")
        assert "token=" not in terminal.shown


def test_a_running_sync_writes_the_token_for_its_owner_alone(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    command.write_config(CONFIG)
    process = subprocess.Popen(
        [sys.executable, "-m", "twinrow", "sync", "--serve", "127.0.0.1:0", "--serve-token-file", "token"],
        cwd=tmp_path, text=True, stderr=subprocess.PIPE, umask=0,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = next(one for one in process.stderr if "the page:" in one)
        token = (tmp_path / "token").read_text().strip()
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
        assert token not in line
        assert asked(line, "not-the-token") == 401
        assert asked(line, token) == 503  # MySQL is not there: so far it was let in
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        process.stderr.close()
        process.wait(TIMEOUT_S)
    assert token not in rest


def test_a_token_that_is_there_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    with served(capsys, Addresses("127.0.0.1:0", token_file=path)) as lines:
        (line,) = lines
        assert asked(line, TOKEN) == 503
    assert path.read_text() == f"{TOKEN}\n"
    path.chmod(0o644)
    with served(capsys, Addresses("127.0.0.1:0", token_file=path)) as lines:
        assert f"chmod 600 {path}" in lines[1]


@pytest.mark.parametrize("held", ["", "\n", "short", "two words that are long enough", "x" * 5000, "ä" * 40])
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, held: str) -> None:
    path = tmp_path / "token"
    path.write_text(held)
    with pytest.raises(ConfigError, match="--serve-token-file"):
        token_of(path)
    assert path.read_text() == held


def test_no_link_is_followed_to_write_a_token(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "link", tmp_path / "no" / "folder", tmp_path):
        with pytest.raises(ConfigError, match="--serve-token-file"):
            token_of(path)
    assert [one.name for one in tmp_path.iterdir()] == ["link"]
    assert len(token_of(tmp_path / "token")) >= TOKEN_CHARACTERS_MIN


def test_the_token_file_wants_a_page(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    command.write_config(CONFIG)
    done = command.run("sync", "--serve-token-file", "token")
    assert done.code == 2
    assert "--serve HOST:PORT" in done.err
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize(("address", "warned"), [("0.0.0.0:0", True), ("127.0.0.1:0", False), ("localhost:0", False)])
def test_a_page_that_others_can_reach_is_warned_of(
    capsys: pytest.CaptureFixture[str], address: str, warned: bool
) -> None:
    with served(capsys, Addresses(address)) as lines:
        assert ("has no TLS" in "\n".join(lines)) is warned
