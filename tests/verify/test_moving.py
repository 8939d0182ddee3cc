"""Items that never stand still: in step where a sync follows them, and told where nobody does, on real servers."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.conftest import MakeCopying
from tests.fixtures import tables
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying, Process, Wire, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state import lease
from twinrow.verify import suspects
from twinrow.verify.verdict import Verdict

HOT = 2
STILL = 20
COUNTS = ("missing", "extra", "different", "unlinked", "unsettled")
START_S_MAX = 90.0
LOCK_WAIT_IS_OVER = 1205


def _found(verdict: Verdict) -> dict[str, int]:
    return {name: getattr(verdict, name) for name in COUNTS if getattr(verdict, name)}


@contextmanager
def _written(copying: Copying, make: Callable[[int, int], Wire]) -> Iterator[list[int]]:
    """Two items, written in turn as fast as DynamoDB takes it by a thread each; how many writes there were."""
    stop, counts = threading.Event(), [0] * HOT

    def write(number: int) -> None:
        client = tables.client(copying.endpoint_url)
        for turn in itertools.count(1):
            if stop.is_set():
                return
            client.put_item(TableName=copying.table, Item=make(number, turn))
            counts[number] = turn

    writers = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(HOT)]
    for writer in writers:
        writer.start()
    try:
        wait_until(lambda: all(counts), START_S_MAX, what="first writes")
        yield counts
    finally:
        stop.set()
        for writer in writers:
            writer.join()


@contextmanager
def _followed(copying: Copying) -> Iterator[Process]:
    """A `twinrow sync` in a process of its own, which holds the table's lease by now."""
    process = copying.process(once=False)
    try:
        wait_until(lambda: _is_followed(copying), START_S_MAX, what=f"the lease; it said {process.said()}")
        yield process
    finally:
        process.kill()


def _is_followed(copying: Copying) -> bool:
    """Whether somebody holds the lease, and the first copy is through."""
    query = copying.database.query
    if not query("SHOW TABLES LIKE '\\_twinrow\\_meta'"):
        return False
    told = query("SELECT phase FROM _twinrow_table JOIN _twinrow_lease USING (table_name) WHERE holder <> ''")
    return told == [("LIVE",)]


def _hot(number: int, turn: int) -> Wire:
    return marked(number, turn={"N": str(turn)}, text={"S": f"{turn} " * (turn % 40)})


def _copied(copying: Copying, items: int = STILL) -> Copying:
    put_all(copying.client, copying.table, [marked(n, turn={"N": "0"}) for n in range(items)])
    copying.once_well()
    return copying


@pytest.mark.timeout(300)
def test_rows_that_nobody_brings_to_their_moving_items_are_different(make_copying: MakeCopying) -> None:
    """The items move for ever, so that no two looks show the same: that is no reason to call them equal."""
    copying = _copied(make_copying())
    with _written(copying, _hot) as counts:
        wait_until(lambda: min(counts) > 1, START_S_MAX)
        verdict = copying.verify()
        assert _found(verdict) == {"different": HOT}
        assert not verdict.in_step
        assert {one.key["reviewed_at"]["S"] for one in verdict.examples} == {
            review(n)["reviewed_at"]["S"] for n in range(HOT)
        }


@pytest.mark.timeout(600)
def test_hot_items_beside_a_sync_on_the_index_are_in_step(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying())
    with _followed(copying), _written(copying, _hot) as counts:
        before = sum(counts)
        for _ in range(2):
            assert _found(copying.verify()) == {}
        assert sum(counts) > before + HOT, "nothing was written while it looked"


@pytest.mark.timeout(600)
def test_hot_items_beside_a_sync_on_the_stream_are_in_step(
    database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path
) -> None:
    client = tables.client(fresh_dynamodb.endpoint_url)
    name = tables.create_table(client, None, hash="username:S", range="reviewed_at:S", stream="NEW_AND_OLD_IMAGES")
    options: dict[str, Any] = {"capture": "stream", "link": False}
    copying = Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: options})
    put_all(client, name, [review(n, turn={"N": "0"}) for n in range(STILL)])
    with _followed(copying), _written(copying, lambda n, turn: review(n, turn={"N": str(turn)})) as counts:
        before = sum(counts)
        for _ in range(2):
            assert _found(copying.verify()) == {}
        assert sum(counts) > before + HOT, "nothing was written while it looked"
    client.close()


@pytest.mark.timeout(300)
def test_moving_items_that_a_sync_does_not_follow_are_unsettled(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unmarked writes: the sync runs and is well, and never sees them. The still ones beside them are as they are."""
    monkeypatch.setattr(suspects, "UNSETTLED_WAIT_S_MAX", 6.0)
    copying = _copied(make_copying())
    copying.database.query(
        f"UPDATE `{copying.table}` SET rating = rating + 1 WHERE turn = 0 AND reviewed_at = %s",
        review(STILL - 1)["reviewed_at"]["S"],
    )
    with _followed(copying), _written(copying, lambda n, turn: review(n, turn={"N": str(turn)})):
        line = InProcess(copying.config_file().parent)
        done = line.run("verify", "--json")
        assert done.code == 3, done.err
        (told,) = done.document["tables"]
        assert {name: told[name] for name in COUNTS if told[name]} == {"different": 1, "unsettled": HOT}
        assert not told["in_step"]
        assert not done.document["in_step"]
        assert [one["kind"] for one in told["examples"]].count("UNSETTLED") == HOT
        assert "the last verify found 3 differences" in line.run("status").out
        text = line.run("verify").out
        assert "2 unsettled" in text
        assert "UNSETTLED items kept changing" in text


def test_a_row_that_shows_an_image_seen_since_verify_began_is_equal(make_copying: MakeCopying) -> None:
    """No look ever shows both sides equal: the row is at the image that the scan has met, and its item has moved on."""
    copying = _copied(make_copying(link=False), items=3)
    reader = copying.reader()
    try:
        observed = suspects.Suspects(reader, lambda difference: None)
        copying.client.put_item(TableName=copying.table, Item=marked(0, turn={"N": "1"}))
        page = observed.comparer.page(copying.items())
        assert [one.kind for one in page] == ["DIFFERENT"]
        verdict = Verdict(copying.table)
        observed.add(page, verdict, item_was_seen=True)
        copying.once_well()
        copying.client.put_item(TableName=copying.table, Item=review(0, turn={"N": "2"}))
        observed.settle(verdict)
        assert _found(verdict) == {}
        # a verify that begins now has seen the newer image alone
        assert _found(copying.verify()) == {"different": 1}
    finally:
        reader.connection.close()


@pytest.mark.timeout(300)
def test_a_lease_that_somebody_else_keeps_locked_does_not_hold_verify_up(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that hangs in its transaction: its lease is alive, its rows stand still, the items move on."""
    monkeypatch.setattr(suspects, "UNSETTLED_WAIT_S_MAX", 3.0)
    copying = _copied(make_copying(), items=3)
    monkeypatch.setattr(lease, "holder_of", lambda *_: "hanging")
    with copying.database.connect() as hanging, hanging.cursor() as cursor:
        hanging.begin()
        cursor.execute("SELECT * FROM _twinrow_lease FOR UPDATE")
        with _written(copying, _hot):
            assert _found(copying.verify()) == {"unsettled": HOT}
        hanging.rollback()


@pytest.mark.timeout(300)
def test_a_look_under_the_lock_keeps_writers_away_and_then_lets_them_go_on(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying(), items=3)
    reader = copying.reader()
    seen: list[object] = []
    get_some_items = reader.dynamodb.get_some_items

    def looked(*arguments: Any) -> Any:
        with copying.database.connect() as other, other.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
            try:
                cursor.execute("SELECT * FROM _twinrow_lease FOR UPDATE")
            except pymysql.err.OperationalError as error:
                seen.append(error.args[0])
        return get_some_items(*arguments)

    try:
        observed, verdict = suspects.Suspects(reader, lambda difference: None), Verdict(copying.table)
        copying.client.put_item(TableName=copying.table, Item=marked(0, turn={"N": "1"}))
        observed.add(observed.comparer.page(copying.items()), verdict, item_was_seen=True)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(reader.dynamodb, "get_some_items", looked)
            observed._look_at(list(observed._suspects))
        (suspect,) = observed._suspects.values()
        assert suspect.locked is not None
        assert seen == [LOCK_WAIT_IS_OVER]
        copying.once_well()  # the lock is free again
        observed._look_at(list(observed._suspects))
        assert not observed._suspects, "equal under the lock is equal"
    finally:
        reader.connection.close()
