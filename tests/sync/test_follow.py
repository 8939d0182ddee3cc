"""Following a stream of DynamoDB Local beside a snapshot, on both servers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures import tables
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request
from tests.fixtures.waiting import wait_until

from twinrow.capture import stream_record
from twinrow.capture.stream_record import StreamRecord
from twinrow.clock import Stop
from twinrow.errors import Throttled
from twinrow.kinds.stream.follow import Follow
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.mysql import Connection
from twinrow.state import outbox, recheck
from twinrow.state.outbox import PendingLink
from twinrow.sync.recheck import recheck_some
from twinrow.table.context import TableContext
from twinrow.write.batch import Applied

WRITERS = 4
WRITES_A_WRITER = 150
KEYS = 60
CATCH_UP_S = 60.0
ONCE_ENDS_S = 150.0
"""DynamoDB Local cuts the times of records to the minute: up to one passes until a record is newer than the start."""
WRITE_EVERY_S = 0.02
"""Often enough that the stream never stands still, and its links are never all paid."""

MakeFollowing = Callable[..., Copying]


@pytest.fixture
def make_following(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> MakeFollowing:
    """A table with a stream, and the configuration that copies it."""

    def make(view: str = "NEW_AND_OLD_IMAGES", **options: Any) -> Copying:
        wanted = {"capture": "stream", **options}
        return Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {make_table(stream=view): wanted})

    return make


def _write(copying: Copying, chance: random.Random, writes: int) -> None:
    """Puts, updates, deletes and re-creates over few keys, so that each key has a long story."""
    for n in range(writes):
        item = review(chance.randrange(KEYS), version={"N": str(n)})
        key = {name: item[name] for name in ("username", "reviewed_at")}
        drawn = chance.random()
        if drawn < 0.5:
            copying.client.put_item(TableName=copying.table, Item=item)
        elif drawn < 0.75:
            copying.client.update_item(
                TableName=copying.table, Key=key, UpdateExpression="SET version = :v",
                ExpressionAttributeValues={":v": {"N": str(-n)}},
            )  # fmt: skip
        else:
            copying.client.delete_item(TableName=copying.table, Key=key)


def _caught_up(copying: Copying) -> Callable[[], bool]:
    """Whether everything written before now is committed, linked and checked."""
    began = copying.database.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0]

    def caught_up() -> bool:
        found = copying.database.query("SELECT caught_up_at, phase FROM _twinrow_table")
        owed = copying.database.query("SELECT COUNT(*) FROM _twinrow_recheck WHERE late = 0")[0][0]
        at_rest = copying.state("_twinrow_link") == 0 and owed == 0
        return bool(found) and float(found[0][0]) > float(began) and found[0][1] == "LIVE" and at_rest

    return caught_up


@pytest.mark.parametrize("link", [False, True])
def test_writers_beside_snapshot_and_follow_end_equal(make_following: MakeFollowing, link: bool) -> None:
    copying = make_following(link=link)
    put_all(copying.client, copying.table, [review(n, old={"BOOL": True}) for n in range(KEYS)])
    with copying.running():
        writers = [
            threading.Thread(target=_write, args=(copying, random.Random(seed), WRITES_A_WRITER))
            for seed in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        wait_until(_caught_up(copying), CATCH_UP_S, what="the stream is caught up")
    copying.assert_equal()


def test_the_echo_of_a_link_is_no_change(make_following: MakeFollowing) -> None:
    """Each item that is linked comes back by the stream; counted again, a thousand items would be two thousand."""
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(5)])
    copying.once_well()
    assert copying.once_well().applied() == {}
    put_all(copying.client, copying.table, [review(n, version={"N": "2"}) for n in range(3)])
    assert copying.once_well().applied() == {("PUT", "STREAM"): 3}


@pytest.mark.either_server
def test_shards_are_durable_before_the_first_page_is_scanned(make_following: MakeFollowing) -> None:
    """Whatever is written from the first page on is in what is followed, however long the pages take."""
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(5)])
    shards_at_scan: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Scan":
            found = copying.database.query("SELECT COUNT(*) FROM _twinrow_checkpoint WHERE part LIKE 'shard:%%'")
            shards_at_scan.append(int(found[0][0]))
        return forward(None)

    with DynamoDBProxy(copying.endpoint_url, rule) as proxy:
        copying.endpoint_url = proxy.endpoint_url
        copying.once_well()
        assert shards_at_scan[0] >= 1
        copying.assert_equal(items=5)


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
@pytest.mark.either_server
def test_every_view_type_ends_equal_and_linked(make_following: MakeFollowing, view: str) -> None:
    copying = make_following(view, link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(30)])
    copying.once_well()
    copying.assert_equal(items=30)
    _write(copying, random.Random(7), 60)
    copying.once_well()
    copying.assert_equal()


@pytest.mark.either_server
def test_a_second_run_writes_nothing(make_following: MakeFollowing) -> None:
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(40)])
    copying.once_well()
    before = copying.rows("row_id, _twinrow_updated_at")
    ran = copying.once_well()
    assert copying.rows("row_id, _twinrow_updated_at") == before
    assert ran.counts.links_paid == 0
    assert "scan" not in ran.requests


def test_deleted_and_re_created_it_has_one_row_rightly_linked(make_following: MakeFollowing) -> None:
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(1), review(2)])
    copying.once_well()
    key = {name: review(1)[name] for name in ("username", "reviewed_at")}
    copying.client.delete_item(TableName=copying.table, Key=key)
    copying.client.put_item(TableName=copying.table, Item=review(1, again={"BOOL": True}))
    copying.once_well()
    copying.assert_equal(items=2)


@pytest.mark.either_server
def test_our_own_link_that_comes_back_before_its_answer_is_settled_asks_for_nothing(
    make_following: MakeFollowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is often faster than the thread that waits for DynamoDB's answer."""
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(30)])
    settle = outbox.settle

    def settle_late(connection: Connection, table: str, links: Sequence[PendingLink]) -> list[PendingLink]:
        # its own echoes alone: others may wait for this thread to be sent
        hashes = [link.key_hash for link in links]
        wait_until(lambda: not outbox.standing(connection, table, hashes), CATCH_UP_S, what="the echoes settle links")
        return settle(connection, table, links)

    with monkeypatch.context() as patch, copying.running() as running:
        patch.setattr(outbox, "settle", settle_late)
        wait_until(lambda: all("mysql_id" in item for item in copying.items()), CATCH_UP_S, what="links")
        wait_until(lambda: copying.state("_twinrow_link") == 0, CATCH_UP_S, what="the echoes settle links")
    assert running.ran is not None
    assert running.ran.counts.rechecked == 0
    copying.once_well()
    copying.assert_equal(items=30)


@pytest.mark.either_server
def test_a_re_created_stream_is_a_gap_that_a_reconcile_closes(make_following: MakeFollowing) -> None:
    """What was written while the stream was off is in no stream."""
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(40)])
    copying.once_well()
    _turn_stream(copying, on=False)
    put_all(copying.client, copying.table, [review(n, missed={"BOOL": True}) for n in range(10, 50)])
    copying.client.delete_item(
        TableName=copying.table, Key={name: review(3)[name] for name in ("username", "reviewed_at")}
    )
    _turn_stream(copying, on=True)
    copying.once_well()
    causes = copying.database.query("SELECT cause, closed_at IS NOT NULL FROM _twinrow_gap")
    assert causes == [("STREAM_RECREATED", 1)]
    copying.assert_equal(items=49)


@pytest.mark.either_server
def test_a_table_without_its_stream_is_refused(make_following: MakeFollowing) -> None:
    copying = make_following()
    _turn_stream(copying, on=False)
    error = copying.once().outcome.error
    assert error is not None
    assert "check --fix" in str(error)
    assert error.exit_code == 2


def test_soft_deletes_keep_the_row_and_revive_it_with_its_id(make_following: MakeFollowing) -> None:
    copying = make_following(deletes="soft")
    put_all(copying.client, copying.table, [review(1), review(2)])
    copying.once_well()
    ids = copying.rows("row_id")
    key = {name: review(1)[name] for name in ("username", "reviewed_at")}
    copying.client.delete_item(TableName=copying.table, Key=key)
    copying.once_well()
    verdict = copying.verify()
    assert (verdict.items, verdict.rows, verdict.kept) == (1, 1, 1)
    copying.client.put_item(TableName=copying.table, Item=review(1))
    copying.once_well()
    assert copying.rows("row_id") == ids
    copying.assert_equal(items=2)


def _turn_stream(copying: Copying, *, on: bool) -> None:
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {"StreamEnabled": False}
    copying.client.update_table(TableName=copying.table, StreamSpecification=wanted)
    wait_until(lambda: tables.is_active(copying.client, copying.table), 30, what="the table is active")


def test_an_image_that_a_scan_met_between_two_changes_does_not_stay(make_following: MakeFollowing) -> None:
    """There and back within one batch of records, after the row was written from the image between."""
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(1, text={"S": "before"})])
    copying.once_well()
    put_all(copying.client, copying.table, [review(1, text={"S": "between"})])
    copying.database.query(f"UPDATE `{copying.table}` SET text = 'between'")  # as a recheck would have it by now
    put_all(copying.client, copying.table, [review(1, text={"S": "before"})])
    copying.once_well()
    copying.assert_equal(items=1)


def test_an_item_keeps_its_id_when_a_recheck_is_ahead_of_the_stream(
    make_following: MakeFollowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted and re-created, then rechecked, and only then the stream tells of both, one at a time."""
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(1), review(2)])
    copying.once_well()
    (before,) = copying.rows("row_id", "reviewed_at LIKE '%%1'")
    behind, step = threading.Event(), Follow.step

    def step_unless_behind(self: Follow) -> tuple[bool, Applied | None]:
        return (False, None) if behind.is_set() else step(self)

    monkeypatch.setattr(Follow, "step", step_unless_behind)
    monkeypatch.setattr("twinrow.kinds.stream.follow.RECORDS_A_BATCH_MAX", 1)
    behind.set()
    session = copying.copies(Stop())[1].connect()
    key = {name: review(1)[name] for name in ("username", "reviewed_at")}
    with copying.running():
        copying.client.delete_item(TableName=copying.table, Key=key)
        put_all(copying.client, copying.table, [review(1, text={"S": "again"})])
        (key_hash,) = copying.rows("_twinrow_key", "reviewed_at LIKE '%%1'")[0]
        recheck.add(session, copying.table, [(key_hash, key)], "test")
        wait_until(lambda: copying.rows("text", "reviewed_at LIKE '%%1'") == [("again",)], 20, what="the recheck")
        assert copying.rows("row_id", "reviewed_at LIKE '%%1'") == [before]
        behind.clear()
        wait_until(_caught_up(copying), CATCH_UP_S, what="the stream is caught up")
    session.close()
    copying.assert_equal(items=2)
    assert copying.rows("row_id", "reviewed_at LIKE '%%1'") == [before]


def _tell_times_to_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records carry the time of their write, which their items hold: DynamoDB Local cuts times to the minute.

    All clocks are those of this machine, so that a second is margin enough.
    """

    def read(raw: Any) -> tuple[StreamRecord, ...]:
        records = stream_record.read(raw)
        for record in records:
            if record.change.item is not None and "at" in record.change.item:
                record.dynamodb.approximate_creation_date_time = float(record.change.item["at"]["N"])
        return records

    monkeypatch.setattr("twinrow.capture.dynamodb_stream.stream_record", SimpleNamespace(read=read))
    monkeypatch.setattr("twinrow.capture.stream.NEWER_S", 1.0)


@pytest.mark.timeout(300)
@pytest.mark.either_server
def test_once_ends_while_the_application_goes_on_writing(
    make_following: MakeFollowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tell_times_to_the_moment(monkeypatch)
    copying = make_following(link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(20)])
    copying.once_well()
    over, written = threading.Event(), threading.Event()

    def write() -> None:
        turn = 0
        while not over.wait(WRITE_EVERY_S):
            turn += 1
            item = review(turn % 40, turn={"N": str(turn)}, at={"N": str(time.time())})
            put_all(copying.client, copying.table, [item])
            written.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    written.wait()
    stop = Stop()
    gives_up = threading.Timer(ONCE_ENDS_S, stop.set)
    gives_up.start()
    try:
        copying.once_well(stop=stop)
        assert not stop, "it followed the writer for ever"
    finally:
        gives_up.cancel()
        over.set()
        writer.join()
    copying.once_well()
    copying.assert_equal(items=40)


@pytest.mark.either_server
def test_a_fault_of_our_own_is_told_and_lets_the_lease_go(
    make_following: MakeFollowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_following()
    put_all(copying.client, copying.table, [review(1)])
    copying.once_well()

    def faulty(self: Follow) -> bool:
        raise ValueError("never thought of")

    with monkeypatch.context() as patch:
        patch.setattr(Follow, "step", faulty)
        error = copying.once().outcome.error
    assert "fault in Twinrow: ValueError in twinrow.sync.table_work, line " in str(error)
    assert "never thought of" not in str(error)  # an exception's own words may be an item's values
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("BROKEN",)]
    # to be had at once; the holder's name stays, since a link call may be under way
    assert copying.database.query("SELECT deadline <= UTC_TIMESTAMP(6) FROM _twinrow_heartbeat") == [(1,)]
    assert not [one.name for one in threading.enumerate() if one.name.startswith(("link-", "shard"))]
    put_all(copying.client, copying.table, [review(2)])
    copying.once_well()
    copying.assert_equal(items=2)


@pytest.mark.either_server
def test_a_stream_is_followed_while_rechecks_are_throttled(
    make_following: MakeFollowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_following()
    put_all(copying.client, copying.table, [review(1)])
    copying.once_well()
    throttled = threading.Event()
    throttled.set()

    def throttle(context: TableContext, in_flight: set[bytes]) -> tuple[int, Applied | None]:
        if throttled.is_set():
            raise Throttled("DynamoDB throttles", where=f"table {context.name}")
        return recheck_some(context, in_flight)

    monkeypatch.setattr("twinrow.sync.table_work.recheck_some", throttle)
    with copying.running() as running:
        put_all(copying.client, copying.table, [review(n) for n in range(5)])
        wait_until(lambda: len(copying.rows("row_id")) == 5, CATCH_UP_S, what="rows of new items")
        assert any("throttles" in reason for _, reason in running.waits)
        throttled.clear()
    copying.once_well()
    copying.assert_equal(items=5)
