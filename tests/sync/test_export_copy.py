"""A first copy from a full export, beside a live stream: it reads no capacity and ends equal, killed or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures import export_server, tables
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, review
from tests.fixtures.databases import Database
from tests.fixtures.export_server import ExportServer, serving
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.s3 import BUCKET, LocalS3
from tests.fixtures.waiting import wait_until

from twinrow.app.check import exports
from twinrow.capture import export_pages
from twinrow.clock import Stop
from twinrow.errors import Broken, StartRefused
from twinrow.exports import job, windows
from twinrow.exports.damaged import DamagedExport
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.sync import filling
from twinrow.workers import readers

pytestmark = pytest.mark.either_server
"""Exports and streams are DynamoDB's and S3's: MySQL gets the rows that any first copy writes."""

KEYS = ("username", "reviewed_at")
MakeExporting = Callable[..., tuple[Copying, ExportServer]]


@pytest.fixture
def make(
    database: Database,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    local_s3: LocalS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeExporting]:
    monkeypatch.setattr(export_pages, "DESCRIBE_EVERY_S", 0.1)
    with serving(dynamodb.endpoint_url, dynamodb_client, local_s3) as server:

        def made(items: int = 60, *, recovery_s: float | None = 3600.0, **options: Any) -> tuple[Copying, ExportServer]:
            name = make_table(stream="NEW_AND_OLD_IMAGES")
            server.follow(name, KEYS, recovery_s=recovery_s)
            server.model.forward_s = -600.0  # so that these writes are before the export's moment
            for number in range(items):
                server.put(name, review(number))
            server.model.forward_s = 0.0
            wanted = {
                "capture": "stream", "first_copy": "export",
                "export": {"bucket": BUCKET, "prefix": f"t-{uuid.uuid4().hex[:8]}"}, **options,
            }  # fmt: skip
            copying = Copying(database, dynamodb_client, server.endpoint_url, tmp_path, {name: wanted})
            copying.s3_endpoint_url = local_s3.endpoint_url
            return copying, server

        yield made


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


@pytest.mark.parametrize("oddity", ["", "wrong md5"])
def test_its_files_are_read_by_processes(make: MakeExporting, monkeypatch: pytest.MonkeyPatch, oddity: str) -> None:
    def read_here(*_: object) -> None:
        raise AssertionError("the files were read in this process")

    monkeypatch.setattr(readers, "read_here", read_here)
    copying, server = make()
    copying.workers = 2
    server.model.oddities = frozenset({oddity} - {""})
    error = copying.once().outcome.error
    if oddity:
        assert isinstance(error, DamagedExport)
        assert "export file" in error.where
        server.model.oddities = frozenset()
        error = copying.once().outcome.error
    assert error is None
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


def test_check_turns_recovery_on_after_it_has_shown_the_price(make: MakeExporting) -> None:
    copying, server = make(recovery_s=None)
    context = copying.copies(Stop())[0][0]
    export = context.settings.export
    assert export is not None
    found = list(exports.look(context.table, context.table.describe(), export))
    (recovery,) = [finding for finding in found if finding.name == exports.RECOVERY]
    assert recovery.level == "error"
    assert recovery.fix is not None
    assert "a month" in recovery.fix.cost
    recovery.fix.act(Stop())
    assert copying.table in server.model.recovery_since
    assert copying.database.query("SELECT table_name, what FROM _twinrow_made") == [(copying.table, "pitr")]
    assert [finding.level for finding in exports.look(context.table, context.table.describe(), export)] == ["ok", "ok"]


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
    lease_runs_out(copying)
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


def test_with_links_it_ends_linked(make: MakeExporting) -> None:
    copying, server = make(link=True)
    copying.once_well()
    copying.assert_equal(items=60)
    assert server.model.asked == 1


def test_ids_that_items_carry_are_seen_before_links_are_written(make: MakeExporting) -> None:
    copying, server = make(link=True)
    server.put(copying.table, review(900, mysql_id={"N": "7"}))
    error = copying.once().outcome.error
    assert error is not None
    assert "items already carry `mysql_id`" in str(error)
    assert not server.model.exports


def test_beside_a_pending_index_deletes_come_by_a_window_behind_it(
    database: Database,
    fresh_dynamodb: DynamoDBLocal,
    local_s3: LocalS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An index shows no hard delete: items deleted while the export was made and loaded would stay."""
    monkeypatch.setattr(export_pages, "DESCRIBE_EVERY_S", 0.1)
    monkeypatch.setattr(windows, "CLOCK_MARGIN_S", 2)
    monkeypatch.setattr(windows, "WINDOW_S_MIN", 1)
    monkeypatch.setattr(export_server, "WINDOW_S", (1, 86_400))
    monkeypatch.setattr(job, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(filling, "LOOK_EVERY_S", 0.1)
    client = tables.client(fresh_dynamodb.endpoint_url)
    with serving(fresh_dynamodb.endpoint_url, client, local_s3) as server:
        name = tables.create_table(client, None, index=("migrated-index", "migrated:S", "ALL"))
        server.follow(name, KEYS)
        server.model.forward_s = -600.0
        for number in range(40):
            server.put(name, review(number))
        server.model.forward_s, server.model.takes_s = 0.0, None
        wanted = {
            "capture": "pending-index", "pending_index": PENDING_INDEX, "first_copy": "export",
            "export": {"bucket": BUCKET, "prefix": f"t-{uuid.uuid4().hex[:8]}"},
        }  # fmt: skip
        copying = Copying(database, client, server.endpoint_url, tmp_path, {name: wanted})
        copying.s3_endpoint_url = local_s3.endpoint_url
        with copying.running():
            wait_until(lambda: bool(server.model.exports), 60, what="the export is asked for")
            for number in range(10):
                server.delete(name, {part: review(number)[part] for part in KEYS})
            for number in range(10, 15):
                server.put(name, marked(number, note={"S": "new"}))
            server.model.takes_s = 0.0
            (export,) = server.model.exports.values()
            export.ready_at = 0.0
            wait_until(lambda: _closed(copying) == [("EXPORTED", 1, "export")], 120, what="the hole is closed")
        copying.once_well()
        copying.assert_equal(items=30)
    client.close()


def _closed(copying: Copying) -> list[tuple[object, ...]]:
    return copying.database.query("SELECT cause, closed_at IS NOT NULL, mended_by FROM _twinrow_gap")


def _phase(copying: Copying) -> str:
    return str(copying.database.query("SELECT phase FROM _twinrow_table")[0][0])


def _reason(copying: Copying) -> str:
    return str(copying.database.query("SELECT reason FROM _twinrow_table")[0][0])
