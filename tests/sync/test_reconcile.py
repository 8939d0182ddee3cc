"""Reconcile on real servers: whatever came between the two sides is mended, and a table at rest is left alone."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review, wire
from tests.fixtures.killing import asleep, lease_runs_out, seeded
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request
from tests.fixtures.waiting import wait_until

from twinrow.app.observe.status import collect
from twinrow.clock import Stop
from twinrow.compare.lonely import LonelyRows
from twinrow.config import parse
from twinrow.errors import ConnectionLost, LeaseLost
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state import checkpoint, gap, recheck
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync.recheck import recheck_some
from twinrow.sync.reconcile import Reconcile
from twinrow.table.context import TableContext
from twinrow.write.batch import Applied

EVERYTHING = "*, _twinrow_key, _twinrow_extra, _twinrow_updated_at, _twinrow_deleted_at"
WRITERS = 4
WRITERS_S = 3.0


def _ids(copying: Copying) -> dict[tuple[str, str], int]:
    return {(name, at): row_id for row_id, name, at in copying.rows("row_id, username, reviewed_at")}


def _pair(item: Wire) -> tuple[str, str]:
    return item["username"]["S"], item["reviewed_at"]["S"]


@pytest.mark.either_server
def test_a_scan_pass_over_an_unchanged_table_writes_nothing(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", reconcile_every="1h")
    odd: dict[str, Wire] = {
        "big": {"N": "1" * 38},
        "l": {"L": [{"N": "1.50"}, {"B": b"\0\xff"}]},
        "e": {"S": ""},
        "b": {"BOOL": False},
    }
    put_all(copying.client, copying.table, [review(n, **(odd if n % 4 == 0 else {})) for n in range(150)])
    copying.once_well()
    copying.assert_equal(items=150)
    before, generation = copying.rows(EVERYTHING), copying.database.query("SELECT generation FROM _twinrow_lease")
    again = copying.once_well()
    assert copying.rows(EVERYTHING) == before
    assert copying.database.query("SELECT generation FROM _twinrow_lease") == generation
    assert again.applied() == {}
    assert set(again.requests) <= {"describe_table", "scan", "describe_time_to_live"}


@pytest.mark.parametrize("capture", ["scan", "pending-index"])
@pytest.mark.either_server
def test_what_no_mark_told_of_is_found_by_a_pass(make_copying: MakeCopying, capture: str) -> None:
    copying = make_copying(capture=capture, reconcile_every="1s", link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(120)])
    copying.once_well()
    ids = _ids(copying)
    put_all(copying.client, copying.table, [review(n, text={"S": "changed"}) for n in range(10)])
    put_all(copying.client, copying.table, [review(n, fresh={"N": "1.5"}) for n in range(120, 130)])
    for number in range(20, 25):
        copying.client.delete_item(TableName=copying.table, Key=key(review(number)))
    before = dict(copying.rows("row_id, _twinrow_updated_at"))
    wait_until(lambda: copying.once_well().counts.rechecked > 0, 20, what="a pass, once its time has come")
    copying.assert_equal(items=125)
    now = _ids(copying)
    assert {one: ids[one] for one in now if one in ids} == {one: now[one] for one in now if one in ids}
    written = {row_id for row_id, at in copying.rows("row_id, _twinrow_updated_at") if before.get(row_id) != at}
    assert len(written) == 20


def test_rows_that_hands_added_and_removed_are_mended_and_counted(make_copying: MakeCopying) -> None:
    copying = make_copying(reconcile_every="1s")
    put_all(copying.client, copying.table, [marked(n) for n in range(20)])
    copying.once_well()
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE row_id < 4")
    copying.database.query(
        f"INSERT INTO `{copying.table}` (username, reviewed_at, _twinrow_key) VALUES ('x', 'y', 'sixteen bytes ok')"
    )
    wait_until(lambda: copying.once_well().counts.rechecked > 0, 20, what="a pass")
    copying.assert_equal(items=20)


def test_soft_deleted_rows_are_kept_and_revived_with_the_same_id(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", reconcile_every="1s", deletes="soft", link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(30)])
    copying.once_well()
    ids = _ids(copying)
    gone = review(7)
    copying.client.delete_item(TableName=copying.table, Key=key(gone))
    copying.once_well()
    copying.assert_equal(items=29)
    assert copying.verify().kept == 1
    assert _ids(copying) == ids
    kept = copying.rows(EVERYTHING, "_twinrow_deleted_at IS NOT NULL")
    assert len(kept) == 1
    copying.once_well()
    assert copying.rows(EVERYTHING, "_twinrow_deleted_at IS NOT NULL") == kept
    put_all(copying.client, copying.table, [review(7, text={"S": "back"})])
    copying.once_well()
    copying.assert_equal(items=30)
    assert _ids(copying) == ids
    assert copying.verify().kept == 0


@pytest.mark.parametrize("by_repair", [False, True], ids=["by-scan", "by-repair"])
@pytest.mark.parametrize(("deletes", "ttl_deletes"), [("hard", "soft"), ("soft", "hard")])
@pytest.mark.either_server
def test_an_item_that_expired_is_deleted_as_expiries_are(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, deletes: str, ttl_deletes: str, by_repair: bool
) -> None:
    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "DescribeTimeToLive":
            told = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
            return Answer(200, {"TimeToLiveDescription": told})
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(
            endpoint_url=proxy.endpoint_url,
            capture="scan",
            reconcile_every="1s",
            deletes=deletes,
            ttl_deletes=ttl_deletes,
        )
        past, future = str(int(time.time()) - 100), str(int(time.time()) + 10_000)
        put_all(copying.client, copying.table, [review(1, expires={"N": past}), review(2, expires={"N": future})])
        put_all(copying.client, copying.table, [review(3), review(4)])
        copying.once_well()
        for number in (1, 2, 3):
            copying.client.delete_item(TableName=copying.table, Key=key(review(number)))
        if by_repair:
            copying.repair(execute=True)
        copying.once_well()
        copying.assert_equal(items=1)
        kept = {at[-1] for (at,) in copying.rows("reviewed_at", "_twinrow_deleted_at IS NOT NULL")}
        assert kept == ({"1"} if ttl_deletes == "soft" else {"2", "3"})


LONG = [pytest.param(one, marks=pytest.mark.faults) for one in ("before-reconcile-done", "after-recheck-read")]


@pytest.mark.parametrize("point", ["after-scan-page", *LONG])
def test_a_pass_that_was_killed_is_taken_up_again(make_copying: MakeCopying, point: str) -> None:
    """What it had read before is read again, since `--once` is up to everything at its own start."""
    copying = make_copying(capture="scan", reconcile_every="1h", segments=3)
    copying.lease_s = 6.0
    put_all(copying.client, copying.table, [review(n) for n in range(60)])
    copying.once_well()
    put_all(copying.client, copying.table, [review(n, text={"S": "changed"}) for n in range(0, 60, 3)])
    for number in range(1, 60, 9):
        copying.client.delete_item(TableName=copying.table, Key=key(review(number)))
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": f"{point}:1"})
    assert code == -signal.SIGKILL, output
    lease_runs_out(copying)
    began = copying.database.query("SELECT position FROM _twinrow_checkpoint WHERE part = 'reconcile:pass'")
    assert len(began) == 1
    put_all(copying.client, copying.table, [review(n, text={"S": "after the kill"}) for n in range(0, 60, 4)])
    copying.once_well()
    copying.assert_equal()
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_checkpoint WHERE part LIKE 'reconcile:%%'") == [(0,)]


def test_an_interrupted_pass_goes_on_where_it_was(make_copying: MakeCopying) -> None:
    copying = make_copying(reconcile_every="1h", segments=3)
    copying.lease_s = 6.0
    put_all(copying.client, copying.table, [review(n) for n in range(30)])
    copying.once_well()
    put_all(copying.client, copying.table, [review(n, text={"S": "unmarked"}) for n in range(5)])
    session = copying.copies(Stop())[1].connect()
    gap.record(session, copying.table, "TEST", at=time.time())
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": "before-reconcile-done:1"})
    assert code == -signal.SIGKILL, output
    lease_runs_out(copying)
    assert gap.open_gaps(session, copying.table)
    ran = copying.once_well()
    assert "scan" not in ran.requests
    assert not gap.open_gaps(session, copying.table)
    session.close()
    copying.assert_equal(items=30)


@pytest.mark.either_server
def test_status_shows_how_far_a_pass_is_also_one_taken_up(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying(segments=2)
    copying.lease_s = 6.0
    put_all(copying.client, copying.table, [review(n) for n in range(40)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    tables_of = parse(copying.text()).tables

    began = 0.0

    def share() -> float | None:
        """As told by the run that began last."""
        (one,) = collect(session, tables_of).tables
        return one.reconcile_share if (one.counted_since or 0.0) > began else None

    gap.record(session, copying.table, "TEST", at=time.time())
    with monkeypatch.context() as patch:
        patch.setattr(Reconcile, "_rows_step", lambda self, rows: False)
        for _ in range(2):  # the second run takes up what the first has read, and reads nothing
            began = time.time()
            with copying.running():
                wait_until(lambda: share() == 0.99, 20, what="all rows are met, the pass not through")
            assert share() is None, "no sync runs"
    with copying.running():
        wait_until(lambda: not gap.open_gaps(session, copying.table), 20, what="the gap is closed")
        wait_until(lambda: share() is None, 20, what="no pass is shown any more")
    session.close()
    copying.assert_equal(items=40)


@pytest.mark.parametrize("then", ["corrected", "deleted"])
@pytest.mark.parametrize("capture", ["scan", "pending-index"])
@pytest.mark.either_server
def test_a_pass_looks_at_parked_items_again(make_copying: MakeCopying, capture: str, then: str) -> None:
    """They have no row that could differ or be left over; on a pending index the application sets no mark here."""
    copying = make_copying(capture=capture, reconcile_every="1h")
    put_all(copying.client, copying.table, [review(n) for n in range(10)])
    copying.once_well()
    copying.database.query(
        f"CREATE TRIGGER objects BEFORE INSERT ON `{copying.table}` FOR EACH ROW "
        "IF NEW.reviewed_at LIKE '%%20' AND NEW.rating = 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"
    )
    bad = {**(marked(20) if capture != "scan" else review(20)), "rating": {"N": "1"}}
    put_all(copying.client, copying.table, [bad])
    copying.once()
    assert copying.state("_twinrow_dead_letter") == 1
    if then == "corrected":
        put_all(copying.client, copying.table, [{**review(20), "rating": {"N": "2"}}])
    else:
        copying.client.delete_item(TableName=copying.table, Key=key(bad))
    if capture != "scan":
        session = copying.copies(Stop())[1].connect()
        gap.record(session, copying.table, "TEST", at=time.time())
        session.close()
    copying.once_well()
    assert copying.state("_twinrow_dead_letter") == 0
    copying.assert_equal(items=11 if then == "corrected" else 10)


@pytest.mark.either_server
def test_a_gap_found_while_it_is_mended_is_another_one(make_copying: MakeCopying) -> None:
    """The pass may have been there already; before it began, the same gap found twice is one."""
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(3)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    for _ in range(2):
        gap.record(session, copying.table, "TEST", at=time.time())
    (first,) = gap.open_gaps(session, copying.table)
    checkpoint.save(session, copying.table, {checkpoint.RECONCILE_BEGUN: Checkpoint("1.0", info=str(first.id))})
    for _ in range(2):
        gap.record(session, copying.table, "TEST", at=time.time())
    assert len(gap.open_gaps(session, copying.table)) == 2
    checkpoint.forget(session, copying.table, checkpoint.RECONCILE_BEGUN)
    session.close()


def test_a_process_that_lost_its_lease_moves_no_pass(make_copying: MakeCopying) -> None:
    """Its successor may be at another pass, in which no segment is read yet."""
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(3)])
    copying.once_well()
    with asleep(copying) as sleeper:
        gap.record(sleeper.tenure.open_writer(), copying.table, "TEST", at=time.time())
        sleeper.table.describe()  # as at each start; it tells DynamoDB's time
        reconcile = Reconcile(sleeper)
        assert reconcile.step() or reconcile.running
        copying.once_well()
        with suppress(ConnectionLost, LeaseLost):
            reconcile._save()  # its successor ended the session, unless a slow machine had renewed it before
        with pytest.raises(LeaseLost):
            reconcile._save()
        assert not checkpoint.load(sleeper.tenure.open_writer(), copying.table, "reconcile:")
        reconcile.close()


@pytest.mark.either_server
def test_a_gap_found_by_a_machine_whose_clock_is_ahead_is_closed_all_the_same(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(10)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    gap.record(session, copying.table, "TEST", at=time.time() + 3600)
    put_all(copying.client, copying.table, [review(3, text={"S": "unmarked"})])
    copying.once_well()
    assert not gap.open_gaps(session, copying.table)
    session.close()
    copying.assert_equal(items=10)


@pytest.mark.either_server
def test_a_gap_is_closed_though_something_is_always_to_be_rechecked(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a busy stream that tells keys only: each change of an item is a recheck."""
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(10)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    hashes = [key_hash for (key_hash,) in copying.rows("_twinrow_key")]
    busy = itertools.cycle(zip(hashes, [wire(key(one)) for one in copying.items()], strict=True))

    def recheck_busily(context: TableContext, in_flight: set[bytes]) -> tuple[int, Applied | None]:
        worked = recheck_some(context, in_flight)
        recheck.add(context.tenure.open_writer(), context.name, [next(busy)], "busy")
        return worked

    gap.record(session, copying.table, "TEST", at=time.time())
    with monkeypatch.context() as patch, copying.running():
        patch.setattr("twinrow.sync.table_work.recheck_some", recheck_busily)
        wait_until(lambda: not gap.open_gaps(session, copying.table), 20, what="the gap is closed")
    session.close()
    copying.once_well()
    copying.assert_equal(items=10)


@pytest.mark.either_server
def test_a_pass_ends_though_rows_come_all_the_time(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a table with many new items: each look at the last rows finds more of them."""
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(10)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    rows_step, busy = Reconcile._rows_step, itertools.count(1)
    insert = f"INSERT INTO `{copying.table}` (username, reviewed_at, _twinrow_key) VALUES ('by hand', 'x', %s)"

    def rows_step_beside_inserts(self: Reconcile, rows: LonelyRows) -> bool:
        copying.database.query(insert, next(busy).to_bytes(16, "big"))
        return rows_step(self, rows)

    gap.record(session, copying.table, "TEST", at=time.time())
    with monkeypatch.context() as patch, copying.running():
        patch.setattr(Reconcile, "_rows_step", rows_step_beside_inserts)
        wait_until(lambda: not gap.open_gaps(session, copying.table), 20, what="the gap is closed")
    session.close()
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE username = 'by hand'")
    assert copying.verify().in_step


class _Writer:
    """One of several that put, update, delete and re-create the same items, all without marks."""

    def __init__(self, copying: Copying, chance: random.Random, stop: threading.Event) -> None:
        self._copying, self._chance, self._stop = copying, chance, stop
        self.changes = 0

    def __call__(self) -> None:
        client, table = self._copying.client, self._copying.table
        while not self._stop.is_set():
            number = self._chance.randrange(80)
            pick = self._chance.random()
            if pick < 0.4:
                client.put_item(TableName=table, Item=review(number, text={"S": str(self._chance.random())}))
            elif pick < 0.7:
                client.update_item(
                    TableName=table, Key=key(review(number)), UpdateExpression="SET touched = :n",
                    ExpressionAttributeValues={":n": {"N": str(self.changes)}},
                )  # fmt: skip
            else:
                client.delete_item(TableName=table, Key=key(review(number)))
            self.changes += 1
            self._stop.wait(0.01)


@pytest.mark.parametrize("capture", ["scan", "pending-index"])
def test_a_reconcile_beside_four_writers_ends_equal(make_copying: MakeCopying, capture: str) -> None:
    chance = seeded("writers")
    copying = make_copying(capture=capture, reconcile_every="1s", link=capture == "pending-index")
    put_all(copying.client, copying.table, [review(n) for n in range(80)])
    copying.once_well()
    stop = threading.Event()
    writers = [_Writer(copying, random.Random(chance.random()), stop) for _ in range(WRITERS)]
    threads = [threading.Thread(target=one, daemon=True) for one in writers]
    with copying.running():
        for thread in threads:
            thread.start()
        stop.wait(WRITERS_S)
        while_writing = copying.verify()
        stop.set()
        for thread in threads:
            thread.join()
        assert sum(one.changes for one in writers) > 100
        assert while_writing.items > 0
        # On a pending index a change without a mark is a difference until a pass finds it, and is told as one.
        assert while_writing.in_step or capture == "pending-index", while_writing
        stopped = time.time()
        began = "SELECT reconciled_at FROM _twinrow_table"
        wait_until(lambda: copying.database.query(began)[0][0] > stopped, 30, what="a pass after the last change")
        wait_until(lambda: copying.state("_twinrow_link") == 0, 30, what="the links of what it found")
    copying.assert_equal(settled=False)  # a pass begins each second, and the stop may have come in the midst of one
    copying.once_well()
    copying.assert_equal()


def test_a_pass_that_runs_all_the_time_does_not_undo_a_newer_change(make_copying: MakeCopying) -> None:
    """One item, changed again and again by marks, while passes scan older images of it."""
    copying = make_copying(reconcile_every="1s")
    put_all(copying.client, copying.table, [review(n, turn={"N": "-1"}) for n in range(10)])
    copying.once_well()
    with copying.running():
        for turn in range(30):
            copying.client.put_item(TableName=copying.table, Item=marked(3, turn={"N": str(turn)}))
            wanted: list[tuple[Any, ...]] = [(turn,)]
            where = f"reviewed_at = '{review(3)['reviewed_at']['S']}'"
            if turn % 10 == 9:
                wait_until(lambda wanted=wanted, where=where: copying.rows("turn", where) == wanted, 20)  # type: ignore[misc]
    copying.once_well()
    copying.assert_equal(items=10)
