"""What a small capacity budget must not lead to: memory that grows, marked writes that wait, a pass that never ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, key, marked, put_all, review
from tests.fixtures.waiting import wait_until

from twinrow.clock import Stop
from twinrow.kinds.pending_index.rounds import Rounds
from twinrow.link import queue
from twinrow.link.threads import Linker
from twinrow.state.outbox import PendingLink
from twinrow.workers.held import held

LINKS_PER_S = 40
IN_CALLS_MAX = queue.CALLS_AT_ONCE_MAX * 25


class Watched(Linker):
    """Notes how many links it held at most."""

    most = 0

    def submit(self, links: Sequence[PendingLink]) -> None:
        super().submit(links)
        Watched.most = max(Watched.most, len(self.view(0.0, 0, 0.0).in_flight))


@pytest.fixture
def few_debts(monkeypatch: pytest.MonkeyPatch) -> int:
    """At most so many links wait in memory; more stay in the outbox."""
    monkeypatch.setattr(queue, "LINKS_WAITING_MAX", 50)
    monkeypatch.setattr("twinrow.sync.table_work.Linker", Watched)
    monkeypatch.setattr(Watched, "most", 0)
    return 50


def row_is_there(copying: Copying, n: int) -> bool:
    return bool(copying.rows("row_id", f"reviewed_at = '{review(n)['reviewed_at']['S']}'"))


@pytest.mark.either_server
def test_a_marked_write_is_copied_while_the_links_of_the_first_copy_wait_in_the_outbox(
    make_copying: MakeCopying, few_debts: int
) -> None:
    copying = make_copying(write_capacity_max=LINKS_PER_S)
    put_all(copying.client, copying.table, [review(n) for n in range(1_500)])
    with copying.running():
        wait_until(lambda: _rows(copying) == 1_500, 30, what="all rows are there")
        put_all(copying.client, copying.table, [marked(2_000)])
        wait_until(lambda: row_is_there(copying, 2_000), 10, what="the marked write is a row")
        assert copying.state("_twinrow_link") > 500, "the links were through before the write"
    assert Watched.most <= few_debts + IN_CALLS_MAX + 1
    copying.change(write_capacity_max=10_000)
    copying.once_well()
    copying.assert_equal(items=1_501)


@pytest.mark.either_server
def test_debts_left_to_the_outbox_are_paid_within_the_same_run(make_copying: MakeCopying, few_debts: int) -> None:
    """Marks too: the index is read again once they are cleared, not before."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(1_000)])
    ran = copying.once_well()
    assert Watched.most <= few_debts + IN_CALLS_MAX + 1
    assert ran.requests["query"] <= 3
    copying.assert_equal(items=1_000)


@pytest.mark.either_server
def test_a_backlog_of_marks_stays_in_the_index_until_there_is_room(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, few_debts: int
) -> None:
    copying = make_copying()
    copying.once_well()
    text = {"S": "x" * 4_000}  # 250 items a page
    put_all(copying.client, copying.table, [marked(n, text=text) for n in range(1_000)])
    monkeypatch.setattr(queue, "LINKS_WAITING_MAX", 10_000)
    monkeypatch.setattr("twinrow.kinds.pending_index.poll.MARKS_WAITING_MAX", 100)
    copying.once_well()
    assert Watched.most <= 100 + 2 * 300
    copying.assert_equal(items=1_000)


@pytest.mark.either_server
def test_links_that_wait_for_their_budget_do_not_hold_up_the_end(make_copying: MakeCopying) -> None:
    copying = make_copying(write_capacity_max=1)
    copying.once_well()
    (context,), mysql = copying.copies(Stop())
    with held(context, mysql):
        context.table.write_budget.limit(1.0)
        context.table.write_budget.pay(600.0)
        linker = Linker(context.table, context.tenure, context.counters, context.ids.foreign)
        linker.submit([PendingLink(b"\1" * 16, key(review(1)), 1, b"\2" * 16, 1, None)])
        began = time.monotonic()
        linker.close()
        assert time.monotonic() - began < 60


def test_a_pass_with_differences_on_every_page_ends_though_reads_wait_longer_than_a_session_lives(
    make_copying: MakeCopying,
) -> None:
    """The writing session is opened anew once it was idle for half the lease; each page's suspects wait for units."""
    copying = make_copying(capture="scan", reconcile_every="1s", read_capacity_max=25)
    copying.lease_s = 6.0
    text = {"S": "x" * 4_000}
    put_all(copying.client, copying.table, [review(n, text=text) for n in range(500)])
    first = copying.once_well()
    assert first.requests["scan"] <= 4, "a pass that lasts longer than its pace was followed by another"
    put_all(copying.client, copying.table, [review(n, text=text, new={"N": "1"}) for n in range(0, 500, 20)])
    with copying.running() as running:
        wait_until(lambda: _rows(copying, "new") == 25, 60, every_s=0.2, what="all changes are rows")
    lost = [reason for _, reason in running.waits if "connection to MySQL" in reason]
    assert not lost
    copying.assert_equal(items=500, settled=False)


def _rows(copying: Copying, column: str = "row_id") -> int:
    """How many rows have a value in a column, which may not be there yet."""
    there = copying.database.query(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
        "AND column_name = %s",
        copying.table, column,
    )  # fmt: skip
    return len(copying.rows("row_id", f"`{column}` IS NOT NULL")) if there[0][0] else 0


@pytest.mark.either_server
def test_a_marked_write_does_not_wait_for_the_bare_link_of_its_item(make_copying: MakeCopying) -> None:
    """At five links a second the last of 400 would have its turn after 80 s."""
    copying = make_copying(write_capacity_max=5)
    put_all(copying.client, copying.table, [review(n) for n in range(400)])
    with copying.running():
        wait_until(lambda: _rows(copying) == 400, 30, what="all rows are there")
        put_all(copying.client, copying.table, [marked(n, new={"N": "1"}) for n in range(0, 400, 40)])
        wait_until(lambda: _rows(copying, "new") == 10, 15, what="the marked writes are rows")
        assert copying.state("_twinrow_link") > 200, "the links were through before"
    copying.change(write_capacity_max=10_000)
    copying.once_well()
    copying.assert_equal(items=400)


class Busy:
    """An app that marks writes all the time, so that no round over the index shows nothing."""

    def __init__(self, copying: Copying) -> None:
        self._copying, self._over = copying, threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(first,), daemon=True) for first in range(2)]
        self.written = 0

    def __enter__(self) -> Busy:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, first: int) -> None:
        n = first
        while not self._over.is_set():
            put_all(self._copying.client, self._copying.table, [marked(n + 2 * one) for one in range(5)])
            n = (n + 10) % 4_000
            self.written += 5
            self._over.wait(0.05)


@pytest.fixture
def no_empty_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every round shows something, as on a busy table whose index lags."""
    end = Rounds.end

    def shows_something(self: Rounds) -> None:
        self._seen = max(self._seen, 1)
        end(self)

    monkeypatch.setattr(Rounds, "end", shows_something)


@pytest.mark.either_server
def test_under_steady_writes_the_lag_stays_small_and_once_ends(make_copying: MakeCopying, no_empty_round: None) -> None:
    copying = make_copying()
    copying.once_well()
    with Busy(copying) as busy:
        with copying.running():
            for _ in range(20):
                wait_until(
                    partial(_caught_up_after, copying, time.time()), 30, what="it has caught up with this moment"
                )
                lag = copying.database.query("SELECT UNIX_TIMESTAMP(NOW(6)) - oldest_at FROM _twinrow_table")[0][0]
                assert lag is None or lag < 15, "the age of a change that is committed long since"
        before = busy.written
        copying.once_well()
        assert busy.written > before
    copying.once_well()
    copying.assert_equal()


def _caught_up_after(copying: Copying, moment: float) -> bool:
    return bool(copying.database.query("SELECT caught_up_at FROM _twinrow_table")[0][0] > moment)
