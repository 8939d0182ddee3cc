"""MySQL's disk is full: nothing is parked, the sync waits and says so, and goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FLAVOURS, ROOT_PASSWORD, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer

DISK_MB = 512
LEFT_BYTES = 200_000
ITEMS = 400
TEXT_BYTES = 3_000
WAIT_S = 90.0


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system of DISK_MB in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that is filled: run the tests as root")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(filler: Path) -> None:
    """Take all room but LEFT_BYTES."""
    free = os.statvfs(filler.parent)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - LEFT_BYTES)


def _linked(copying: Copying) -> bool:
    return all("mysql_id" in item and "migrated" not in item for item in copying.items())


def _told(waits: list[tuple[str, str]]) -> bool:
    """MySQL says so; MariaDB 10.11 ends itself while it rolls back, so that all to be seen is a lost connection."""
    return any("full" in reason or "lost" in reason for _, reason in waits)


def _up(server: MySQLServer) -> bool:
    if server.pid is None:
        server.resume()
    return True


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_full_disk_is_waited_for_and_nothing_is_parked(
    flavour: Flavour, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> None:
    with (
        _small_disk(tmp_path / "disk") as disk,
        MySQLServer.start(flavour, password=ROOT_PASSWORD, folder=disk / "server") as server,
    ):
        database = Database(server, "own")
        database.create()
        table = make_table(index=("migrated-index", "migrated:S", "ALL"))
        options = {"capture": "pending-index", "pending_index": PENDING_INDEX}
        copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: options})
        put_all(copying.client, table, [marked(n) for n in range(20)])
        with copying.running() as running:
            wait_until(lambda: _linked(copying), WAIT_S, what="the first copy")
            filler = disk / "filler"
            _fill(filler)
            put_all(copying.client, table, [marked(n, text={"S": "x" * TEXT_BYTES}) for n in range(ITEMS)])
            wait_until(lambda: _told(running.waits), WAIT_S, what="word of the full disk")
            filler.unlink()
            wait_until(lambda: _up(server) and _linked(copying), WAIT_S, what="the rest of the copy")
        copying.once_well()
        copying.assert_equal(items=ITEMS)
        assert copying.state("_twinrow_dead_letter") == 0
