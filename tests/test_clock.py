"""Time as Twinrow sees it: by the clocks of the two servers, whatever this machine's own clock says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import MakeCopying
from tests.fixtures import tables
from tests.fixtures.copying import Copying, Ran, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, error
from tests.fixtures.waiting import wait_until

from twinrow import clock
from twinrow.clock import ServerClock, Stop
from twinrow.errors import Transient
from twinrow.kinds.pending_index import poll
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.write.batch import Applied

HOUR_S = 3600.0
MINUTE_S = 60.0
YEAR_S = 365 * 24 * HOUR_S
CATCH_UP_S = 60.0


class _SetClock:
    """A system's clock that can be set; it replaces `time` in the clock's module, the one place that reads it."""

    def __init__(self) -> None:
        self.set_by_s = 0.0
        self.monotonic = time.monotonic
        self.clock_gettime = time.clock_gettime
        self.CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def time(self) -> float:
        return time.time() + self.set_by_s


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> _SetClock:
    made = _SetClock()
    monkeypatch.setattr(clock, "time", made)
    return made


class TestServerClock:
    def test_each_answer_makes_the_span_smaller(self) -> None:
        told = ServerClock("a server")
        told.note(1000.0, 1001.0, sent=10.0, received=10.2)
        told.note(1000.0, 1001.0, sent=10.6, received=10.7)
        assert told.now(11.0) == pytest.approx(1000.8, abs=0.41)
        assert told.latest(11.0) == pytest.approx(1001.4)

    @given(
        offset=st.floats(-1e6, 1e9),
        answers=st.lists(st.tuples(st.floats(0.0, 600.0), st.floats(0.0, 5.0), st.floats(0.0, 1.0)), min_size=1),
    )
    def test_the_servers_time_is_within_what_its_answers_say(
        self, offset: float, answers: list[tuple[float, float, float]]
    ) -> None:
        """Sent at some moment, answered some seconds later, the `Date` made at any moment between."""
        told = ServerClock("a server", 3)
        for sent, took, share in sorted(answers):
            date = float(int(sent + took * share + offset))
            if date > sent + took * share + offset:
                date -= 1  # int() cuts towards zero
            told.note(date, date + 1.0, sent, sent + took)
        assert told.latest(1000.0) >= 1000.0 + offset - 1e-3
        assert abs(told.now(1000.0) - (1000.0 + offset)) <= max(took for _, took, _ in answers) + 1.0

    def test_an_odd_answer_does_not_move_it_and_three_that_agree_do(self) -> None:
        told = ServerClock("a server", 3)
        told.note(1000.0, 1001.0, 10.0, 10.0)
        before = told.now(20.0)
        told.note(1000.0 + 6 * HOUR_S, 1001.0 + 6 * HOUR_S, 11.0, 11.0)
        assert told.now(20.0) == before
        told.note(1002.0, 1003.0, 12.0, 12.0)
        for second in range(3):
            told.note(5000.0 + second, 5001.0 + second, 13.0 + second, 13.0 + second)
        assert told.now(20.0) == pytest.approx(5007.5)

    def test_unknown_it_is_no_number(self) -> None:
        told = ServerClock("DynamoDB")
        assert not told.is_known
        assert told.skew_s() is None
        with pytest.raises(Transient, match="DynamoDB has not sent its time"):
            told.now()

    def test_the_skew_of_this_machine(self, system: _SetClock) -> None:
        told, at = ServerClock("a server"), clock.boot_time()
        told.note(time.time() - 1, time.time() + 1, at, at)
        assert told.skew_s() == 0.0
        system.set_by_s = -4 * MINUTE_S
        assert told.skew_s() == pytest.approx(-4 * MINUTE_S, abs=2)
        system.set_by_s = 6 * HOUR_S
        assert told.skew_s() == pytest.approx(6 * HOUR_S, abs=2)


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_clock_that_jumps_while_links_wait_holds_nothing_up(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, system: _SetClock, jump_s: float
) -> None:
    """Throttled links wait for a moment: an hour set back must not become an hour of waiting."""

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and not system.set_by_s:
            system.set_by_s = jump_s
            return error("ThrottlingException")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(60)])
        copying.once_well()
        assert system.set_by_s == jump_s
        copying.assert_equal(items=60)


MakeFollowing = Callable[..., Copying]


@pytest.fixture
def make_following(database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path) -> Iterator[MakeFollowing]:
    """A table with a stream on a DynamoDB Local of its own."""
    client = tables.client(fresh_dynamodb.endpoint_url)

    def make(**options: Any) -> Copying:
        name = tables.create_table(
            client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
        )
        return Copying(
            database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: {"capture": "stream", **options}}
        )

    yield make
    client.close()


def _turn_stream(copying: Copying, *, on: bool) -> None:
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {"StreamEnabled": False}
    copying.client.update_table(TableName=copying.table, StreamSpecification=wanted)
    wait_until(lambda: tables.is_active(copying.client, copying.table), 30, what="the table is active")


def test_a_clock_six_hours_ahead_for_a_second_loses_nothing_of_a_new_stream(
    make_following: MakeFollowing, system: _SetClock
) -> None:
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(5)])
    copying.once_well()
    system.set_by_s = 6 * HOUR_S
    _turn_stream(copying, on=False)
    _turn_stream(copying, on=True)
    with copying.running():
        entered = "SELECT COUNT(*) FROM _twinrow_gap WHERE cause = 'STREAM_RECREATED'"
        wait_until(lambda: copying.database.query(entered) == [(1,)], CATCH_UP_S, what="the new stream")
        system.set_by_s = 0.0
        closed = "SELECT COUNT(*) FROM _twinrow_gap WHERE closed_at IS NULL"
        wait_until(lambda: copying.database.query(closed) == [(0,)], CATCH_UP_S, what="the reconcile")
        put_all(copying.client, copying.table, [review(n) for n in range(5, 12)])
        wait_until(lambda: len(copying.rows("row_id")) == 12, CATCH_UP_S, what="the rows of the new stream")
    copying.assert_equal(items=12)


def test_shards_read_at_a_time_yet_to_come_are_a_gap_that_a_reconcile_closes(make_following: MakeFollowing) -> None:
    """As an older Twinrow, or a DynamoDB whose clock was wrong for a moment, has left them."""
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(5)])
    copying.once_well()
    copying.database.query(
        "UPDATE _twinrow_checkpoint SET read_at = read_at + 21600 WHERE part = 'stream' OR part LIKE 'shard:%'"
    )
    copying.database.query(f"DELETE FROM `{copying.table}` LIMIT 1")  # as a change that was left out
    copying.once_well()
    causes = copying.database.query("SELECT DISTINCT cause, closed_at IS NOT NULL FROM _twinrow_gap")
    assert causes == [("NOT_READ", 1)]
    copying.assert_equal(items=5)


def test_a_clock_two_years_ahead_for_a_second_does_not_end_the_reconciles(
    make_copying: MakeCopying, system: _SetClock
) -> None:
    copying = make_copying(reconcile_every="1s")
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    system.set_by_s = 2 * YEAR_S
    copying.once_well()
    system.set_by_s = 0.0
    put_all(copying.client, copying.table, [review(3, text={"S": "unmarked"})])
    wait_until(lambda: copying.once_well().counts.rechecked > 0, 30, what="a reconcile")
    copying.assert_equal(items=5)


def test_a_reconcile_at_a_time_yet_to_come_counts_as_none(make_copying: MakeCopying) -> None:
    copying = make_copying(reconcile_every="1h")
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    put_all(copying.client, copying.table, [review(3, text={"S": "unmarked"})])
    copying.once_well()
    assert copying.rows("text", "reviewed_at LIKE '%%3'") != [("unmarked",)]
    copying.database.query("UPDATE _twinrow_table SET reconciled_at = UNIX_TIMESTAMP() + 63072000")
    copying.once_well()
    copying.assert_equal(items=5)


def test_a_host_minutes_behind_copies_all_records_before_once_ends(
    make_following: MakeFollowing, system: _SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch of few records at a time: the first of them must not count as newer than the start."""
    copying = make_following()
    put_all(copying.client, copying.table, [review(0)])
    copying.once_well()
    put_all(copying.client, copying.table, [review(n) for n in range(200)])
    monkeypatch.setattr("twinrow.kinds.stream.follow.RECORDS_A_BATCH_MAX", 20)
    system.set_by_s = -4 * MINUTE_S
    copying.once_well()
    assert len(copying.rows("row_id")) == 200
    copying.assert_equal(items=200)


@pytest.mark.parametrize("behind_s", [4 * MINUTE_S, -4 * MINUTE_S], ids=["behind", "ahead"])
def test_once_on_a_second_host_minutes_apart_ends_after_the_item_is_there(
    make_copying: MakeCopying, system: _SetClock, monkeypatch: pytest.MonkeyPatch, behind_s: float
) -> None:
    """The holder's clock is right, the asker's is not; the holder is held up while the item waits."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    held_up, step = threading.Event(), poll.Poll.step

    def step_unless_held_up(self: poll.Poll) -> tuple[bool, Applied | None]:
        return (False, None) if held_up.is_set() else step(self)

    monkeypatch.setattr(poll.Poll, "step", step_unless_held_up)
    ended: list[Ran] = []
    with copying.running() as running:
        caught_up = "SELECT caught_up_at > UNIX_TIMESTAMP(NOW(6)) - 5 AND phase = 'LIVE' FROM _twinrow_table"
        wait_until(lambda: copying.database.query(caught_up) == [(1,)], CATCH_UP_S, what="the holder has caught up")
        held_up.set()
        system.set_by_s = -behind_s
        put_all(copying.client, copying.table, [marked(2)])
        second = threading.Thread(target=lambda: ended.append(copying.once()), daemon=True)
        second.start()
        asked = len(running.waits)
        looked = "SELECT read_at > UNIX_TIMESTAMP(NOW(6)) - 5 FROM _twinrow_table"
        wait_until(lambda: not asked and copying.database.query(looked) == [(1,)], CATCH_UP_S, what="a look")
        second.join(3.0)
        assert second.is_alive(), "it ended before the item was there"
        held_up.clear()
        second.join(CATCH_UP_S)
        assert ended[0].outcomes[copying.table].left_to_holder
        assert len(copying.rows("row_id")) == 2
    copying.assert_equal(items=2)


def test_what_is_due_at_a_time_that_nobody_sets_is_due(make_copying: MakeCopying) -> None:
    """A MySQL whose clock was two years ahead for a second: links and looks that were put off then are not lost."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1), marked(2)])
    copying.once_well()
    (context,), mysql = copying.copies(Stop())
    session = mysql.connect()
    ahead = session.now() + 2 * YEAR_S
    key = json.dumps({name: review(1)[name] for name in ("username", "reviewed_at")})
    session.execute(
        "INSERT INTO _twinrow_recheck (table_name, key_hash, item_key, cause, due_at) "
        f"SELECT %s, _twinrow_key, %s, 'test', %s FROM `{copying.table}` WHERE reviewed_at LIKE '%%1'",
        (copying.table, key, ahead),
    )
    session.execute(f"UPDATE `{copying.table}` SET text = 'not as the item says'")
    session.close()
    context.tenure.close()
    copying.once_well()
    assert copying.state("_twinrow_recheck") == 0
    assert copying.rows("text", "reviewed_at LIKE '%%1'") != [("not as the item says",)]


def test_a_stop_within_another_ends_with_it_and_never_the_other_way() -> None:
    outer = Stop()
    first, second = Stop(within=outer), Stop(within=outer)
    first.set()
    assert first
    assert not second
    assert not outer
    outer.set()
    assert second.wait(0.0)
    assert Stop(within=outer), "it was asked for before"
