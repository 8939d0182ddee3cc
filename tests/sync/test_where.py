"""`where` of a table: rows are those of the matching items, whichever way the items come; what leaves goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures import tables
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.config import parse
from twinrow.entities.row_filter import row_filter
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.sync import changed_where

WHERE: dict[str, Any] = {"tenant": "acme", "status": {"not": "DRAFT"}}
WAIT_S = 60.0
LONG = {"S": "x" * 3000}


def _item(number: int, tenant: str = "acme", status: str = "LIVE", **more: Wire) -> Wire:
    return review(number, tenant={"S": tenant}, status={"S": status}, **more)


def _set(copying: Copying, number: int, **values: str) -> None:
    """Change some texts of an item, as the app does: its other attributes stay, the link among them."""
    mark = {"migrated": "false"} if "pending_index" in copying.tables[copying.table] else {}
    texts = {**values, **mark}
    copying.client.update_item(
        TableName=copying.table, Key=key(review(number)),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in texts),
        ExpressionAttributeNames={f"#{name}": name for name in texts},
        ExpressionAttributeValues={f":{name}": {"S": text} for name, text in texts.items()},
    )  # fmt: skip


def _ids(copying: Copying) -> dict[str, int]:
    return dict(copying.rows("reviewed_at, row_id", "_twinrow_deleted_at IS NULL"))


def _at(number: int) -> str:
    return str(review(number)["reviewed_at"]["S"])


MakeFollowing = Callable[..., Copying]


@pytest.fixture
def make_following(database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path) -> Iterator[MakeFollowing]:
    """A table with a stream on a DynamoDB Local of its own: one slows down with every stream it ever had."""
    client = tables.client(fresh_dynamodb.endpoint_url)

    def make(**options: Any) -> Copying:
        name = tables.create_table(
            client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
        )
        wanted = {"capture": "stream", **options}
        return Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: wanted})

    yield make
    client.close()


@pytest.mark.either_server
def test_a_first_copy_makes_rows_of_matching_items_alone_and_columns_too(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", where=WHERE, segments=1)
    theirs: Wire = {"theirs": {"M": {"a": {"S": "b"}}}}
    items = [_item(n, text=LONG) if n % 3 else _item(n, "other", text=LONG) | theirs for n in range(900)]
    put_all(copying.client, copying.table, items)
    copying.once_well()
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items, verdict.filtered, verdict.rows) == (True, 600, 300, 600)
    copying.assert_equal(items=600)
    assert "theirs" not in {row[0] for row in copying.database.query(f"SHOW COLUMNS FROM `{copying.table}`")}


@pytest.mark.either_server
def test_a_first_copy_by_processes_filters_too(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", where=WHERE, segments=4)
    copying.workers = 2
    put_all(copying.client, copying.table, [_item(n, ("acme", "other")[n % 2], text=LONG) for n in range(900)])
    copying.once_well()
    copying.assert_equal(items=450)


@pytest.mark.either_server
@pytest.mark.parametrize("deletes", ["hard", "soft"])
def test_with_a_pending_index_items_leave_and_come_back_under_their_ids(
    make_copying: MakeCopying, deletes: str
) -> None:
    copying = make_copying(where=WHERE, deletes=deletes)
    put_all(copying.client, copying.table, [marked(n, **_texts("acme")) for n in range(20)])
    put_all(copying.client, copying.table, [marked(n, **_texts("other")) for n in range(20, 30)])
    copying.once_well()
    copying.assert_equal(items=20)
    ids = _ids(copying)
    for number in range(5):
        _set(copying, number, status="DRAFT")
    _set(copying, 25, tenant="acme")
    copying.once_well()
    copying.assert_equal(items=16)
    for item in copying.items():
        assert "migrated" not in item, "the mark of an item without a row is cleared as any other"
    assert {_at(n) for n in range(5)}.isdisjoint(_ids(copying))
    for number in range(5):
        _set(copying, number, status="LIVE")
    copying.once_well()
    copying.assert_equal(items=21)
    assert {at: row_id for at, row_id in _ids(copying).items() if at in ids} == ids
    assert copying.state("_twinrow_gap") == 0, "an id that comes back is no sign that MySQL lost rows"


def _texts(tenant: str, status: str = "LIVE") -> dict[str, Wire]:
    return {"tenant": {"S": tenant}, "status": {"S": status}}


@pytest.mark.either_server
def test_an_item_without_a_row_that_carries_the_id_of_another_row_is_read_again_and_left_alone(
    make_copying: MakeCopying,
) -> None:
    copying = make_copying(where=WHERE)
    put_all(copying.client, copying.table, [marked(n, **_texts("acme")) for n in range(3)])
    copying.once_well()
    taken = _ids(copying)[_at(0)]
    put_all(copying.client, copying.table, [marked(9, mysql_id={"N": str(taken)}, **_texts("other"))])
    ran = copying.once_well()
    assert ran.counts.rechecked >= 1
    (stray,) = [item for item in copying.items() if item["reviewed_at"]["S"] == _at(9)]
    assert stray["mysql_id"] == {"N": str(taken)}
    assert "migrated" not in stray
    copying.assert_equal(items=3)


@pytest.mark.either_server
def test_repair_and_reconcile_take_away_what_does_not_match_and_bring_what_does(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", where=WHERE)
    put_all(copying.client, copying.table, [_item(n, ("acme", "other")[n % 2]) for n in range(40)])
    copying.once_well()
    for number in range(4):
        _set(copying, number, tenant=("other", "acme")[number % 2])
    verdict = copying.verify()
    assert (verdict.missing, verdict.extra, verdict.filtered) == (2, 2, 20)
    left = copying.repair(execute=True).left
    assert left is not None
    assert left.in_step
    assert left.filtered == 20
    for number in range(4):
        _set(copying, number, tenant=("acme", "other")[number % 2])
    copying.once_well()
    copying.assert_equal(items=20)


@pytest.mark.either_server
@pytest.mark.parametrize("link", [False, True], ids=["unlinked", "linked"])
def test_a_stream_brings_what_begins_to_match_and_takes_what_stops(make_following: MakeFollowing, link: bool) -> None:
    copying = make_following(where=WHERE, link=link)
    put_all(copying.client, copying.table, [_item(n, ("acme", "other")[n % 2]) for n in range(20)])
    with copying.running():
        wait_until(lambda: _live(copying) and len(_ids(copying)) == 10, WAIT_S, what="the first copy is made")
        ids = _ids(copying)
        put_all(copying.client, copying.table, [_item(n, ("acme", "other")[n % 2]) for n in range(100, 400)])
        _set(copying, 0, tenant="other")
        _set(copying, 1, tenant="acme")
        _set(copying, 2, status="DRAFT")
        wait_until(lambda: len(_ids(copying)) == 159, WAIT_S, what="the stream is followed")
        assert {_at(0), _at(2)}.isdisjoint(_ids(copying))
        _set(copying, 0, tenant="acme")
        wait_until(lambda: _at(0) in _ids(copying), WAIT_S, what="it is back")
        if link:
            assert _ids(copying)[_at(0)] == ids[_at(0)]
            wait_until(lambda: copying.state("_twinrow_link") == 0, WAIT_S, what="links are settled")
    copying.assert_equal(items=160)
    assert copying.state("_twinrow_gap") == 0


@pytest.mark.either_server
@pytest.mark.parametrize("deletes", ["hard", "soft"])
def test_a_tighter_where_takes_rows_away_inside_mysql_and_a_looser_brings_items(
    make_copying: MakeCopying, deletes: str
) -> None:
    copying = make_copying(where={"tenant": ["acme", "other"]}, deletes=deletes)
    items = [marked(n, **_texts(("acme", "other", "third")[n % 3])) for n in range(1500)]
    put_all(copying.client, copying.table, items)
    copying.once_well()
    ids = _ids(copying)
    assert len(ids) == 1000
    copying.change(where={"tenant": "acme"})
    ran = copying.once_well()
    assert "scan" not in ran.requests
    assert "batch_get_item" not in ran.requests
    assert copying.state("_twinrow_gap") == 0
    copying.assert_equal(items=500)
    assert len(copying.rows()) == (1000 if deletes == "soft" else 500)
    copying.change(where={"tenant": ["acme", "third"]})
    copying.once_well()
    assert copying.state("_twinrow_gap") == 1
    copying.assert_equal(items=1000)
    del copying.tables[copying.table]["where"]
    copying.once_well()
    copying.assert_equal(items=1500)
    back = _ids(copying)
    assert {at: row_id for at, row_id in back.items() if at in ids} == ids, "ids come back with their items"


@pytest.mark.either_server
@pytest.mark.parametrize("point", ["after-where:2", "before-where-done:1"])
def test_a_pass_that_is_killed_goes_on_where_it_was(make_copying: MakeCopying, point: str) -> None:
    copying = make_copying(capture="scan")
    put_all(copying.client, copying.table, [_item(n, ("acme", "other")[n % 2]) for n in range(1200)])
    copying.once_well()
    copying.change(where=WHERE, reconcile_every="1h")
    code, said = copying.process_once(environment={"TWINROW_FAIL_POINT": point})
    assert code == -9, said
    assert copying.state("_twinrow_gap") == 0
    copying.once_well()
    copying.assert_equal(items=600)


@pytest.mark.parametrize(
    ("before", "now", "rows_go", "reads"),
    [
        (None, {"a": 1}, True, False),
        ({"a": 1}, None, False, True),
        ({"a": 1}, {"a": 1, "b": 2}, True, False),
        ({"a": 1, "b": 2}, {"a": 1}, False, True),
        ({"a": [1, 2]}, {"a": 1}, True, False),
        ({"a": 1}, {"a": 2}, True, True),
        ({"a": 1}, [{"a": 1}], False, False),
        ({"a": "{x*}"}, {"a": "b#{x}"}, True, False),
        (None, {"mark": 1}, False, True),
        ("hash of one that is protected", {"a": 1}, True, True),
        ("hash of one that is protected", None, False, True),
    ],
)
def test_a_changed_where_asks_for_a_pass_in_mysql_or_for_a_reconcile(
    before: Any, now: Any, rows_go: bool, reads: bool
) -> None:
    source = before if before is None or isinstance(before, str) else row_filter(before, "#").source
    made = row_filter(now, "#") if now is not None else None
    assert changed_where.rows_may_go(source, made, ["mark"]) is rows_go
    assert changed_where.needs_dynamodb(source, made, ["mark"]) is reads


def _live(copying: Copying) -> bool:
    if copying.state("_twinrow_table") == 0:
        return False
    return copying.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)]


def test_a_file_says_what_where_may_hold() -> None:
    text = """
[mysql]
url = "mysql://u:p@h/d"
[[tables]]
name = "abc"
capture = "scan"
where = [{ tenant = "acme", n = { from = 3, to = 7.5 } }, { open = true, gone = { exists = false } }]
"""
    assert parse(text, environment={}).tables[0].where is not None
