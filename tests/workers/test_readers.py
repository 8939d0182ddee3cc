"""A first copy read by processes: equal whoever is killed, within one budget, and nobody is left behind."""

from __future__ import annotations

import io
import os
import signal
import threading
from dataclasses import replace

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Wire, put_all, review
from tests.fixtures.killing import lease_runs_out, readers_of
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, error
from tests.fixtures.waiting import is_paused, wait_until

from twinrow.budget import Budget
from twinrow.clock import Stop
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.table.context import TableContext, context_of
from twinrow.workers import messages, reader, readers
from twinrow.workers.messages import Ask
from twinrow.write.load import ReadPage

ITEMS = 600
TEXT = {"S": "long " * 2000}
"""So long that the table has more pages than are read to make its first columns."""
READERS = 2
RARE = 6
WAIT_S = 60.0


def large(make_copying: MakeCopying, endpoint_url: str = "", text: Wire = TEXT) -> Copying:
    """A table of some pages in two segments, with attributes that only few items have, and its configuration."""
    copying = make_copying(capture="scan", segments=READERS, endpoint_url=endpoint_url)
    copying.workers = READERS
    rare: dict[int, Wire] = {n: {f"rare{n}": {"N": str(n)}} for n in range(0, ITEMS, ITEMS // RARE)}
    put_all(copying.client, copying.table, [review(n, text=text, **rare.get(n, {})) for n in range(ITEMS)])
    return copying


def nobody_reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_here(*_: object) -> None:
        raise AssertionError("the pages were read in this process")

    monkeypatch.setattr(readers, "read_here", read_here)


def test_a_copy_read_by_processes_is_equal(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = large(make_copying)
    nobody_reads_here(monkeypatch)
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ran.counts.applied == {("PUT", "SCAN"): ITEMS}
    assert ran.requests["scan"] > 3 * READERS, "the readers' requests are counted"
    assert not readers_of(copying.table)


@pytest.mark.either_server
def test_a_killed_reader_is_replaced_and_its_segments_go_on(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = large(make_copying, text={"S": "long " * 5000})
    nobody_reads_here(monkeypatch)
    take, reading, killed = readers.Readers.take, threading.Event(), threading.Event()
    granted: list[int] = []

    class FewPages(Budget):
        """So few requests before the kill that both segments are left for the next two readers.

        A reader may ask for a page before it has sent the one before: of three requests, one page comes for sure.
        """

        def wait(self, stop: Stop) -> None:
            if reading.is_set() and not killed.is_set():
                granted.append(1)
                if len(granted) > READERS + 1:
                    killed.wait(WAIT_S)
            super().wait(stop)

    def take_and_kill(self: readers.Readers, wait_s: float) -> ReadPage | None:
        reading.set()
        page = take(self, wait_s)
        if page is not None and not killed.is_set():
            os.kill(self._readers[0].process.pid, signal.SIGKILL)
            killed.set()
        return page

    def prepare(context: TableContext) -> TableContext:
        return context_of(replace(context.table, read_budget=FewPages(None)))

    monkeypatch.setattr(readers.Readers, "take", take_and_kill)
    copying.once_well(prepare=prepare)
    assert killed.is_set()
    copying.assert_equal(items=ITEMS)


def test_the_readers_of_a_killed_process_end_and_the_next_one_goes_on(make_copying: MakeCopying) -> None:
    copying = large(make_copying)
    process = copying.process(environment={"TWINROW_FAIL_POINT": "after-rows:2:stop"})
    wait_until(lambda: is_paused(process.pid), WAIT_S, what="the process at its fail point")
    assert len(readers_of(copying.table)) == READERS
    process.kill()
    wait_until(lambda: not readers_of(copying.table), WAIT_S, what="the end of the readers")
    copying.workers = None
    lease_runs_out(copying)
    before = copying.state("_twinrow_checkpoint")
    ran = copying.once_well()
    assert before > 0
    assert 0 < ran.counts.applied["PUT", "SCAN"] < ITEMS, "it began anew"
    copying.assert_equal(items=ITEMS)


@pytest.mark.either_server
def test_every_request_of_a_reader_is_asked_for_and_paid_from_the_one_budget(make_copying: MakeCopying) -> None:
    copying = large(make_copying)
    asked: list[int] = []

    class Counting(Budget):
        def wait(self, stop: Stop) -> None:
            asked.append(1)
            super().wait(stop)

    def prepare(context: TableContext) -> TableContext:
        return context_of(replace(context.table, read_budget=Counting(None)))

    ran = copying.once_well(prepare=prepare)
    copying.assert_equal(items=ITEMS)
    assert len(asked) == ran.requests["scan"] > READERS
    assert ran.context.table.read_budget.used > ITEMS, (
        "10 KB cost more than a unit, although read eventually consistent"
    )


@pytest.mark.either_server
def test_a_request_is_not_sent_before_it_is_let_through() -> None:
    out = io.BytesIO()
    budget = reader.AskedBudget(reader.Line(out))
    asking = threading.Thread(target=budget.wait, args=(Stop(),), daemon=True)
    asking.start()
    wait_until(out.getvalue, what="the question")
    out.seek(0)
    assert messages.decode_from_reader(messages.read(out) or b"") == Ask()
    asking.join(0.1)
    assert asking.is_alive()
    budget.go()
    asking.join(WAIT_S)
    assert not asking.is_alive()


@pytest.mark.either_server
def test_a_throttled_reader_halves_the_one_budget_and_goes_on(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    throttled: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Scan" and "ExclusiveStartKey" in request.parameters and len(throttled) < READERS:
            throttled.append(1)
            return error("ProvisionedThroughputExceededException")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = large(make_copying, endpoint_url=proxy.endpoint_url)
        ran = copying.once_well()
        copying.assert_equal(items=ITEMS)
    assert len(throttled) == READERS
    assert ran.context.table.read_budget.share < 1.0


@pytest.mark.either_server
def test_rights_taken_from_a_reader_are_waited_for(make_copying: MakeCopying, dynamodb: DynamoDBLocal) -> None:
    denied: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Scan" and "ExclusiveStartKey" in request.parameters and not denied:
            denied.append(1)
            return error("ExpiredTokenException")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = large(make_copying, endpoint_url=proxy.endpoint_url)
        with copying.running() as running:
            wait_until(lambda: copying.rows("COUNT(*)") == [(ITEMS,)] if denied else False, WAIT_S)
        assert any("ExpiredToken" in reason for _, reason in running.waits)
        copying.assert_equal(items=ITEMS)


@pytest.mark.either_server
def test_links_and_small_tables_are_read_in_this_process() -> None:
    assert readers.readers_for(None, readers.READER_BYTES_MIN - 1, 8) == 1
    assert readers.readers_for(3, 0, 8) == 3
    assert readers.readers_for(8, 0, 4) == 4, "no reader without a segment"
    assert 1 <= readers.readers_for(None, 10**12, 256) <= readers.READERS_MAX
