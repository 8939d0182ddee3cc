"""Where a measure runs: fresh servers, a configuration, and Twinrow as a command whose time and memory are counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from bench.reviews import INDEX, LINK, MARK, TABLE
from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer

REGION = "us-east-1"
DATABASE = "analytics"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
ROOT = Path(__file__).parents[1]
CONNECTIONS_MAX = 32
KIB = 1024
LOOK_S = 0.02
THERE_S = 0.25
SYNC_S_MAX = 600.0
READ_UNITS_PER_S_MAX = 40_000
"""The budget of every measure, kept but out of the way: the default, 1,000 a second, is 18,000 such items in a scan."""


class NotEqual(Exception):
    """A measure whose copy is not equal to its source counts for nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished process: wall time, CPU of it and all its children, the memory of the largest, its output."""

    wall_s: float
    cpu_s: float
    rss_bytes_max: int
    code: int
    stdout: str


@dataclass
class Ground:
    """Two servers that nobody else uses, and a folder for the configuration."""

    dynamodb: DynamoDBLocal
    mysql: MySQLServer
    client: Any
    folder: Path

    def connect(self) -> Connection[Cursor]:
        """A session in autocommit, LOAD DATA LOCAL allowed."""
        return pymysql.connect(
            host=self.mysql.host, port=self.mysql.port, user="root", password=self.mysql.password, database=DATABASE,
            autocommit=True, charset="utf8mb4", local_infile=True,
        )  # fmt: skip

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of one statement."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def table_bytes(self) -> int:
        """The size of the table as DynamoDB tells it."""
        return int(self.client.describe_table(TableName=TABLE)["Table"]["TableSizeBytes"])

    def empty(self) -> None:
        """Forget the copy and all of Twinrow's state."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {DATABASE}")
            cursor.execute(f"CREATE DATABASE {DATABASE}")

    def text(self, capture: str, *, link: bool = False, workers: int | None = None) -> str:
        """The configuration, as TOML."""
        lines = [
            f'[dynamodb]\nregion = "{REGION}"\nendpoint_url = "{self.dynamodb.endpoint_url}"',
            f'[mysql]\nurl = "{self.mysql.url(DATABASE)}"',
            *([f"[sync]\nworkers = {workers}"] if workers else []),
            f'[[tables]]\nname = "{TABLE}"\ncapture = "{capture}"\nlink = {str(link).lower()}',
            f"read_capacity_max = {READ_UNITS_PER_S_MAX}",
            *([f'link_attribute = "{LINK}"'] if link else []),
        ]
        if capture == "pending-index":
            lines.append(
                f'[tables.pending_index]\nindex = "{INDEX}"\nattribute = "{MARK}"\npending = ["false"]\ndone = ""'
            )
        return "\n".join(lines) + "\n"

    def config(self, capture: str, *, link: bool = False, workers: int | None = None) -> Path:
        """The configuration on disk."""
        path = self.folder / "twinrow.toml"
        path.write_text(self.text(capture, link=link, workers=workers), encoding="utf-8")
        path.chmod(0o600)
        return path

    def twinrow(self, config: Path, *arguments: str, may_fail: bool = False) -> Run:
        """`twinrow` with these arguments. Raises NotEqual when it does not end well."""
        ran = run([sys.executable, "-m", "twinrow", "-c", str(config), *arguments], self.folder)
        if ran.code and not may_fail:
            raise NotEqual(f"twinrow {' '.join(arguments)} ended with {ran.code}: {ran.stdout[-500:]}")
        return ran

    def verify(self, config: Path, items: int) -> Run:
        """`twinrow verify`: every measure ends with it. Raises NotEqual unless both sides are equal."""
        ran = self.twinrow(config, "verify", "--json", may_fail=True)
        verdict = json.loads(ran.stdout)
        if not verdict["in_step"] or sum(table["items"] for table in verdict["tables"]) != items:
            raise NotEqual(f"the copy of {items} items is not equal: {ran.stdout[:500]}")
        return ran


def run(command: Sequence[str], folder: Path) -> Run:
    """Run a process to its end; its CPU is counted with that of its children, memory is that of the largest of them."""
    out = folder / "stdout.txt"
    began = time.perf_counter()
    with out.open("wb") as stdout, (folder / "stderr.txt").open("wb") as stderr:
        process = subprocess.Popen(
            list(command), stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, **CREDENTIALS},
        )  # fmt: skip
        with _peak_memory(process.pid) as peak:
            _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = out.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        text += (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
    return Run(wall_s, usage.ru_utime + usage.ru_stime, max(peak, default=0), process.returncode, text)


def until(here: Ground, config: Path, is_there: Callable[[], bool]) -> Run:
    """`twinrow sync` until something is there, then stopped; its time up to then, its CPU with that of its stop.

    Raises NotEqual when it ends by itself or takes longer than SYNC_S_MAX.
    """
    began = time.perf_counter()
    with (here.folder / "sync.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "twinrow", "-c", str(config), "sync"], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, **CREDENTIALS},
        )  # fmt: skip
    over = threading.Event()
    try:
        while not is_there():
            over.wait(THERE_S)
            if process.poll() is not None or time.perf_counter() - began > SYNC_S_MAX:
                said = (here.folder / "sync.txt").read_text(encoding="utf-8", errors="replace")
                raise NotEqual(f"twinrow sync did not come to it: {said[-500:]}")
        wall_s = time.perf_counter() - began
    finally:
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall_s, usage.ru_utime + usage.ru_stime, 0, process.returncode, "")


@contextmanager
def _peak_memory(pid: int) -> Iterator[list[int]]:
    """Looks at the peaks that the kernel keeps of a process and its children, until the end of the block.

    The figure that wait4 gives will not do: it begins with the memory of this process, of which the child was forked.
    """
    peaks: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            peaks.extend(_peak_of(process) for process in _family(pid))
            peaks[:] = [max(peaks, default=0)]

    watcher = threading.Thread(target=look, name="memory", daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def _family(pid: int) -> list[int]:
    """A process and its descendants, as far as they run."""
    found, todo = [], [pid]
    while todo:
        process = todo.pop()
        found.append(process)
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                todo += map(int, children.read_text().split())
            except OSError:
                continue  # it has just ended
    return found


def _peak_of(pid: int) -> int:
    """The most memory that a running process has had, in bytes; 0 when it has ended."""
    try:
        process_status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = re.search(r"VmHWM:\s*(\d+) kB", process_status)
    return int(peak[1]) * KIB if peak else 0


def client_of(dynamodb: DynamoDBLocal) -> Any:
    """A plain botocore client."""
    return botocore.session.Session().create_client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=dynamodb.endpoint_url,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - DynamoDB Local takes any
        config=botocore.config.Config(max_pool_connections=CONNECTIONS_MAX),
    )


@contextmanager
def ground(flavour: Flavour = "mysql", *, on_disk: bool = False) -> Iterator[Ground]:
    """Fresh servers for one measure; `on_disk` keeps DynamoDB's tables over a restart of it."""
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="twinrow-bench-") as name:
        folder = Path(name)
        with (
            DynamoDBLocal.start(folder / "dynamodb" if on_disk else None, long_running=True) as dynamodb,
            MySQLServer.start(flavour) as mysql,
        ):
            made = Ground(dynamodb, mysql, client_of(dynamodb), folder)
            with pymysql.connect(host=mysql.host, port=mysql.port, user="root", password=mysql.password) as connection:
                connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
            yield made
