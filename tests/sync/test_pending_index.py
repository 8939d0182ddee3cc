"""The pending index on real servers: what is marked is copied, linked and unmarked; no change is lost on the way."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Ran, Running, Wire, key, marked, put_all, review, wire
from tests.fixtures.databases import Database
from tests.fixtures.killing import fifteen_minutes_pass
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, error, fail_statements, leave_keys
from tests.fixtures.waiting import wait_until

from twinrow.clock import Stop
from twinrow.errors import Broken, StartRefused, Throttled
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.mysql import VERSION_MIN
from twinrow.state import recheck
from twinrow.sync.recheck import recheck_some
from twinrow.table.context import TableContext
from twinrow.write.batch import Applied

WRITES = ("batch_execute_statement", "update_item", "put_item", "delete_item", "batch_write_item")
CALL_HELD_S = 120
"""Longer than rows take on any machine that does not wait for the call."""


def _get(copying: Copying, item: Wire) -> Wire:
    found: Wire = copying.client.get_item(TableName=copying.table, Key=key(item), ConsistentRead=True).get("Item", {})
    return found


def _put(copying: Copying, item: Wire) -> None:
    copying.client.put_item(TableName=copying.table, Item=item)


def _row(copying: Copying, item: Wire, columns: str = "*") -> tuple[Any, ...]:
    where = f"username = '{item['username']['S']}' AND reviewed_at = '{item['reviewed_at']['S']}'"
    (row,) = copying.rows(columns, where)
    return row


def _everything(copying: Copying) -> list[tuple[Any, ...]]:
    return copying.rows("*, _twinrow_key, _twinrow_extra, _twinrow_updated_at, _twinrow_deleted_at")


def _no_write(ran: Ran) -> bool:
    return not any(ran.requests.get(name) for name in WRITES)


@pytest.mark.parametrize("done", ["", "true"])
@pytest.mark.parametrize("items", [120, pytest.param(10_000, marks=[pytest.mark.faults, pytest.mark.timeout(600)])])
@pytest.mark.quick
def test_a_table_is_copied_and_linked_and_a_second_run_writes_nothing(
    make_copying: MakeCopying, done: str, items: int
) -> None:
    copying = make_copying(pending_index={"done": done})
    put_all(copying.client, copying.table, [marked(n) if n % 3 else review(n) for n in range(items)])
    copying.once_well()
    copying.assert_equal(items=items)
    marks = {item.get("migrated", {}).get("S", "") for item in copying.items()}
    assert marks == {"", done}

    before, items_before = _everything(copying), copying.items()
    again = copying.once_well()
    assert _everything(copying) == before
    assert copying.items() == items_before
    assert _no_write(again)
    assert again.requests.get("query") == 1

    put_all(copying.client, copying.table, [marked(n, extra={"N": "1"}) for n in range(items, items + 10)])
    new = copying.once_well()
    assert "scan" not in new.requests
    assert new.requests["batch_execute_statement"] == 1
    assert new.requests["query"] <= 3
    copying.assert_equal(items=items + 10)


@pytest.mark.either_server
def test_number_marks_are_compared_by_value(make_copying: MakeCopying) -> None:
    copying = make_copying(mark="migrated:N", pending_index={"pending": [0, 100.0], "done": 1})
    marks = [{"N": "0"}, {"N": "0.0"}, {"N": "100"}, {"N": "1"}, {"N": "7"}]
    put_all(copying.client, copying.table, [marked(n, marks[n % 5]) for n in range(40)])
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n, marks[n % 3], again={"S": "yes"}) for n in range(40, 60)])
    copying.once_well()
    copying.assert_equal(items=60)
    assert {item["migrated"]["N"] for item in copying.items()} == {"1", "7"}


@pytest.mark.either_server
def test_several_pending_values_are_followed_side_by_side(make_copying: MakeCopying) -> None:
    copying = make_copying(pending_index={"pending": ["p0", "p1", "p2", "p3"]})
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n, {"S": f"p{n % 4}"}) for n in range(80)])
    ran = copying.once_well()
    copying.assert_equal(items=80)
    assert ran.applied() == {("PUT", "PENDING"): 80}


@pytest.mark.either_server
def test_an_item_marked_deleted_loses_its_row_and_comes_back_as_another(make_copying: MakeCopying) -> None:
    copying = make_copying(pending_index={"deleted": "deleted"})
    put_all(copying.client, copying.table, [marked(n) for n in range(20)])
    copying.once_well()
    gone = marked(3, deleted={"BOOL": True})
    _put(copying, gone)
    _put(copying, marked(4, deleted={"BOOL": False}))
    _put(copying, marked(5, deleted={"S": "true"}))
    _put(copying, marked(77, deleted={"BOOL": True}))
    copying.once_well()
    copying.assert_equal(items=19)
    assert "migrated" not in _get(copying, gone)
    assert len(copying.rows()) == 19
    _put(copying, marked(3))
    copying.once_well()
    copying.assert_equal(items=20)


@pytest.mark.either_server
def test_items_marked_deleted_before_the_first_copy_get_no_row_and_count_as_none(make_copying: MakeCopying) -> None:
    """Items without a mark, in more than one page, so that whole pages are loaded and compared at once."""
    copying = make_copying(link=False, segments=1, pending_index={"deleted": "deleted"})
    text = {"S": "x" * 4000}
    items = [review(n, text=text, deleted={"BOOL": n % 3 == 0 and n > 400}) for n in range(900)]
    put_all(copying.client, copying.table, items)
    copying.once_well()
    alive = sum(item["deleted"] == {"BOOL": False} for item in items)
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items, verdict.rows) == (True, alive, alive)
    copying.assert_equal(items=alive)


@pytest.mark.parametrize("projection", ["KEYS_ONLY", ["rating"]], ids=["KEYS_ONLY", "INCLUDE"])
@pytest.mark.either_server
def test_an_index_without_whole_items_leads_to_reads_of_the_table(
    make_copying: MakeCopying, projection: str | list[str]
) -> None:
    copying = make_copying(projection=projection)
    put_all(copying.client, copying.table, [marked(n) for n in range(130)])
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n, more={"S": "new"}) for n in range(100, 230)])
    ran = copying.once_well()
    copying.assert_equal(items=230)
    assert ran.requests["batch_get_item"] >= 2
    assert {origin for _, origin in ran.applied()} == {"RECHECK"}


@pytest.mark.either_server
def test_without_links_the_mark_is_cleared_all_the_same(make_copying: MakeCopying) -> None:
    copying = make_copying(link=False)
    put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(40)])
    copying.once_well()
    copying.assert_equal(items=40)
    assert not [item for item in copying.items() if "mysql_id" in item or "migrated" in item]


@pytest.mark.parametrize("attribute", ["mysql_id", 'row "id"', "row\nid"])
@pytest.mark.either_server
def test_links_are_written_by_either_way_whatever_the_attribute_is_called(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, attribute: str
) -> None:
    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and attribute == "mysql_id":
            return error("AccessDeniedException")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url, link_attribute=attribute)
        put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(60)])
        ran = copying.once_well()
        copying.assert_equal(items=60)
    by_item = ran.requests.get("update_item", 0)
    assert (by_item == 60) == (attribute != 'row "id"')


@pytest.mark.either_server
def test_links_that_may_not_be_written_at_all_break_the_table_and_say_how_to_mend_it(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation in ("BatchExecuteStatement", "UpdateItem"):
            return error("AccessDeniedException", "not authorized to perform dynamodb:UpdateItem")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(30)])
        ran = copying.once()
        assert ran.outcome.error is not None
        assert ran.outcome.error.exit_code == 1
        assert "iam-policy" in str(ran.outcome.error)
        assert proxy.requests["UpdateItem"] < 60
    copying.endpoint_url = dynamodb.endpoint_url
    copying.once_well()
    copying.assert_equal(items=30)


def test_a_lost_database_is_rebuilt_with_the_same_ids_when_asked_to(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(60)])
    copying.once_well()
    ids = {(item["username"]["S"], item["reviewed_at"]["S"]): item["mysql_id"] for item in copying.items()}
    lost = copying.database
    copying.database = Database(lost.server, f"{lost.name}_new")
    copying.database.create()
    try:
        items = copying.items()
        refused = copying.once()
        assert isinstance(refused.outcome.error, StartRefused)
        assert refused.outcome.error.exit_code == 2
        assert "--adopt-links" in str(refused.outcome.error)
        assert copying.items() == items
        assert copying.database.query("SHOW TABLES LIKE 'reviews%%'") == []

        put_all(copying.client, copying.table, [review(n, mysql_id={"S": "no id"}) for n in (100, 101)])
        put_all(copying.client, copying.table, [review(102, mysql_id={"N": "5"}), marked(103, mysql_id={"N": "-1"})])
        copying.once_well(adopt_links=True)
        copying.assert_equal(items=64)
        now = {(item["username"]["S"], item["reviewed_at"]["S"]): item["mysql_id"] for item in copying.items()}
        # Item 102 claims an id that belongs to another item: whichever is scanned first keeps it.
        moved = [one for one, row_id in ids.items() if now[one] != row_id]
        assert len(moved) <= 1
    finally:
        copying.database.drop()
        copying.database = lost


@pytest.mark.either_server
def test_an_id_put_into_a_new_table_by_somebody_else_is_met_in_time(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1), review(2, mysql_id={"N": "77"})])
    refused = copying.once()
    assert isinstance(refused.outcome.error, StartRefused)
    copying.change(link_attribute="other_id")
    copying.once_well()
    copying.assert_equal(items=2)
    assert _get(copying, review(2))["mysql_id"] == {"N": "77"}


@pytest.mark.either_server
def test_who_fights_over_the_link_attribute_ends_the_linking(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    contested = marked(2, mysql_id={"N": "424242"})
    with copying.running() as running:
        for _ in range(3):
            _put(copying, contested)
            wait_until(lambda: running.ran is not None or "migrated" not in _get(copying, contested), 20)
        wait_until(lambda: running.ran is not None, 20, what="the table's end")
    assert running.ran is not None
    assert isinstance(running.ran.outcome.error, Broken)
    told = str(running.ran.outcome.error)
    assert "something else writes `mysql_id`" in told
    assert marked(2)["username"]["S"] not in told, "a reason goes to logs: no key of an item stands there"
    row_id = copying.database.query(
        f"SELECT row_id FROM {copying.table} WHERE username = %s", marked(2)["username"]["S"]
    )
    assert f"twinrow item {copying.table} --row-id {row_id[0][0]}" in told
    phase, reason = copying.database.query("SELECT phase, reason FROM _twinrow_table")[0]
    assert phase == "BROKEN"
    assert "mysql_id" in reason
    copying.once_well()
    copying.assert_equal(items=5)


@pytest.mark.either_server
def test_a_fight_over_the_link_attribute_is_noticed_over_several_runs_too(make_copying: MakeCopying) -> None:
    """As `sync --once` from cron meets it: each run sees each id once."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    for turn in range(2):
        _put(copying, marked(2, mysql_id={"N": str(424242 + turn)}))
        copying.once_well()
    _put(copying, marked(2, mysql_id={"N": "424244"}))
    assert isinstance(copying.once().outcome.error, Broken)
    copying.once_well()
    copying.assert_equal(items=5)


def test_an_item_corrected_after_it_was_parked_is_no_fight_and_no_gap(make_copying: MakeCopying) -> None:
    """The item still carries the id of the row that it had before."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    copying.database.query(
        f"CREATE TRIGGER objects BEFORE UPDATE ON `{copying.table}` FOR EACH ROW "
        "IF NEW.rating = 9 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"
    )
    linked = _get(copying, review(2))["mysql_id"]
    with copying.running():
        _put(copying, marked(2, rating={"N": "9"}, mysql_id=linked))
        wait_until(lambda: copying.state("_twinrow_dead_letter") == 1, 20, what="a dead letter")
        _put(copying, marked(2, mysql_id=linked))
        wait_until(lambda: copying.state("_twinrow_dead_letter") == 0, 20, what="a row again")
    copying.once_well()
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_gap") == [(0,)]
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_foreign_link") == [(0,)]
    copying.assert_equal(items=5)


@pytest.mark.either_server
def test_links_are_paid_for_also_where_dynamodb_tells_no_units(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(30)])
    ran = copying.once_well()
    assert ran.context.table.write_budget.used >= 30


@pytest.mark.either_server
def test_an_app_that_replaces_whole_items_gets_the_same_id_again(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(10)])
    copying.once_well()
    before = _get(copying, review(4))["mysql_id"]
    with copying.running():
        for turn in range(5):
            written = marked(4, turn={"N": str(turn)})
            _put(copying, written)
            wait_until(lambda written=written: _get(copying, written).get("mysql_id") == before, 20)  # type: ignore[misc]
    copying.assert_equal(items=10)


def test_a_write_made_while_the_sync_runs_arrives(make_copying: MakeCopying) -> None:
    copying = make_copying()
    with copying.running():
        wait_until(lambda: copying.state("_twinrow_table"), 20)
        put_all(copying.client, copying.table, [marked(n) for n in range(5)])
        wait_until(lambda: all("mysql_id" in item for item in copying.items()), 10, what="links of all items")
    copying.assert_equal(items=5)


@pytest.mark.either_server
def test_rows_do_not_wait_for_links_under_way(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinrow.dynamodb.LINK_TIMEOUT_S", 2 * CALL_HELD_S)
    held, free, over = threading.Event(), threading.Event(), threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement":
            held.set()
            free.wait(CALL_HELD_S)
            over.set()
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(0)])
        with copying.running():
            assert held.wait(20.0)
            put_all(copying.client, copying.table, [marked(n) for n in range(1, 20)])
            wait_until(lambda: len(copying.rows("row_id")) == 20, what="rows beside a link call that takes long")
            assert not over.is_set(), "the rows waited for the link call"
            free.set()
            wait_until(lambda: all("mysql_id" in item for item in copying.items()), 10, what="links of all items")
        copying.assert_equal(items=20)


@pytest.mark.either_server
def test_while_the_index_is_throttled_the_rest_goes_on(make_copying: MakeCopying, dynamodb: DynamoDBLocal) -> None:
    throttled = threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Query" and throttled.is_set():
            return error("ThrottlingException")
        return forward(None)

    def reason() -> str:
        return str(copying.database.query("SELECT reason FROM _twinrow_table")[0][0])

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(3)])
        copying.once_well()
        with copying.running() as running:
            wait_until(lambda: copying.database.query("SELECT holder <> '' FROM _twinrow_lease") == [(1,)], 20)
            throttled.set()
            wait_until(lambda: "throttles" in reason(), 20, what="the reason in the status")
            # a write without a mark: only a recheck brings it
            put_all(copying.client, copying.table, [review(1, text={"S": "unmarked"}), marked(7)])
            session = copying.copies(Stop())[1].connect()
            suspects = session.query(
                "SELECT _twinrow_key FROM `" + copying.table + "` WHERE reviewed_at = %s",
                (review(1)["reviewed_at"]["S"],),
            )
            recheck.add(session, copying.table, [(suspects[0][0], wire(key(review(1))))], "test")
            session.close()
            wait_until(lambda: _row(copying, review(1), "text") == ("unmarked",), 20, what="the recheck")
            assert len(copying.rows("row_id")) == 3
            throttled.clear()
            wait_until(lambda: len(copying.rows("row_id")) == 4, 20, what="the marked item")
            wait_until(lambda: reason() == "", 20, what="no reason any more")
        assert running.ran is not None
        assert running.ran.requests["describe_table"] == 1, "the table's run began anew"
        copying.once_well()
        copying.assert_equal(items=4)


@pytest.mark.either_server
def test_a_value_that_is_throttled_keeps_no_other_value_waiting(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    throttled = threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Query" and throttled.is_set() and "hot" in json.dumps(request.parameters):
            return error("ThrottlingException")
        return forward(None)

    def told() -> tuple[Any, ...]:
        return copying.database.query("SELECT reason, oldest_at IS NULL, backlog FROM _twinrow_table")[0]

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url, pending_index={"pending": ["hot", "cold"]})
        copying.once_well()
        with copying.running():
            wait_until(lambda: told() == ("", 1, 0), 20, what="a sync that has nothing to do")
            throttled.set()
            put_all(copying.client, copying.table, [marked(n, {"S": "hot"}) for n in range(3)])
            for number in range(3, 6):
                put_all(copying.client, copying.table, [marked(number, {"S": "cold"})])
                wait_until(lambda rows=number - 2: len(copying.rows("row_id")) == rows, 20)  # type: ignore[misc]
            wait_until(lambda: "throttles" in told()[0], 20, what="the reason in the status")
            assert told()[1:] == (0, None), "what cannot be read has a lag, and no known backlog"
            throttled.clear()
            wait_until(lambda: told() == ("", 1, 0), 30, what="the hot items")
        copying.once_well()
        copying.assert_equal(items=6)


@pytest.mark.either_server
def test_rechecks_that_are_answered_in_part_are_written_in_part(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    """DynamoDB leaves keys unanswered when it throttles, or when the items are 16 MB: here all but one, each time."""
    reads: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation != "BatchGetItem":
            return forward(None)
        (asked,) = request.parameters["RequestItems"].values()
        reads.append(len(asked["Keys"]))
        return leave_keys(request, forward, 1 / reads[-1])

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(5)])
        copying.once_well()
        changed = [review(n, text={"S": "unmarked"}) for n in range(4)]
        put_all(copying.client, copying.table, changed)
        copying.client.delete_item(TableName=copying.table, Key=key(review(4)))
        session = copying.copies(Stop())[1].connect()
        hashes = {at: key_hash for key_hash, at in copying.rows("_twinrow_key, reviewed_at")}
        suspects = [(hashes[review(n)["reviewed_at"]["S"]], wire(key(review(n)))) for n in range(5)]
        recheck.add(session, copying.table, suspects, "test")
        session.close()
        reads.clear()
        copying.once_well()
        assert reads == [5, 4, 3, 2, 1]
        copying.assert_equal(items=4)


def test_rights_taken_away_are_waited_for(make_copying: MakeCopying, dynamodb: DynamoDBLocal) -> None:
    denied = threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "Query" and denied.is_set():
            return error("AccessDeniedException", "not authorized to perform: dynamodb:Query")
        return forward(None)

    def told(running: Running, what: str) -> bool:
        return any(what in reason for _, reason in running.waits)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        copying.once_well()
        server, name = copying.database.server, f"taken_{uuid.uuid4().hex[:8]}"
        grant = f"GRANT ALL ON `{copying.database.name}`.* TO '{name}'@'%'"
        for sql in (f"CREATE USER '{name}'@'%' IDENTIFIED BY 'word'", grant):
            copying.database.query(sql)
        copying.mysql_url = server.url(copying.database.name, name, "word")
        began, caught_up = time.time(), "SELECT caught_up_at FROM _twinrow_table"
        with copying.running() as running:
            wait_until(lambda: copying.database.query(caught_up)[0][0] > began, 60, what="a sync that follows")
            copying.database.query(f"REVOKE INSERT ON `{copying.database.name}`.* FROM '{name}'@'%'")
            # what a session may do in its database is looked up when it begins
            for (number,) in copying.database.query(
                "SELECT id FROM information_schema.processlist WHERE user = %s", name
            ):
                copying.database.query(f"KILL {number}")
            put_all(copying.client, copying.table, [marked(1)])
            wait_until(lambda: told(running, "INSERT command denied"), 60, what="a wait for MySQL's rights")
            copying.database.query(grant)
            wait_until(lambda: len(copying.rows("row_id")) == 1, 30, what="the row")
            denied.set()
            wait_until(lambda: told(running, "not authorized"), 20, what="a wait for AWS's rights")
            put_all(copying.client, copying.table, [marked(2)])
            denied.clear()
            wait_until(lambda: len(copying.rows("row_id")) == 2, 30, what="the row")
        copying.database.query(f"DROP USER '{name}'@'%'")
        assert running.ran is not None
        assert running.ran.outcomes[copying.table].error is None
        assert copying.state("_twinrow_dead_letter") == 0
        copying.mysql_url = ""
        copying.once_well()
        copying.assert_equal(items=2)


@pytest.mark.either_server
def test_a_second_once_waits_until_the_holder_has_settled_what_it_suspects(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    held = threading.Event()

    def hold(context: TableContext, in_flight: set[bytes]) -> tuple[int, Applied | None]:
        if held.is_set():
            raise Throttled("DynamoDB throttles", where=f"table {context.name}")
        return recheck_some(context, in_flight)

    monkeypatch.setattr("twinrow.sync.table_work.recheck_some", hold)
    ended: list[Ran] = []
    with copying.running():
        wait_until(lambda: copying.database.query("SELECT holder <> '' FROM _twinrow_lease") == [(1,)], 20)
        held.set()
        put_all(copying.client, copying.table, [review(1, text={"S": "unmarked"})])
        session = copying.copies(Stop())[1].connect()
        ((key_hash,),) = session.query(f"SELECT _twinrow_key FROM `{copying.table}`")
        recheck.add(session, copying.table, [(key_hash, wire(key(review(1))))], "test")
        second = threading.Thread(target=lambda: ended.append(copying.once()), daemon=True)
        second.start()
        began = time.time()
        caught_up = "SELECT caught_up_at FROM _twinrow_table"
        wait_until(lambda: copying.database.query(caught_up)[0][0] > began + 2, 30, what="the holder has caught up")
        assert second.is_alive(), "the second --once ended before the holder had rechecked"
        held.clear()
        second.join(30)
        assert ended[0].outcomes[copying.table].left_to_holder
        assert _row(copying, review(1), "text") == ("unmarked",)
        session.close()
    copying.assert_equal(items=1)


@pytest.mark.either_server
def test_an_index_that_shows_cleared_marks_for_a_while_leads_to_no_second_write(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    behind: list[Answer] = []
    linked = threading.Event()

    def rule(request: Request, forward: Forward) -> Answer | None:
        answer = forward(None)
        if request.operation == "BatchExecuteStatement":
            linked.set()
        if request.operation == "Query":
            if answer.body.get("Items"):
                behind[:] = [answer]
            elif linked.is_set() and behind and copying.state("_twinrow_link") == 0:
                return behind.pop()
        return answer

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        copying.once_well()
        put_all(copying.client, copying.table, [marked(n) for n in range(10)])
        ran = copying.once_well()
        assert linked.is_set()
        assert not behind
        assert ran.applied() == {("PUT", "PENDING"): 10}
        copying.assert_equal(items=10)


@pytest.mark.parametrize("again", ["marked", "unmarked", "gone"])
def test_an_item_rewritten_between_copy_and_link_is_not_lost(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, again: str
) -> None:
    rewritten: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and not rewritten:
            rewritten.append(1)
            newer = {"marked": marked(3, n={"S": "new"}), "unmarked": review(3, n={"S": "new"}), "gone": None}[again]
            if newer is None:
                copying.client.delete_item(TableName=copying.table, Key=key(review(3)))
            else:
                _put(copying, newer)
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(8)])
        copying.once_well()
        assert rewritten
        copying.assert_equal(items=7 if again == "gone" else 8)


@pytest.mark.either_server
def test_an_old_image_that_a_stale_index_shows_again_does_not_stay(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    shown: list[Answer] = []
    replayed: list[int] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation != "Query":
            return forward(None)
        if len(shown) == 1 and copying.state("_twinrow_link") == 0 and replay.is_set() and not replayed:
            replayed.append(1)
            return shown[0]
        answer = forward(None)
        if answer.body.get("Items") and not shown:
            shown.append(answer)
        return answer

    replay = threading.Event()
    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        copying.once_well()
        put_all(copying.client, copying.table, [marked(n, text={"S": "old"}) for n in range(6)])
        copying.once_well()
        put_all(copying.client, copying.table, [marked(n, text={"S": "new"}) for n in range(3)])
        copying.client.delete_item(TableName=copying.table, Key=key(review(5)))
        copying.once_well()
        replay.set()
        ran = copying.once_well()
        assert replayed
        assert ran.applied()[("PUT", "PENDING")] == 6
        copying.assert_equal(items=5)


def test_a_link_answer_that_comes_after_a_newer_write_settles_nothing_of_it(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    held: list[Answer] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        answer = forward(None)
        if request.operation == "BatchExecuteStatement" and not held:
            held.append(answer)
            put_all(copying.client, copying.table, [marked(n, text={"S": "newer"}) for n in range(4)])
            put_all(copying.client, copying.table, [review(n, text={"S": "newer"}) for n in range(4, 6)])
        return answer

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(4)])
        copying.once_well()
        assert held
        copying.once_well()
        assert _row(copying, review(2), "text") == ("newer",)


def test_a_link_request_that_arrives_long_after_it_was_given_up_loses_no_change(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    held: list[tuple[Request, Forward]] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and not held:
            held.append((request, forward))
            return None  # the client learns nothing; the request is still on its way
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(4)])
        with copying.running():
            wait_until(lambda: all("mysql_id" in item for item in copying.items()), 20, what="links by a second call")
            newer = marked(2, text={"S": "newer"})

            def write_and_arrive(request: Request, forward: Forward) -> Answer | None:
                proxy.rule = rule
                answer = forward(None)  # the index is asked before the app writes: it shows nothing
                _put(copying, newer)
                held[0][1](None)
                return answer

            proxy.rule = lambda one, on: write_and_arrive(one, on) if one.operation == "Query" else on(None)
            wait_until(lambda: _get(copying, newer).get("text") == {"S": "newer"}, 10)
            wait_until(lambda: "migrated" not in _get(copying, newer), 10)
            fifteen_minutes_pass(copying)
            wait_until(lambda: _row(copying, newer, "text") == ("newer",), 20, what="the change whose mark was cleared")
            due = "SELECT COUNT(*) FROM _twinrow_recheck WHERE late = 0"
            wait_until(lambda: copying.database.query(due) == [(0,)], 20, what="every recheck worked off")
        copying.assert_equal(items=4)


@pytest.mark.either_server
def test_statements_of_one_batch_that_fail_each_in_its_own_way_are_all_settled(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal
) -> None:
    codes = iter(
        [None, "ThrottlingError", "ConditionalCheckFailed", "TransactionConflict", "InternalServerError", None,
         "ProvisionedThroughputExceeded", "RequestLimitExceeded", "ConditionalCheckFailed", "DuplicateItem"] * 4
    )  # fmt: skip
    with DynamoDBProxy(dynamodb.endpoint_url, fail_statements(codes)) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) for n in range(40)])
        copying.once_well()
        assert next(codes, "through") == "through"
        copying.assert_equal(items=40)


@pytest.mark.parametrize("mark", [None, "f"], ids=["unmarked", "marked"])
@pytest.mark.either_server
def test_an_item_that_its_link_would_make_too_large_is_told_as_unlinked(
    make_copying: MakeCopying, mark: str | None
) -> None:
    copying = make_copying(mark="m:S", pending_index={"pending": ["f"]})
    full = review(1)
    names = len("m") + 1 if mark else 0
    size = sum(len(name) for name in full) + 200
    full["padding"] = {"S": "x" * (409_600 - size - names)}
    if mark:
        full["m"] = {"S": mark}
    # As large as DynamoDB takes it: what is left is less than a link needs.
    while True:
        full["padding"]["S"] += "x"
        try:
            _put(copying, full)
        except copying.client.exceptions.ClientError:
            break
    put_all(copying.client, copying.table, [review(n) for n in range(2, 6)])
    copying.once_well()
    verdict = copying.verify()
    assert (verdict.unlinked, verdict.missing, verdict.different, verdict.extra) == (1, 0, 0, 0)
    assert "m" not in _get(copying, full)
    ((reason,),) = copying.database.query("SELECT refused FROM _twinrow_link")
    assert "size" in reason
    again = copying.once_well()
    assert _no_write(again)


@pytest.mark.either_server
def test_what_must_be_mended_first_is_refused_and_nothing_is_half_done(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    index = copying.tables[copying.table]["pending_index"]
    for wrong, said in (
        ({"index": "none"}, "has no index 'none'"), ({"attribute": "other"}, "hash key"), ({"pending": [0]}, "type S"),
    ):  # fmt: skip
        copying.change(pending_index={**index, **wrong})
        ran = copying.once()
        assert isinstance(ran.outcome.error, StartRefused)
        assert said in str(ran.outcome.error)
    copying.change(pending_index=index, into="somebody_s")
    copying.database.query("CREATE TABLE somebody_s (row_id INT PRIMARY KEY)")
    ran = copying.once()
    assert isinstance(ran.outcome.error, StartRefused)
    assert "was not made by Twinrow" in str(ran.outcome.error)
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_table") == [(0,)]
    assert copying.database.query("SELECT COUNT(*) FROM somebody_s") == [(0,)]
    assert all("mysql_id" not in item for item in copying.items())


def test_a_server_that_is_too_old_is_refused_before_anything_is_made(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying()
    for flavour in ("mysql", "mariadb"):
        monkeypatch.setitem(VERSION_MIN, flavour, (99, 0, 0))
    ran = copying.once()
    assert isinstance(ran.outcome.error, StartRefused)
    assert "is too old" in str(ran.outcome.error)
    assert "upgrade to" in str(ran.outcome.error)
    assert copying.database.query("SHOW TABLES") == []
