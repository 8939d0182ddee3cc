"""What analysts do with a copy, run as the pages show it: in R, in Python with pandas, and in the notebook."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.docs.session import ITEMS, REPOSITORY, TABLE, blocks, run
from tests.fixtures import tables
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

R_REMEDY = (
    "make servers installs it on Debian; elsewhere install R with DBI and RMariaDB (or RMySQL), or set TWINROW_NO_R=1"
)
SESSION_TIMEOUT_S = 200
CAUSES = ("(Intercept)", "flavour_sweet", "flavour_sour", "flavour_bitter", "price")
CLOSE = 1e-6
"""DECIMALs are doubles in R and numpy, and both fit by least squares in doubles."""


@pytest.fixture
def views(copied: Path, database: Database, reviews: DynamoDBLocal) -> Path:
    """A folder with the files of the documentation, beside a copy with the views of `schema --views`."""
    for statement in run("twinrow schema reviews --views", copied, database, reviews).split(";\n"):
        if statement.strip():
            database.query(statement.strip().removesuffix(";"))
    shutil.copy(REPOSITORY / "docs" / "twinrow.R", copied)
    return copied


def fitted(reviews: DynamoDBLocal) -> dict[str, float]:
    """The model of the pages, by the normal equations in exact fractions, from DynamoDB's own numbers."""
    client = tables.client(reviews.endpoint_url)
    items = [item for page in client.get_paginator("scan").paginate(TableName=TABLE) for item in page["Items"]]
    client.close()
    rows = []
    for item in items:
        flavour = item["flavour"]["M"]
        numbers = [flavour[name]["N"] for name in ("sweet", "sour", "bitter")] + [item["price"]["N"]]
        rows.append(([Fraction(1), *map(Fraction, numbers)], Fraction(item["rating"]["N"])))
    size = range(len(CAUSES))
    nothing = Fraction(0)
    system: list[list[Fraction]] = [
        [
            *(sum((row[i] * row[j] for row, _ in rows), nothing) for j in size),
            sum((row[i] * rating for row, rating in rows), nothing),
        ]
        for i in size
    ]
    for i in size:
        system[i] = [value / system[i][i] for value in system[i]]
        for j in size:
            if j != i:
                factor = system[j][i]
                system[j] = [a - factor * b for a, b in zip(system[j], system[i], strict=True)]
    return {name: float(system[number][-1]) for number, name in enumerate(CAUSES)}


def environment(database: Database) -> Mapping[str, str]:
    server = database.server
    return {
        **os.environ, "MYSQL_HOST": server.host, "MYSQL_PORT": str(server.port), "MYSQL_USER": "root",
        "MYSQL_PASSWORD": server.password, "MYSQL_DATABASE": database.name, "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def session(command: list[str], folder: Path, database: Database) -> str:
    """Run it in the folder; what it printed. Raises AssertionError when it ends by an error, or warns."""
    done = subprocess.run(
        command, cwd=folder, env=environment(database), capture_output=True, text=True, timeout=SESSION_TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def assert_fitted(printed: str, reviews: DynamoDBLocal) -> None:
    """The coefficients, printed as `NAME VALUE` lines, are those of the same fit in exact numbers."""
    found = dict(
        line.rsplit(" ", 1) for line in printed.splitlines() if line.startswith(CAUSES) and line.count(" ") == 1
    )
    wanted = fitted(reviews)
    assert found.keys() == wanted.keys(), printed
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, rel=CLOSE, abs=CLOSE), name


@cache
def r_driver() -> str | None:
    """The package by which R reaches MySQL; None where R, DBI or both drivers are missing."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    asked = "p <- rownames(installed.packages()); if ('DBI' %in% p) cat(intersect(c('RMariaDB', 'RMySQL'), p))"
    found = subprocess.run([rscript, "-e", asked], capture_output=True, text=True, check=True).stdout.split()
    return found[0] if found else None


R_SHOWS = r"""
for (name in names(coef(fit))) cat(sprintf("%s %.10f\n", name, coef(fit)[[name]]))
con <- twinrow_connect()
whole <- twinrow_read(con, "reviews", "*, _twinrow_updated_at")
cat("rows", nrow(whole), nrow(reviews), nrow(newest), sum(tags$reviews), "\n")
cat("types", class(whole$rating), class(whole$verified), class(whole$`_twinrow_updated_at`)[1], "\n")
cat("age", as.numeric(difftime(Sys.time(), max(whole$`_twinrow_updated_at`), units = "secs")), "\n")
cat("late", nrow(twinrow_newer(con, "reviews", Sys.time() + 86400)), "\n")
cat("accent", sum(grepl("décaf", whole$tags)) > 0, "\n")
"""


def test_the_session_in_r(views: Path, database: Database, reviews: DynamoDBLocal) -> None:
    if r_driver() is None:
        if os.environ.get("TWINROW_NO_R"):
            pytest.skip("TWINROW_NO_R is set: docs/r.md was not run")
        pytest.fail(f"R cannot reach MySQL here: {R_REMEDY}")
    (code,) = blocks("docs/r.md", "r")
    (views / "session.R").write_text(code + R_SHOWS, encoding="utf-8")
    printed = session(["Rscript", "session.R"], views, database)

    assert "Multiple R-squared" in printed
    assert_fitted(printed, reviews)
    shown = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
    assert shown["rows"] == [str(ITEMS)] * 3 + [str(3 * ITEMS)]
    assert shown["types"] == ["numeric", "logical", "POSIXct"]
    assert 0 <= float(shown["age"][0]) + 2 < 600, "the time is not read in UTC"
    assert shown["late"] == ["0"]
    assert shown["accent"] == ["TRUE"]


def test_the_session_in_python_with_pandas(views: Path, database: Database, reviews: DynamoDBLocal) -> None:
    (code,) = blocks("docs/pandas.md", "python")
    printed = session([sys.executable, "-c", code], views, database)
    assert_fitted(printed, reviews)
    assert printed.splitlines()[-1].startswith(f"{ITEMS} 20")


def test_the_notebook_says_what_the_page_says_and_runs(views: Path, database: Database, reviews: DynamoDBLocal) -> None:
    """Its cells one after the other, each shown and none empty."""
    made: Any = json.loads((REPOSITORY / "docs" / "reviews.ipynb").read_text(encoding="utf-8"))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    cells = ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    assert all(cell.strip() for cell in cells)
    assert all(cell["outputs"] == [] for cell in made["cells"] if cell["cell_type"] == "code"), "data of a copy"
    lines = "\n".join(f"exec(compile({cell!r}, 'cell {n}', 'exec'))" for n, cell in enumerate(cells))
    assert_fitted(session([sys.executable, "-c", lines], views, database), reviews)
