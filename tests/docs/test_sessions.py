"""What the documentation shows is run: the README's session, its SQL, the library's code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.session import blocks, run, shape, steps
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

# Told only when the work takes long, or while an index is being built.
_NOW_AND_THEN = re.compile(
    r"^reviews: (.*items, 0/s|ACTIVE, migrated-index CREATING, after 0 s|waiting for index .*)$", re.MULTILINE
)


def _shape_of(text: str) -> str:
    # MySQL keeps the keys of a JSON object in an order of its own.
    lines = [json.dumps(json.loads(line), sort_keys=True) if line[:1] == "{" else line for line in text.splitlines()]
    shaped = shape("\n".join(lines))
    # The two servers have each their collation and their way to say the version.
    shaped = shaped.replace("utf0mb0_nopad_bin", "utf0mb0_0_bin").replace("utf0mb0_0000_bin", "utf0mb0_0_bin")
    shaped = re.sub(r"MySQL( version|.*/analytics): 0.*", r"MySQL\1: 0", shaped)
    shaped = re.sub(r"TLS: .*", "TLS", shaped)
    return re.sub(r"\n+", "\n", _NOW_AND_THEN.sub("", shaped)).strip()


def test_the_readmes_session(reviews: DynamoDBLocal, database: Database, tmp_path: Path) -> None:
    (block,) = blocks("README.md", "console")
    shown = steps(block)
    assert len(shown) >= 6
    for step in shown:
        output = run(step.command, tmp_path, database, reviews)
        assert _shape_of(output) == _shape_of(step.output), f"$ {step.command}\n{output}"

    (sql,) = blocks("README.md", "sql")
    rows = database.query(sql.strip().removesuffix(";"))
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for row in rows:
        assert "| {} | {} | {:.2f} |".format(*row) in readme


def test_the_librarys_code(copied: Path, database: Database) -> None:
    first, *_ = blocks("docs/library.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", first], cwd=copied, env={**os.environ, "MYSQL_PASSWORD": database.server.password},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reviews 1000 True\n0.0\n"
