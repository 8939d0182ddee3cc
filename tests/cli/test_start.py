"""The start of a command: it imports what it uses, and nothing more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fixtures.command_line import config_of, pending_table
from tests.fixtures.databases import Database

NOT_FOR_STATUS = {"botocore", "urllib3", "starlette", "uvicorn", "tomlkit", "prometheus_client"}
TIMEOUT_S = 60


@pytest.mark.either_server
@pytest.mark.parametrize(("option", "shows_no_table"), [("--json", {"rich"}), ("--only-bad", set())])
def test_status_imports_nothing_of_aws_and_no_server(
    tmp_path: Path, database: Database, option: str, shows_no_table: set[str]
) -> None:
    """botocore alone took a third of its time."""
    path = tmp_path / "twinrow.toml"
    path.touch(0o600)
    path.write_text(config_of("http://127.0.0.1:1", database.url, pending_table("reviews")))
    command = [sys.executable, "-X", "importtime", "-m", "twinrow", "status", option]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert "reviews" in done.stdout, done.stderr
    imported = {name.partition(".")[0] for name in re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE)}
    assert "pymysql" in imported, "the list of imports cannot be read"
    assert not imported & (NOT_FOR_STATUS | shows_no_table)
