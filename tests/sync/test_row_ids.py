"""A row's id does not change while its item lives, whatever happened to the row meanwhile."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review, with_settings
from tests.fixtures.waiting import wait_until
from tests.sync.test_changed_settings import gaps

from twinrow.app.observe.status import collect
from twinrow.change import Change
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.errors import Broken
from twinrow.link.threads import Linker
from twinrow.state import foreign_link, gap, recheck
from twinrow.workers.held import held
from twinrow.write.apply import apply, transact
from twinrow.write.batch import Batch

ITEMS = 5
CAPTURES: list[dict[str, Any]] = [
    {},
    {"capture": "scan", "link": True},
    {"capture": "scan", "link": False},
]


def copied(make_copying: MakeCopying, **options: Any) -> Copying:
    copying = make_copying(**options)
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    return copying


def ids(copying: Copying) -> dict[Any, Any]:
    return dict(copying.database.query(f"SELECT reviewed_at, row_id FROM `{copying.table}`"))


def write(copying: Copying, n: int, **attributes: Wire | None) -> None:
    """As an app writes that changes an item and keeps what else it has; None removes an attribute."""
    names = {f"#{place}": name for place, name in enumerate(attributes)}
    values = {f":{place}": value for place, value in enumerate(attributes.values()) if value is not None}
    sets = [f"#{place} = :{place}" for place, value in enumerate(attributes.values()) if value is not None]
    drops = [f"#{place}" for place, value in enumerate(attributes.values()) if value is None]
    copying.client.update_item(
        TableName=copying.table, Key=key(review(n)), ExpressionAttributeNames=names, ExpressionAttributeValues=values,
        UpdateExpression=f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(drops)}" if drops else ""),
    )  # fmt: skip


def objects(copying: Copying, event: str) -> None:
    """From now on MySQL refuses rows with a rating of 9."""
    copying.database.query(
        f"CREATE TRIGGER at_{event} BEFORE {event} ON `{copying.table}` FOR EACH ROW "
        "IF NEW.rating = 9 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"
    )


def park(copying: Copying) -> None:
    """MySQL refuses the next image of item 2."""
    objects(copying, "UPDATE")
    write(copying, 2, rating={"N": "9"}, migrated={"S": "false"})
    copying.once_well()


def exit_code(copying: Copying) -> int:
    reader = copying.reader()
    try:
        return collect(reader.connection, parse(copying.text()).tables).exit_code
    finally:
        reader.connection.close()


@pytest.mark.parametrize("options", CAPTURES, ids=("pending index", "scan linked", "scan unlinked"))
@pytest.mark.parametrize("again", ["a good image", "a retry"])
@pytest.mark.either_server
def test_an_item_that_was_parked_for_a_time_gets_its_row_back(
    make_copying: MakeCopying, options: dict[str, Any], again: str
) -> None:
    """Three times, each step in a process of its own: the item's own id is no foreign one."""
    copying = copied(make_copying, **options)
    before = ids(copying)
    for _ in range(3):
        park(copying)
        assert copying.state("_twinrow_dead_letter") == 1
        assert len(ids(copying)) == ITEMS - 1
        copying.database.query("DROP TRIGGER at_UPDATE")
        if again == "a retry":
            copying.config_file()
            assert CommandLine(copying.folder).run("dead-letters", "retry", copying.table).code == 0
        else:
            write(copying, 2, rating={"N": "1"}, migrated={"S": "false"})
            copying.once_well()
        assert ids(copying) == before
        assert exit_code(copying) == 0
        write(copying, 2, rating={"N": "3"}, migrated={"S": "false"})
        copying.once_well()
    assert gaps(copying) == []
    copying.assert_equal(items=ITEMS)


def test_an_item_parked_anew_keeps_the_id_of_the_row_that_it_had(make_copying: MakeCopying) -> None:
    """The second parking finds no row; and the app has dropped the id meanwhile."""
    copying = copied(make_copying)
    before = ids(copying)
    objects(copying, "UPDATE")
    objects(copying, "INSERT")
    for turn in range(2):
        put_all(copying.client, copying.table, [marked(2, rating={"N": "9"}, turn={"N": str(turn)})])
        copying.once_well()
    put_all(copying.client, copying.table, [marked(2)])
    copying.once_well()
    assert ids(copying) == before
    copying.assert_equal(items=ITEMS)


def test_a_row_that_a_hand_deleted_is_repaired_under_its_id_and_that_is_all(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    before = ids(copying)
    for _ in range(3):
        copying.database.query(f"DELETE FROM `{copying.table}` WHERE reviewed_at = %s", review(2)["reviewed_at"]["S"])
        repaired = copying.repair(execute=True)
        assert repaired.left is not None
        assert repaired.left.in_step
        assert ids(copying) == before
        assert exit_code(copying) == 0
    assert gaps(copying) == []
    copying.once_well()
    copying.assert_equal(items=ITEMS)


@pytest.mark.either_server
def test_an_item_that_counted_as_deleted_for_a_time_comes_back_under_the_id_that_it_carries(
    make_copying: MakeCopying,
) -> None:
    copying = copied(make_copying, pending_index={"deleted": "deleted"})
    before = ids(copying)
    for _ in range(4):
        write(copying, 2, deleted={"BOOL": True}, migrated={"S": "false"})
        copying.once_well()
        assert len(ids(copying)) == ITEMS - 1
        write(copying, 2, migrated={"S": "false"}, deleted=None)
        copying.once_well()
        assert ids(copying) == before
    copying.assert_equal(items=ITEMS)


def test_rows_lost_in_a_restore_come_back_under_their_ids(make_copying: MakeCopying) -> None:
    """Far above those that are left: each update burns an id. The item that tells of it comes first."""
    copying = copied(make_copying, reconcile_every="1h")
    for start in (1_000, 20_000_000):
        copying.database.query(f"ALTER TABLE `{copying.table}` AUTO_INCREMENT = {start}")
        put_all(copying.client, copying.table, [marked(start + n) for n in range(3)])
        copying.once_well()
    before = ids(copying)
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE row_id >= 1000")
    copying.database.query(f"ALTER TABLE `{copying.table}` AUTO_INCREMENT = 500")
    write(copying, 20_000_001, rating={"N": "1"}, migrated={"S": "false"})
    copying.once_well()
    assert gaps(copying) == [("MYSQL_WENT_BACK", True)]
    assert ids(copying) == before
    copying.assert_equal(items=ITEMS + 6)


def test_the_id_of_a_parked_item_is_kept_for_it(make_copying: MakeCopying) -> None:
    """The app copies the item to another key meanwhile, id and all."""
    copying = copied(make_copying)
    before = ids(copying)
    park(copying)
    (carried,) = [item["mysql_id"] for item in copying.items() if item["reviewed_at"] == review(2)["reviewed_at"]]
    put_all(copying.client, copying.table, [marked(30, mysql_id=carried)])
    copying.once_well()
    write(copying, 2, rating={"N": "1"}, migrated={"S": "false"})
    copying.once_well()
    assert {name: row_id for name, row_id in ids(copying).items() if name in before} == before
    copying.assert_equal(items=ITEMS + 1)


@pytest.mark.either_server
def test_an_item_that_an_older_version_has_parked_is_no_gap(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    before = ids(copying)
    park(copying)
    copying.database.query("UPDATE _twinrow_dead_letter SET row_id = NULL")
    write(copying, 2, rating={"N": "1"}, migrated={"S": "false"})
    copying.once_well()
    assert (ids(copying), gaps(copying)) == (before, [])


def test_a_repair_that_was_killed_explains_no_loss(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had looked at a part of the table only, which tells of no other row that is missing."""
    copying = copied(make_copying)
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE row_id > 1")
    with monkeypatch.context() as patch:
        patch.setattr(recheck, "add", _killed)
        with pytest.raises(KeyboardInterrupt):
            copying.repair(execute=True)
    copying.once_well()
    assert len(ids(copying)) == 1
    write(copying, 2, rating={"N": "1"}, migrated={"S": "false"})
    copying.once_well()
    assert gaps(copying) == [("MYSQL_WENT_BACK", True)]
    copying.assert_equal(items=ITEMS)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.either_server
def test_an_app_that_puts_ids_on_new_items_makes_one_gap_and_no_more(make_copying: MakeCopying) -> None:
    """Each looks as if its row had been lost; a reconcile for each would go on for ever."""
    copying = copied(make_copying, reconcile_every="1h")
    with copying.running():
        for n in range(5_000, 5_004):
            put_all(copying.client, copying.table, [marked(n, mysql_id={"N": str(n)})])
            wait_until(lambda n=n: ids(copying).get(review(n)["reviewed_at"]["S"]) == n, 20)  # type: ignore[misc]
            wait_until(lambda: gaps(copying) == [("MYSQL_WENT_BACK", True)], 20, what="the only gap is closed")
    copying.assert_equal(items=ITEMS + 4)


@pytest.mark.either_server
def test_an_image_read_before_our_link_was_through_is_no_news_of_another_writer(make_copying: MakeCopying) -> None:
    """A recheck reads the item, its link gets through, and only then the image is looked at; as often as you like."""
    copying = copied(make_copying)
    (context,), mysql = copying.copies(Stop())
    copying.client.update_item(
        TableName=copying.table, Key=key(review(2)), UpdateExpression="SET mysql_id = :id",
        ExpressionAttributeValues={":id": {"N": "4"}},
    )  # fmt: skip
    (stale,) = [item for item in copying.items() if item["reviewed_at"] == review(2)["reviewed_at"]]
    change = Change("PUT", "RECHECK", key(stale), stale)
    with held(context, mysql):
        context.live.load()
        context.table.describe()
        linker = Linker(context.table, context.tenure, context.counters, context.ids.foreign)
        linker.submit(apply(context, Batch([change], truth=True)).debts)

        def read(_tx: object) -> Batch:
            assert linker.drain(20)
            return Batch([change], truth=True)

        for _ in range(4):
            linker.submit(transact(context, read).debts)
        assert linker.drain(20)
        linker.close()
    assert copying.database.query("SELECT met FROM _twinrow_foreign_link") == [(1,)]


@pytest.mark.parametrize(("age_s", "fights"), [(3_600, False), (-1, True)], ids=["before the restore", "after it"])
@pytest.mark.either_server
def test_what_a_stream_tells_from_before_a_restore_is_no_news_of_another_writer(
    make_copying: MakeCopying, age_s: int, fights: bool
) -> None:
    """An item made in the hour that was lost, and changed several times in it: each record shows the id that it had."""
    copying = copied(make_copying)
    (context,), mysql = copying.copies(Stop())
    (item,) = [item for item in copying.items() if item["reviewed_at"] == review(2)["reviewed_at"]]
    lost = {**item, "mysql_id": {"N": "105"}}
    context = with_settings(context, capture="stream")  # the same copy, followed by its stream from now on
    with held(context, mysql), contextlib.ExitStack() as expected:
        context.live.load()
        context.table.describe()
        gap.record(
            context.tenure.open_writer(), copying.table, "MYSQL_WENT_BACK", at=context.tenure.open_writer().now()
        )
        if fights:
            expected.enter_context(pytest.raises(Broken))
        for _ in range(4):
            apply(
                context,
                Batch([Change("PUT", "STREAM", key(item), lost, at=context.table.dynamodb.clock.now() - age_s)]),
            )
            foreign_link.arm(
                context.tenure.open_writer(), copying.table, [key_hash for (key_hash,) in copying.rows("_twinrow_key")]
            )


@pytest.mark.either_server
def test_an_item_parked_while_its_mark_waits_is_linked_once_it_is_a_row(make_copying: MakeCopying) -> None:
    """The pending link clears the mark alone; the same image as a row owes the id too."""
    copying = copied(make_copying)
    objects(copying, "INSERT")
    put_all(copying.client, copying.table, [marked(9, rating={"N": "9"})])
    (context,), mysql = copying.copies(Stop())
    item = next(one for one in copying.items() if "migrated" in one)
    with held(context, mysql):
        context.live.load()
        assert [link.row_id for link in apply(context, Batch([Change("PUT", "PENDING", key(item), item)])).debts] == [
            None
        ]
        copying.database.query("DROP TRIGGER at_INSERT")
        (link,) = apply(context, Batch([Change("PUT", "PENDING", key(item), item)])).debts
        assert link.row_id is not None
        assert not apply(context, Batch([Change("PUT", "PENDING", key(item), item)])).debts
    copying.once_well()
    copying.assert_equal(items=ITEMS + 1)


@pytest.mark.parametrize("foreign", [{"N": "3"}, {"N": str(2**41)}, {"N": "-7"}, {"S": "x"}])
@pytest.mark.either_server
def test_an_id_that_cannot_have_been_its_rows_is_replaced(make_copying: MakeCopying, foreign: Wire) -> None:
    """Another row's, one so high that ids would run out, and what is no id: on an item that is new to the copy."""
    copying = copied(make_copying)
    before = ids(copying)
    put_all(copying.client, copying.table, [marked(20, mysql_id=foreign)])
    copying.once_well()
    assert {name: row_id for name, row_id in ids(copying).items() if name in before} == before
    assert max(ids(copying).values()) < 1000
    copying.assert_equal(items=ITEMS + 1)


@pytest.mark.parametrize("capture", ["pending-index", "scan"])
def test_a_first_copy_adopts_no_id_that_cannot_have_been_a_row_s(make_copying: MakeCopying, capture: str) -> None:
    """2**62 as an id would leave the next rows without room to grow; the item gets another, and no gap is told."""
    copying = make_copying(capture=capture, link=True)
    items = [marked(n, mysql_id={"N": str(n + 10)}) for n in range(ITEMS)]
    put_all(copying.client, copying.table, [*items, marked(77, mysql_id={"N": str(2**62)})])
    copying.once_well(adopt_links=True)
    found = ids(copying)
    assert [found[review(n)["reviewed_at"]["S"]] for n in range(ITEMS)] == [n + 10 for n in range(ITEMS)]
    assert found[review(77)["reviewed_at"]["S"]] < 1000
    assert gaps(copying) == []
    copying.assert_equal(items=ITEMS + 1)
