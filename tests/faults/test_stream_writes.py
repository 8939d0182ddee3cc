"""Many random writes while a `twinrow sync` follows the stream, killed every second or not: both sides end equal."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Tell
from tests.fixtures import tables
from tests.fixtures.copying import Copying, Process
from tests.fixtures.databases import Database
from tests.fixtures.killing import lease_runs_out, seeded
from tests.fixtures.waiting import wait_until
from tests.fixtures.writing import Writers

from twinrow.local_servers.servers import DynamoDBLocal

WRITES = 50_000
KEYS = 5_000
WRITERS = 8
LIVES_S = (0.1, 1.9)
"""How long a process lives once it holds the lease: a second on average."""
START_S_MAX = 60.0
CATCH_UP_S_MAX = 600.0
KILLS_MIN = 10


@pytest.fixture
def copying(database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path) -> Copying:
    """A table with a stream on a DynamoDB Local of its own."""
    client = tables.client(fresh_dynamodb.endpoint_url)
    name = tables.create_table(
        client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
    )
    return Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: {"capture": "stream"}})


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("link", [False, True], ids=["unlinked", "linked"])
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_after_many_random_writes_both_sides_are_equal(
    copying: Copying, database: Database, link: bool, killed: bool, tell: Tell
) -> None:
    copying.change(link=link)
    chance = seeded("stream writes")
    writers = Writers(
        copying.endpoint_url, copying.table, chance, writes=WRITES, keys=KEYS, writers=WRITERS,
        user=os.environ["AWS_ACCESS_KEY_ID"],
    )  # fmt: skip
    process = copying.process(once=False)
    wait_until(lambda: _fence(copying) > 0, START_S_MAX, what="the lease is held")
    began = time.monotonic()
    writers.start()
    kills = generations = 0
    while killed and writers.writing():
        before = _generation(copying)
        threading.Event().wait(chance.uniform(*LIVES_S))
        process = _killed_and_restarted(copying, process)
        kills += 1
        generations += _generation(copying) > before
    writers.join()
    wrote_s = time.monotonic() - began
    wait_until(_caught_up(copying, process), CATCH_UP_S_MAX, what="the stream is caught up")
    took_s = time.monotonic() - began
    process.popen.send_signal(signal.SIGTERM)
    code, said = process.ended()
    assert code == 0, said
    copying.assert_equal()
    assert not killed or (kills >= KILLS_MIN and generations > 0), "the kills met no work"
    tell(
        f"stream, {database.flavour}, {'linked' if link else 'unlinked'}, seed {chance.begun_with}: {WRITES:,} writes "
        f"in {wrote_s:.0f} s, equal {took_s - wrote_s:.1f} s later, {kills} kills ({generations} after a commit), "
        "differences = 0"
    )


def _killed_and_restarted(copying: Copying, process: Process) -> Process:
    fence = _fence(copying)
    assert process.popen.poll() is None, process.said()
    process.kill()
    lease_runs_out(copying)
    process = copying.process(once=False)
    wait_until(lambda: _fence(copying) > fence, START_S_MAX, what="the next process holds the lease")
    return process


def _lease(copying: Copying, what: str) -> int:
    if not copying.database.query("SHOW TABLES LIKE '\\_twinrow\\_lease'"):
        return 0
    found = copying.database.query(f"SELECT {what} FROM _twinrow_lease WHERE table_name = %s", copying.table)
    return int(found[0][0]) if found else 0


def _fence(copying: Copying) -> int:
    return _lease(copying, "fence")


def _generation(copying: Copying) -> int:
    return _lease(copying, "generation")


def _caught_up(copying: Copying, process: Process) -> Callable[[], bool]:
    """Whether everything written before now is committed, linked and checked."""
    query = copying.database.query
    began = float(query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])

    def caught_up() -> bool:
        assert process.popen.poll() is None, process.said()
        found = query("SELECT caught_up_at, phase FROM _twinrow_table")
        owed = query("SELECT COUNT(*) FROM _twinrow_recheck WHERE late = 0")[0][0] + copying.state("_twinrow_link")
        return bool(found) and float(found[0][0]) > began and found[0][1] == "LIVE" and owed == 0

    return caught_up
