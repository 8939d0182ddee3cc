"""A first copy from a full export, beside a live stream: it reads no capacity and ends equal, killed or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.copying import Copying, review
from tests.fixtures.databases import Database
from tests.fixtures.export_server import ExportServer, serving
from tests.fixtures.s3 import BUCKET, LocalS3
from tests.fixtures.waiting import wait_until

from twinrow.capture import export_pages
from twinrow.errors import Broken, StartRefused
from twinrow.local_servers.servers import DynamoDBLocal

KEYS = ("username", "reviewed_at")
MakeExporting = Callable[..., tuple[Copying, ExportServer]]


@pytest.fixture
def make(
    database: Database,
    fresh_dynamodb: DynamoDBLocal,
    local_s3: LocalS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeExporting]:
    monkeypatch.setattr(export_pages, "DESCRIBE_EVERY_S", 0.1)
    client = tables.client(fresh_dynamodb.endpoint_url)
    with serving(fresh_dynamodb.endpoint_url, client, local_s3) as server:

        def made(items: int = 60, *, recovery_s: float | None = 3600.0, **options: Any) -> tuple[Copying, ExportServer]:
            name = tables.create_table(
                client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
            )
            server.follow(name, KEYS, recovery_s=recovery_s)
            server.model.forward_s = -600.0  # so that these writes are before the export's moment
            for number in range(items):
                server.put(name, review(number))
            server.model.forward_s = 0.0
            wanted = {
                "capture": "stream", "first_copy": "export",
                "export": {"bucket": BUCKET, "prefix": f"t-{uuid.uuid4().hex[:8]}"}, **options,
            }  # fmt: skip
            copying = Copying(database, client, server.endpoint_url, tmp_path, {name: wanted})
            copying.s3_endpoint_url = local_s3.endpoint_url
            return copying, server

        yield made
    client.close()


def test_it_ends_equal_and_reads_no_capacity(make: MakeExporting) -> None:
    copying, server = make()
    ran = copying.once_well()
    copying.assert_equal(items=60)
    assert server.model.asked == 1
    assert "scan" not in ran.requests
    assert "batch_get_item" not in ran.requests


def test_writes_meanwhile_win_over_the_export(make: MakeExporting) -> None:
    copying, server = make()
    server.model.takes_s = None
    with copying.running():
        wait_until(lambda: bool(server.model.exports), what="the export is asked for")
        for number in range(20):
            server.delete(copying.table, {name: review(number)[name] for name in KEYS})
        for number in range(20, 40):
            server.put(copying.table, review(number, note={"S": "new"}))
        server.put(copying.table, review(900))
        wait_until(lambda: "under way" in _reason(copying), 60, what="it says why it waits")
        (export,) = server.model.exports.values()
        export.ready_at = 0.0
        wait_until(lambda: _phase(copying) == "LIVE", what="the copy is live", timeout_s=120)
    copying.assert_equal(items=41)


@pytest.mark.parametrize("oddity", ["wrong md5", "truncated", "wrong count"])
def test_a_damaged_file_stops_it_and_another_export_mends_it(make: MakeExporting, oddity: str) -> None:
    copying, server = make()
    server.model.oddities = frozenset({oddity})
    error = next(iter(copying.once().outcomes.values())).error
    assert isinstance(error, Broken)
    assert "export file" in error.where
    server.model.oddities = frozenset()
    copying.once_well()
    assert server.model.asked == 2
    copying.assert_equal(items=60)


def test_without_recovery_it_is_refused_with_the_command(make: MakeExporting) -> None:
    copying, server = make(recovery_s=None)
    error = next(iter(copying.once().outcomes.values())).error
    assert isinstance(error, StartRefused)
    assert "point-in-time recovery is off" in str(error)
    assert error.commands[0].startswith("aws dynamodb update-continuous-backups --table-name ")
    assert server.model.asked == 0
    server.model.recovery_since[copying.table] = 0.0
    copying.once_well()
    copying.assert_equal(items=60)


def test_a_bucket_that_is_not_there_is_named_and_mended(make: MakeExporting) -> None:
    copying, _ = make(export={"bucket": "no-such-bucket"})
    error = next(iter(copying.once().outcomes.values())).error
    assert error is not None
    assert "S3NoSuchBucket" in str(error)
    copying.change(export={"bucket": BUCKET})
    copying.once_well()
    copying.assert_equal(items=60)


@pytest.mark.parametrize("point", ["before-export-asked", "after-export-asked", "after-rows"])
def test_killed_anywhere_it_asks_for_no_second_export(make: MakeExporting, point: str) -> None:
    copying, server = make()
    code, said = copying.process_once(environment={"TWINROW_FAIL_POINT": point})
    assert code != 0, said
    code, said = copying.process_once()
    assert code == 0, said
    copying.assert_equal(items=60)
    assert len(server.model.exports) == 1


def test_later_passes_scan_as_ever(make: MakeExporting) -> None:
    copying, server = make(10)
    copying.once_well()
    server.model.exports.clear()
    copying.change(reconcile_every="1ms")
    ran = copying.once_well()
    assert ran.requests.get("scan")
    assert server.model.asked == 1


def _phase(copying: Copying) -> str:
    return str(copying.database.query("SELECT phase FROM _twinrow_table")[0][0])


def _reason(copying: Copying) -> str:
    return str(copying.database.query("SELECT reason FROM _twinrow_table")[0][0])
