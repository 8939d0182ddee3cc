"""Sessions shown in the documentation, run for real: the same commands, and output of the same shape."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fixtures import tables
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database

from twinrow.app.demo import app as demo_app
from twinrow.local_servers.servers import DynamoDBLocal

REPOSITORY = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 90
DOCUMENTED_MYSQL = "127.0.0.1:3306"
DOCUMENTED_DYNAMODB = "http://127.0.0.1:8000"
TABLE = "reviews"
ITEMS = 1000


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page that are marked with this language."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass
class Step:
    """A command as it is shown, and the output shown under it."""

    command: str
    output: str


def steps(block: str) -> list[Step]:
    """The commands (`$ …`) of a console block with their outputs."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1
        while lines[count - 1].endswith("\\"):
            count += 1
        found.append(Step("\n".join(lines[:count]), "\n".join(lines[count:]).strip()))
    return found


def shape(text: str) -> str:
    """Output without its figures and alignment: what is left must be the same wherever it is run."""
    text = re.sub(r"\d[\d,.]*", "0", text)
    text = re.sub(r"[─━]+", "─", text)
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


def fill(client: Any) -> None:
    """The app's table of the documentation: 1,000 reviews from before, no index."""
    tables.create_table(client, TABLE)
    rng = random.Random(2025)
    put_all(client, TABLE, [demo_app.review(rng, number) for number in range(ITEMS)])


def run(command: str, folder: Path, database: Database, dynamodb: DynamoDBLocal) -> str:
    """Run a shown command against the real servers; stdout and stderr as a terminal shows them.

    Raises AssertionError when it ends by an error; 3 (differences found) is no error here.
    """
    server = database.server
    real = command.replace(DOCUMENTED_MYSQL, f"{server.host}:{server.port}").replace("/analytics", f"/{database.name}")
    real = real.replace(DOCUMENTED_DYNAMODB, dynamodb.endpoint_url).replace("mysql://twinrow:", "mysql://root:")
    environment = {
        **os.environ, "MYSQL_PASSWORD": server.password, "COLUMNS": "120", "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", real], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), f"$ {command}\n{done.stdout}"
    shown = done.stdout.replace(f"{server.host}:{server.port}", DOCUMENTED_MYSQL)
    return shown.replace(database.name, "analytics").replace(dynamodb.endpoint_url, DOCUMENTED_DYNAMODB).strip()
