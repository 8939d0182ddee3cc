"""How a sync gives its lease back: only in good order does the next one know that nothing is under way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.waiting import wait_until

from twinrow.app.observe.status import Status, TableStatus, collect
from twinrow.app.observe.watch import LastStatus
from twinrow.app.serve.metrics import not_ready
from twinrow.app.wiring import mysql_of
from twinrow.config import parse
from twinrow.errors import Transient
from twinrow.kinds.pending_index.poll import Poll
from twinrow.retry import BACK_OFF_S_MAX
from twinrow.state import lease, outbox
from twinrow.state.lease import Lease
from twinrow.table.context import TableContext
from twinrow.workers import run

WAIT_S = 30.0


def copied(make_copying: MakeCopying) -> Copying:
    copying = make_copying(reconcile_every="1h")
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    return copying


def is_in_order(copying: Copying) -> bool:
    """Whether the lease was given back in good order; it can be had at once in any case."""
    tables = "_twinrow_lease l JOIN _twinrow_heartbeat h USING (table_name)"
    ((holder, is_over),) = copying.database.query(f"SELECT l.holder, h.deadline <= UTC_TIMESTAMP(6) FROM {tables}")
    # A beat under way as the lease is given back may move the deadline on; without a holder that keeps nobody out.
    assert is_over or holder == ""
    return bool(holder == "")


def test_a_sync_that_ends_well_leaves_nothing_to_look_at_again(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    assert is_in_order(copying)
    with copying.running() as running:
        wait_until(lambda: not is_free(copying), WAIT_S, what="it runs")
    assert running.waits == []
    assert is_in_order(copying)


def is_free(copying: Copying) -> bool:
    return bool(copying.database.query("SELECT holder FROM _twinrow_lease") == [("",)])


def test_one_stopped_in_trouble_tells_who_comes_next(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without an answer may arrive later, and what became of it could perhaps not be noted."""
    copying = copied(make_copying)

    def trouble(_self: Poll) -> bool:
        raise Transient("made by the test")

    with monkeypatch.context() as patch:
        patch.setattr(Poll, "step", trouble)
        patch.setattr(run, "back_off_s", lambda _attempt: BACK_OFF_S_MAX)
        with copying.running() as running:
            wait_until(lambda: any("made by the test" in why for _, why in running.waits), WAIT_S, what="the trouble")
    assert not is_in_order(copying)
    copying.once_well()
    assert is_in_order(copying)


def test_one_that_waits_is_shown_as_one_that_waits(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has given its lease back, and still nobody should start a second one, or take the copy for one in step."""
    copying = copied(make_copying)

    def trouble(_self: Poll) -> bool:
        raise Transient("made by the test")

    def status() -> TableStatus:
        (one,) = shown(copying).tables
        return one

    with monkeypatch.context() as patch:
        patch.setattr(Poll, "step", trouble)
        patch.setattr(run, "back_off_s", lambda _attempt: BACK_OFF_S_MAX)
        with copying.running():
            wait_until(lambda: status().waits, WAIT_S, what="a wait that is noted")
            one = status()
            assert (one.waits, one.running, one.phase) == ("made by the test", False, "LIVE")
            assert (one.in_step, one.lag_s, one.backlog, one.as_of) == (None, None, None, None)
            assert "a sync waits and tries again" in one.notes
            assert not any("no sync is running" in note for note in one.notes)
            assert "made by the test" in not_ready(LastStatus(shown(copying), "", {}))
            copying.database.query("UPDATE _twinrow_heartbeat SET waits_until = UTC_TIMESTAMP(6)")
            assert status().waits == "", "its process is gone"
            assert any("no sync is running" in note for note in status().notes)
            assert "made by the test" in not_ready(LastStatus(shown(copying), "", {}))


def shown(copying: Copying) -> Status:
    config = parse(copying.text())
    session = mysql_of(config).connect()
    try:
        return collect(session, config.tables)
    finally:
        session.close()


def test_an_answer_that_mysql_did_not_take_is_told_to_who_comes_next(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes while the sync ends."""
    copying = copied(make_copying)
    contexts: list[TableContext] = []

    def gone(*_: Any) -> None:
        contexts[0].table.stop.set()
        raise Transient("MySQL is gone")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "settle", gone)
        with copying.running(contexts.append):
            put_all(copying.client, copying.table, [marked(2)])
            wait_until(lambda: bool(contexts and contexts[0].table.stop), WAIT_S, what="the end")
    assert not is_in_order(copying)
    copying.once_well()
    copying.assert_equal(items=2)


def test_one_stopped_as_it_takes_over_leaves_that_to_the_next(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = copied(make_copying)
    copying.database.query("UPDATE _twinrow_lease SET holder = 'killed'")
    contexts: list[TableContext] = []
    acquire = lease.acquire

    def stopped(*given: Any, **more: Any) -> Lease | None:
        contexts[0].table.stop.set()
        return acquire(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(lease, "acquire", stopped)
        with copying.running(contexts.append):
            wait_until(lambda: bool(contexts and contexts[0].table.stop), WAIT_S, what="the end")
    assert not is_in_order(copying)
