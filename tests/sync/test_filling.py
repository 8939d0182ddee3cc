"""A gap of a stream is filled by exports of the missing window: no pass over the table, killed or not."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.copying import Copying, Ran, key, review
from tests.fixtures.databases import Database
from tests.fixtures.export_server import ExportServer, serving
from tests.fixtures.s3 import BUCKET, LocalS3
from tests.fixtures.waiting import wait_until

from twinrow.errors import Broken, Transient
from twinrow.exports import job, windows
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.sync import export_asking, filling

KEYS = ("username", "reviewed_at")
LOST_S = 1200.0
"""Changes are lost from so long ago on."""
ITEMS = 60
REBORN = range(650, 653)
MakeLosing = Callable[..., tuple[Copying, ExportServer]]


@pytest.fixture
def make(
    database: Database,
    fresh_dynamodb: DynamoDBLocal,
    local_s3: LocalS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeLosing]:
    """A copy whose stream has lost the changes of the last twenty minutes, on the clock of exports."""
    monkeypatch.setattr(windows, "CLOCK_MARGIN_S", 2)
    monkeypatch.setattr(job, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(filling, "LOOK_EVERY_S", 0.1)
    client = tables.client(fresh_dynamodb.endpoint_url)
    with serving(fresh_dynamodb.endpoint_url, client, local_s3) as server:

        def made(*, reborn: bool = False, **options: Any) -> tuple[Copying, ExportServer]:
            name = tables.create_table(
                client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
            )
            server.follow(name, KEYS, recovery_s=7200.0)
            lost_from = time.time() - LOST_S
            _write_at(server, lost_from - 600)
            for number in (*range(ITEMS), *(REBORN if reborn else ())):
                server.put(name, review(number))
            _write_at(server, lost_from - 1)  # within the margin of the clocks before the loss
            for number in range(700, 703):
                server.put(name, review(number))
            wanted = {
                "capture": "stream", "gap_fill": "export",
                "export": {"bucket": BUCKET, "prefix": f"t-{uuid.uuid4().hex[:8]}"}, **options,
            }  # fmt: skip
            copying = Copying(database, client, server.endpoint_url, tmp_path, {name: wanted})
            copying.s3_endpoint_url = local_s3.endpoint_url
            copying.once_well()
            if reborn:
                _write_at(server, lost_from - 10)
                for number in REBORN:
                    server.delete(name, key(review(number)))
                _write_at(server, lost_from - 1)
                for number in REBORN:
                    server.put(name, review(number))
                copying.once_well()
            _let_time_pass(copying, lost_from)
            _turn_stream(copying, on=False)
            _lose(server, name)
            for number in REBORN if reborn else ():
                server.delete(name, key(review(number)))
            _turn_stream(copying, on=True)
            server.model.forward_s = 0.0
            return copying, server

        yield made
    client.close()


def _lose(server: ExportServer, name: str) -> None:
    """Twenty minutes of inserts, updates, deletes, re-creates, and pairs of an insert and a delete."""
    server.model.forward_s = -LOST_S + 60
    for number in range(100, 110):
        server.put(name, review(number))
    for number in range(10):
        server.put(name, review(number, note={"S": "updated"}))
    for number in range(10, 20):
        server.delete(name, key(review(number)))
    for number in range(200, 205):
        server.put(name, review(number))
    server.model.forward_s = -300.0
    for number in range(200, 205):
        server.delete(name, key(review(number)))
    for number in range(10, 15):
        server.put(name, review(number, again={"BOOL": True}))
    for number in range(700, 703):
        server.delete(name, key(review(number)))


def _write_at(server: ExportServer, moment: float) -> None:
    """The next writes are of that moment, on the clock of exports."""
    server.model.forward_s = moment - time.time()


def _let_time_pass(copying: Copying, lost_from: float) -> None:
    """All was read until twenty minutes ago, and the older rows were written before."""
    query = copying.database.query
    for part, info in query("SELECT part, info FROM _twinrow_checkpoint WHERE part LIKE 'shard:%%'"):
        moved = {**json.loads(info), "through_at": lost_from}
        query("UPDATE _twinrow_checkpoint SET info = %s WHERE part = %s", json.dumps(moved), part)
    query(
        f"UPDATE `{copying.table}` SET _twinrow_updated_at = _twinrow_updated_at - INTERVAL 1 DAY "
        "WHERE reviewed_at < '2024-01-01T00000700'"
    )


def _turn_stream(copying: Copying, *, on: bool) -> None:
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {"StreamEnabled": False}
    copying.client.update_table(TableName=copying.table, StreamSpecification=wanted)


def _gaps(copying: Copying) -> list[tuple[Any, ...]]:
    return copying.database.query("SELECT cause, mended_by, closed_at IS NOT NULL, why FROM _twinrow_gap ORDER BY id")


def _assert_filled(copying: Copying, ran: Ran) -> None:
    copying.assert_equal(items=ITEMS + 5)
    assert "scan" not in ran.requests
    assert ran.counts.rechecked <= 3 + 5
    assert _gaps(copying) == [("STREAM_RECREATED", "export", 1, None)]


def test_a_lost_window_is_filled_without_a_pass(make: MakeLosing) -> None:
    copying, server = make()
    ran = copying.once_well()
    _assert_filled(copying, ran)
    assert ran.applied()[("PUT", "EXPORT")] >= 20
    assert ran.applied()[("DELETE", "EXPORT")] >= 5
    (export,) = server.model.exports.values()
    assert export.parameters["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"


@pytest.mark.parametrize(
    "point", ["after-export-asked", "before-window-page", "before-fill-saved", "before-gap-closed"]
)
def test_ended_anywhere_it_asks_for_no_second_export(
    make: MakeLosing, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """The work ends at that point and begins again from what is durable."""
    copying, server = make()
    met: list[str] = []

    def end_once(name: str) -> None:
        met.append(name)
        if name == point and met.count(name) == 1:
            raise Transient("ended")

    for module in (filling, export_asking):
        monkeypatch.setattr(module, "fail_point", end_once)
    ran = copying.once_well()
    _assert_filled(copying, ran)
    assert point in met
    assert len(server.model.exports) == 1


def test_an_item_that_came_back_unchanged_just_before_the_loss_goes(make: MakeLosing) -> None:
    """Its row was written without a change, so it looks old, and the window has no line of its delete."""
    copying, _ = make(reborn=True)
    assert copying.state("_twinrow_reborn") == len(REBORN)
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS + 5)
    assert "scan" not in ran.requests


def test_what_the_stream_writes_meanwhile_wins(make: MakeLosing) -> None:
    copying, server = make()
    server.model.takes_s = None
    with copying.running():
        wait_until(lambda: bool(server.model.exports), 60, what="the export is asked for")
        for number in range(5):
            server.put(copying.table, review(number, text={"S": "newer"}))
        for number in range(100, 103):
            server.delete(copying.table, key(review(number)))
        wait_until(lambda: len(_notes(copying)) == 5, 60, what="the stream has brought them")
        (export,) = server.model.exports.values()
        export.ready_at = 0.0
        wait_until(lambda: all(closed for _, _, closed, _ in _gaps(copying)), 120, what="the gap is closed")
    copying.assert_equal(items=ITEMS + 5 - 3)


def test_a_reconcile_does_it_where_recovery_does_not_reach_and_status_says_so(make: MakeLosing) -> None:
    copying, server = make()
    server.model.recovery_since[copying.table] = server.model.now() - 60
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS + 5)
    assert ran.requests["scan"]
    ((_, mended_by, closed, why),) = _gaps(copying)
    assert (mended_by, closed) == ("reconcile", 1)
    assert "point-in-time recovery reaches back" in why
    assert server.model.asked == 0


def test_a_reconcile_does_it_where_exports_fail_for_good(make: MakeLosing) -> None:
    copying, server = make()
    server.model.fails = "AccessDenied"
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS + 5)
    assert ran.requests["scan"]
    ((_, mended_by, _, why),) = _gaps(copying)
    assert (mended_by, "AccessDenied" in why) == ("reconcile", True)


def test_a_small_table_is_read_whole_by_default(make: MakeLosing) -> None:
    copying, server = make(gap_fill="auto")
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS + 5)
    assert ran.requests["scan"]
    assert "a pass costs less" in _gaps(copying)[0][3]
    assert server.model.asked == 0


@pytest.mark.parametrize("oddity", ["wrong md5", "truncated"])
def test_a_damaged_file_stops_the_table_and_the_gap_stays_open(make: MakeLosing, oddity: str) -> None:
    copying, server = make()
    server.model.oddities = frozenset({oddity})
    error = copying.once().outcome.error
    assert isinstance(error, Broken)
    assert "export file" in error.where
    assert _gaps(copying) == [("STREAM_RECREATED", "export", 0, None)]
    server.model.oddities = frozenset()
    copying.once_well()
    copying.assert_equal(items=ITEMS + 5)
    assert len(server.model.exports) == 2


def _notes(copying: Copying) -> list[tuple[Any, ...]]:
    return copying.database.query(f"SELECT row_id FROM `{copying.table}` WHERE text = 'newer'")
