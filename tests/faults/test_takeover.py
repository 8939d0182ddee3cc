"""Two processes on one table: one writes, and whoever was thought dead cannot write one row more."""

from __future__ import annotations

import signal

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Process, marked, put_all
from tests.fixtures.killing import fifteen_minutes_pass, lease_runs_out
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request
from tests.fixtures.waiting import is_paused, wait_until

from twinrow.local_servers.servers import DynamoDBLocal

LEASE_S = 6.0
TAKEOVER_S_MAX = 20.0
EVERYTHING = "*, _twinrow_key, _twinrow_extra, _twinrow_updated_at"


def _linked(copying: Copying) -> bool:
    return all("mysql_id" in item and "migrated" not in item for item in copying.items())


def _fence(copying: Copying) -> int:
    return int(copying.database.query("SELECT fence FROM _twinrow_lease")[0][0])


def _paused(copying: Copying, point: str) -> Process:
    """A sync that stops itself (SIGSTOP) at a fail point, with all items in hand: they are there before it begins."""
    put_all(copying.client, copying.table, [marked(n, text={"S": "first"}) for n in range(20)])
    process = copying.process(once=False, environment={"TWINROW_FAIL_POINT": f"{point}:1:stop"})
    wait_until(lambda: is_paused(process.pid), 30, what=f"pause at {point}")
    return process


LONG = [
    pytest.param(one, marks=pytest.mark.faults)
    for one in ("after-rows", "before-link-paid", "after-recheck-read", "after-lease")
]


@pytest.mark.parametrize("point", ["before-transaction", *LONG])
def test_a_process_paused_past_its_lease_writes_no_row_when_it_wakes(make_copying: MakeCopying, point: str) -> None:
    copying = make_copying(projection="KEYS_ONLY" if point == "after-recheck-read" else "ALL")
    copying.lease_s = LEASE_S
    copying.once_well()
    fence = _fence(copying)
    sleeper = _paused(copying, point)
    try:
        assert _fence(copying) == fence + 1
        put_all(copying.client, copying.table, [marked(n, text={"S": "second"}) for n in range(0, 30, 2)])
        with copying.running():
            wait_until(lambda: _fence(copying) == fence + 2, TAKEOVER_S_MAX, what="takeover")
            wait_until(lambda: _linked(copying), 30, what="links by the second process")
            rows = copying.rows(EVERYTHING)
            sleeper.popen.send_signal(signal.SIGCONT)
            wait_until(lambda: "another process" in sleeper.said(), 30, what="the sleeper standing by")
            assert copying.rows(EVERYTHING) == rows
            put_all(copying.client, copying.table, [marked(n, text={"S": "third"}) for n in range(5)])
            wait_until(lambda: _linked(copying), 30)
            assert _fence(copying) == fence + 2
        # The second has let go: the first takes over again, and picks up what is new.
        put_all(copying.client, copying.table, [marked(n, text={"S": "fourth"}) for n in range(5)])
        wait_until(lambda: _linked(copying), 30, what="links by the first process")
        sleeper.popen.send_signal(signal.SIGTERM)
        assert sleeper.ended()[0] == 0
        copying.assert_equal(items=25)
    finally:
        sleeper.kill()


@pytest.mark.faults
def test_a_mark_cleared_by_a_process_that_wakes_too_late_hides_no_change(
    make_copying: MakeCopying,
) -> None:
    copying = make_copying()
    copying.lease_s = LEASE_S
    copying.once_well()
    # Signed while it held the lease, and checked; the bytes not sent.
    sleeper = _paused(copying, "after-link-signed")
    try:
        with copying.running():
            wait_until(lambda: _linked(copying), TAKEOVER_S_MAX + 20, what="takeover and links")
            item = marked(3, text={"S": "newer"})
            held = copying.database.connect()
            with held.cursor() as cursor:
                # The successor is kept from its next write, so that the sleeper's call comes first.
                cursor.execute("START TRANSACTION")
                cursor.execute("SELECT fence FROM _twinrow_lease FOR UPDATE")
                copying.client.put_item(TableName=copying.table, Item=item)
                sleeper.popen.send_signal(signal.SIGCONT)
                wait_until(lambda: _linked(copying), 20, what="the mark cleared by the sleeper")
                cursor.execute("ROLLBACK")
            held.close()
            fifteen_minutes_pass(copying)
            wait_until(lambda: copying.rows("text", f"reviewed_at = '{item['reviewed_at']['S']}'") == [("newer",)], 30)
    finally:
        sleeper.kill()
    copying.once_well()
    copying.assert_equal(items=20)


def test_a_process_that_wakes_before_it_signs_a_link_call_sends_nothing(make_copying: MakeCopying) -> None:
    """Its call would be signed anew, long after its successor has settled everything."""
    copying = make_copying()
    copying.lease_s = LEASE_S
    copying.once_well()
    sleeper = _paused(copying, "before-link-call")
    try:
        with copying.running():
            wait_until(lambda: _linked(copying), TAKEOVER_S_MAX + 20, what="takeover and links")
            wait_until(lambda: copying.state("_twinrow_link") == 0, 20, what="all settled by the successor")
            query = copying.database.query
            query("DELETE FROM _twinrow_recheck WHERE late = 1")  # nobody else will look again
            with copying.database.connect() as held, held.cursor() as cursor:
                # The successor is kept from its next write, so that the sleeper's call would come first.
                cursor.execute("START TRANSACTION")
                cursor.execute("SELECT fence FROM _twinrow_lease FOR UPDATE")
                put_all(copying.client, copying.table, [marked(n, text={"S": "newer"}) for n in range(20)])
                sleeper.popen.send_signal(signal.SIGCONT)
                wait_until(lambda: "another process" in sleeper.said(), 30, what="the sleeper standing by")
                sleeper.kill()
                assert all("migrated" in item for item in copying.items()), "the sleeper has cleared a mark"
                cursor.execute("ROLLBACK")
            wait_until(lambda: copying.rows("COUNT(*)", "text = 'newer'") == [(20,)], 30, what="the newer writes")
            wait_until(lambda: _linked(copying), 30, what="their links")
    finally:
        sleeper.kill()
    copying.assert_equal(items=20, settled=False)


def test_a_link_request_that_outlives_its_process_hides_no_change(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    held: list[Forward] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation != "BatchExecuteStatement":
            return forward(None)
        held.append(forward)
        return None

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        copying.once_well()
        put_all(copying.client, copying.table, [marked(n) for n in range(10)])
        process = copying.process(once=False)
        wait_until(lambda: held, 30, what="a link call")
        process.kill()
        lease_runs_out(copying)
        copying.endpoint_url = dynamodb.endpoint_url
        with copying.running():
            wait_until(lambda: _linked(copying), 30, what="takeover and links")
            item = marked(3, text={"S": "newer"})
            with copying.database.connect() as held_back, held_back.cursor() as cursor:
                # The successor is kept from its next write, so that the old request comes first.
                cursor.execute("START TRANSACTION")
                cursor.execute("SELECT fence FROM _twinrow_lease FOR UPDATE")
                copying.client.put_item(TableName=copying.table, Item=item)
                held[0](None)
                assert _linked(copying), "the old request clears the mark of the newer write"
                cursor.execute("ROLLBACK")
            fifteen_minutes_pass(copying)
            where = f"reviewed_at = '{item['reviewed_at']['S']}'"
            wait_until(lambda: copying.rows("text", where) == [("newer",)], 30, what="the change whose mark is gone")
    copying.once_well()
    copying.assert_equal(items=10)


def test_three_processes_at_once_leave_the_table_to_one(make_copying: MakeCopying) -> None:
    copying = make_copying()
    copying.lease_s = LEASE_S
    put_all(copying.client, copying.table, [marked(n) for n in range(100)])
    processes = [copying.process(once=True) for _ in range(3)]
    for process in processes:
        code, output = process.ended()
        assert code == 0, output
    copying.assert_equal(items=100)
    assert copying.rows("MAX(row_id)") == [(100,)]
