"""What the documentation shows is run: the README's session, its SQL, the library's code, the SQL of the R session."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.docs.session import blocks, fill, run, shape, steps
from tests.fixtures import tables
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

INIT = (
    "twinrow init --endpoint-url http://127.0.0.1:8000 --table reviews --capture pending-index --yes "
    "--mysql 'mysql://twinrow:${MYSQL_PASSWORD}@127.0.0.1:3306/analytics'"
)
R_REMEDY = "sudo apt-get install r-base-core r-cran-dbi r-cran-rmariadb"
R_TIMEOUT_S = 100
# Told only when the work takes long, or while an index is being built.
_NOW_AND_THEN = re.compile(
    r"^reviews: (.*items, 0/s|ACTIVE, migrated-index CREATING, after 0 s|waiting for index .*)$", re.MULTILINE
)


@pytest.fixture
def reviews(fresh_dynamodb: DynamoDBLocal) -> DynamoDBLocal:
    """A DynamoDB Local with the table of the documentation, and nothing else."""
    client = tables.client(fresh_dynamodb.endpoint_url)
    fill(client)
    client.close()
    return fresh_dynamodb


@pytest.fixture
def copied(reviews: DynamoDBLocal, database: Database, tmp_path: Path) -> Path:
    """A folder with the configuration of a copy that is made."""
    for command in (INIT, "twinrow check --fix --yes", "twinrow sync --once"):
        run(command, tmp_path, database, reviews)
    return tmp_path


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


def _make_views(copied: Path, database: Database, reviews: DynamoDBLocal) -> None:
    for statement in run("twinrow schema reviews --views", copied, database, reviews).split(";\n"):
        if statement.strip():
            database.query(statement.strip().removesuffix(";"))


def test_the_librarys_code_and_the_sql_of_the_r_session(
    copied: Path, database: Database, reviews: DynamoDBLocal
) -> None:
    first, *_ = blocks("docs/library.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", first], cwd=copied, env={**os.environ, "MYSQL_PASSWORD": database.server.password},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reviews 1000 True\n0.0\n"

    _make_views(copied, database, reviews)
    (code,) = blocks("docs/r.md", "r")
    queries = re.findall(r'dbGetQuery\(con, "(.*?)"\)', code, re.DOTALL)
    assert len(queries) == 3
    reviews_read, tags, newest = (database.query(query) for query in queries)
    assert len(reviews_read) == 1000
    assert all(isinstance(row[6], float) for row in reviews_read), "the model's columns are numbers"
    assert ("iced",) in [row[:1] for row in tags]
    assert sum(row[2] for row in tags) == 3000
    assert len(newest) == 1000


def _r() -> tuple[str | None, str | None]:
    """The R interpreter, and the package by which it can reach MySQL."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None, None
    asked = "cat(intersect(c('RMariaDB', 'RMySQL'), rownames(installed.packages())))"
    found = subprocess.run([rscript, "-e", asked], capture_output=True, text=True, check=True).stdout.split()
    return rscript, found[0] if found else None


def test_the_r_session(copied: Path, database: Database, reviews: DynamoDBLocal, tmp_path: Path) -> None:
    (code,) = blocks("docs/r.md", "r")
    rscript, driver = _r()
    if rscript is None or driver is None:
        assert "r-cran-dbi r-cran-rmariadb" in (Path(__file__).parents[2] / "docs/r.md").read_text()
        pytest.skip(
            f"R itself was not run ({R_REMEDY}); its SQL was, by test_the_librarys_code_and_the_sql_of_the_r_session"
        )
    _make_views(copied, database, reviews)
    server = database.server
    environment: dict[str, Any] = {
        **os.environ, "MYSQL_HOST": server.host, "MYSQL_PORT": str(server.port), "MYSQL_USER": "root",
        "MYSQL_PASSWORD": server.password, "MYSQL_DATABASE": database.name,
    }  # fmt: skip
    if driver == "RMySQL":  # older Debian has no RMariaDB; what follows the connection is DBI's, the same for both
        code = code.replace("RMariaDB::MariaDB()", "RMySQL::MySQL()").replace(',\n  bigint = "numeric"', "")
    script = tmp_path / "session.R"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [rscript, str(script)], env=environment, capture_output=True, text=True, timeout=R_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Multiple R-squared" in done.stdout
