"""Thirty tables from nothing to a service that runs, is watched and alerts: the commands of the page, timed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from bench.ground import CREDENTIALS, DATABASE, ROOT, Ground, NotEqual, ground
from bench.results import Figure
from bench.reviews import create, put
from bench.scale import Scale

PAGE: Final = ROOT / "docs" / "operating" / "many-tables.md"
TABLES: Final = 30
ITEMS: Final = 1_000
COMMANDS_MAX: Final = 15
EVENING_S_MAX: Final = 600.0
COMMAND_S_MAX: Final = 300.0
LOOK_S: Final = 0.5
NOBODY: Final = "http://127.0.0.1:9/"
"""The port `discard`: the test message goes nowhere, which costs the time of a refused connection."""


def evening(_scale: Scale) -> list[Figure]:
    """The time from the first command until the last table is proved, and the number of commands."""
    with ground() as here:
        names = [f"orders-{number:02}" for number in range(1, TABLES + 1)]
        for name in names:
            create(here.client, name)
            put(here.dynamodb.port, range(ITEMS), table=name)
        service, watched = _commands()
        began = time.perf_counter()
        try:
            for command in service:
                _run(here, command)
            _until_live(here, began)
            said = [_run(here, command) for command in watched]
        finally:
            _end(here.folder)
        took_s = time.perf_counter() - began
    if said[-1].count("no difference") != TABLES:
        raise NotEqual(f"not every table was proved: {said[-1][-500:]}")
    count = len(service) + len(watched)
    return [
        Figure(
            "many", f"{TABLES} tables of {ITEMS:,} items, from nothing to proved", took_s, "s", "", None, None,
            f"under {EVENING_S_MAX:g} s", took_s < EVENING_S_MAX,
        ),
        Figure(
            "many", "commands for it", count, "", "", None, None, f"under {COMMANDS_MAX}", count < COMMANDS_MAX
        ),
    ]  # fmt: skip


def _commands() -> tuple[list[str], list[str]]:
    """The commands of the page that make the service, and those that look at it."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return blocks[0].splitlines(), blocks[1].splitlines()


def _run(here: Ground, command: str) -> str:
    """The output of a command of the page, run against these servers. Raises NotEqual when it ends by an error."""
    mysql = here.mysql
    real = command.replace("http://127.0.0.1:8000", here.dynamodb.endpoint_url)
    real = real.replace("127.0.0.1:3306", f"{mysql.host}:{mysql.port}").replace("/analytics", f"/{DATABASE}")
    real = real.replace("mysql://twinrow:", "mysql://root:").replace(":8642", ":0").replace(":9642", ":0")
    real = real.replace("twinrow notify --test", "twinrow notify --test || true")
    environment = {
        **os.environ, **CREDENTIALS, "MYSQL_PASSWORD": mysql.password, "SLACK_WEBHOOK": NOBODY, "COLUMNS": "120",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    out = here.folder / "said.txt"
    with out.open("w") as output:  # a pipe would be held open by the sync that goes on
        done = subprocess.run(
            ["bash", "-c", real], cwd=here.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, timeout=COMMAND_S_MAX, check=False,
        )  # fmt: skip
    said = out.read_text(encoding="utf-8", errors="replace")
    if done.returncode:
        raise NotEqual(f"{command} ended with {done.returncode}: {said[-500:]}")
    return said


def _until_live(here: Ground, began: float) -> None:
    pause = threading.Event()
    while True:
        pause.wait(LOOK_S)
        there = here.query("SHOW TABLES LIKE '_twinrow_meta'")  # made last
        if there and here.query("SELECT COUNT(*) FROM _twinrow_table WHERE phase = 'LIVE'") == [(TABLES,)]:
            return
        if time.perf_counter() - began > 2 * EVENING_S_MAX:
            said = (here.folder / "twinrow.log").read_text(encoding="utf-8", errors="replace")
            raise NotEqual(f"not all tables are LIVE: {said[-500:]}")


def _end(folder: Path) -> None:
    """Stop the sync, and wait for its end: the servers below it are stopped next."""
    pid_file = folder / "twinrow.pid"
    if not pid_file.exists():
        return
    pid, pause = int(pid_file.read_text()), threading.Event()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(int(COMMAND_S_MAX / LOOK_S)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return
            pause.wait(LOOK_S)
