"""Idle: what many tables with nothing to do cost one `twinrow sync`, and how soon a write to one of them arrives."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.ground import CREDENTIALS, KIB, REGION, ROOT, Ground, NotEqual, ground
from bench.results import Figure
from bench.scale import Scale

READY_S_MAX: Final = 600.0
SETTLE_S: Final = 15.0
"""Idle shards are asked less and less often; by then they are at their longest pause."""
MEASURED_S: Final = 20.0
WRITES: Final = 20
LATE_S_MAX: Final = 30.0
LOOK_S: Final = 0.02
CORES_MAX: Final = 0.5
QUERIES_PER_S_MAX: Final = 400.0
SESSIONS_MAX: Final = 40
MEMORY_MB_MAX: Final = 200
LAG_S_MAX: Final = 1.5


@dataclass(frozen=True, slots=True)
class Idle:
    """The cost of a process that follows idle tables; `troubles` are the lines about locks while it copied them."""

    cores: float
    queries_per_s: float
    sessions: int
    threads: int
    memory_mb: float
    lag_s: tuple[float, ...]
    troubles: tuple[str, ...]


def idle(scale: Scale) -> list[Figure]:
    """The figures for idle stream tables, with the limits that hold for 200 of them."""
    tables = scale.idle_tables
    with ground() as here:
        found = measure(here, tables)
    name = f"{tables} idle stream tables"
    limits = (
        ("cores", found.cores, "cores", CORES_MAX),
        ("MySQL queries", found.queries_per_s, "/s", QUERIES_PER_S_MAX),
        ("MySQL sessions", found.sessions, "sessions", SESSIONS_MAX),
        ("memory", found.memory_mb, "MB", MEMORY_MB_MAX),
        ("lag of a write, the longest", max(found.lag_s), "s", LAG_S_MAX),
        ("lock waits at the first copies", len(found.troubles), "lines", 1),
    )
    figures = [
        Figure("idle", f"{name}: {what}", value, unit, "", None, None, f"under {limit:g}", value < limit)
        for what, value, unit, limit in limits
    ]
    return [*figures, Figure("idle", f"{name}: threads", found.threads, "threads", "", None, None)]


def measure(here: Ground, tables: int) -> Idle:
    """Follow so many tables in one process. Raises NotEqual when they do not come to their live phase."""
    names = [f"idle{number:03}" for number in range(tables)]
    for name in names:
        _create(here, name)
    said = here.folder / "sync.txt"
    with said.open("wb") as output:
        sync = subprocess.Popen(
            [sys.executable, "-m", "twinrow", "-c", str(_config(here, names)), "sync"], cwd=ROOT, stdout=output,
            stderr=output, env={**os.environ, **CREDENTIALS},
        )  # fmt: skip
        try:
            _until_live(here, tables, said)
            troubles = tuple(line for line in said.read_text().splitlines() if "lock" in line.lower())
            time.sleep(SETTLE_S)
            cores, queries = _over(here, sync.pid, MEASURED_S)
            sessions = int(here.query("SELECT COUNT(*) FROM information_schema.processlist WHERE db IS NOT NULL")[0][0])
            threads, memory = _status(sync.pid)
            lags = tuple(_lag(here, names[number * tables // WRITES]) for number in range(min(WRITES, tables)))
        finally:
            sync.send_signal(signal.SIGTERM)
            sync.wait(LATE_S_MAX)
    return Idle(cores, queries, sessions - 1, threads, memory, lags, troubles)


def _create(here: Ground, name: str) -> None:
    here.client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    here.client.put_item(TableName=name, Item={"id": {"S": "first"}})


def _config(here: Ground, names: list[str]) -> Path:
    tables = "".join(f'[[tables]]\nname = "{name}"\ncapture = "stream"\n' for name in names)
    path = here.folder / "twinrow.toml"
    path.write_text(
        f'[dynamodb]\nregion = "{REGION}"\nendpoint_url = "{here.dynamodb.endpoint_url}"\n'
        f'[mysql]\nurl = "{here.mysql.url("analytics")}"\n{tables}',
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


def _until_live(here: Ground, tables: int, said: Path) -> None:
    until = time.monotonic() + READY_S_MAX
    live = "SELECT COUNT(*) FROM _twinrow_table WHERE phase = 'LIVE'"
    while not here.query("SHOW TABLES LIKE '\\_twinrow\\_meta'") or here.query(live)[0][0] < tables:
        if time.monotonic() > until:
            raise NotEqual(f"the tables do not come to their live phase: {said.read_text()[-500:]}")
        time.sleep(LOOK_S)


def _over(here: Ground, pid: int, seconds: float) -> tuple[float, float]:
    """Cores of the process and queries a second at MySQL, over so many seconds."""
    asked = "SHOW GLOBAL STATUS LIKE 'Questions'"
    with here.connect() as connection, connection.cursor() as cursor:
        cursor.execute(asked)
        before, cpu, began = int((cursor.fetchone() or ("", 0))[1]), _cpu_s(pid), time.monotonic()
        time.sleep(seconds)
        cursor.execute(asked)
        after, took = int((cursor.fetchone() or ("", 0))[1]), time.monotonic() - began
    return (_cpu_s(pid) - cpu) / took, (after - before - 1) / took


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int) -> tuple[int, float]:
    """Threads, and memory in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    threads, memory = re.search(r"Threads:\s*(\d+)", text), re.search(r"VmRSS:\s*(\d+) kB", text)
    return int(threads[1]) if threads else 0, int(memory[1]) * KIB / 1e6 if memory else 0.0


def _lag(here: Ground, name: str) -> float:
    """From PutItem's answer to the row that another session sees."""
    here.client.put_item(TableName=name, Item={"id": {"S": "second"}})
    began = time.monotonic()
    with here.connect() as connection, connection.cursor() as cursor:
        while time.monotonic() - began < LATE_S_MAX:
            cursor.execute(f"SELECT COUNT(*) FROM {name} WHERE id = 'second'")
            if cursor.fetchone() == (1,):
                return time.monotonic() - began
            time.sleep(LOOK_S)
    raise NotEqual(f"a write to {name} did not arrive in {LATE_S_MAX:g} s")


if __name__ == "__main__":
    with ground() as _here:
        _found = measure(_here, int(sys.argv[1]))
        print(_found, f"median lag {statistics.median(_found.lag_s):.2f}")
