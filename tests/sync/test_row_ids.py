"""A row's id does not change while its item lives, whatever happened to the row meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review
from tests.sync.test_changed_settings import gaps

from twinrow.app.status import collect
from twinrow.config import parse

ITEMS = 5
PARKS = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
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


def exit_code(copying: Copying) -> int:
    reader = copying.reader()
    try:
        return collect(reader.connection, parse(copying.text()).tables).exit_code
    finally:
        reader.connection.close()


@pytest.mark.parametrize("options", CAPTURES, ids=("pending index", "scan linked", "scan unlinked"))
@pytest.mark.parametrize("again", ["a good image", "a retry"])
def test_an_item_that_was_parked_for_a_time_gets_its_row_back(
    make_copying: MakeCopying, options: dict[str, Any], again: str
) -> None:
    """Three times, each step in a process of its own: the item's own id is no foreign one."""
    copying = copied(make_copying, **options)
    before = ids(copying)
    trigger = (
        f"CREATE TRIGGER objects BEFORE %s ON `{copying.table}` FOR EACH ROW IF NEW.rating = 9 THEN {PARKS}; END IF"
    )
    for _ in range(3):
        copying.database.query(trigger % "UPDATE")
        write(copying, 2, rating={"N": "9"}, migrated={"S": "false"})
        copying.once_well()
        assert copying.state("_twinrow_dead_letter") == 1
        assert len(ids(copying)) == ITEMS - 1
        copying.database.query("DROP TRIGGER objects")
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
    for event in ("UPDATE", "INSERT"):
        copying.database.query(
            f"CREATE TRIGGER at_{event} BEFORE {event} ON `{copying.table}` FOR EACH ROW "
            f"IF NEW.rating = 9 THEN {PARKS}; END IF"
        )
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


@pytest.mark.parametrize("foreign", [{"N": "3"}, {"N": str(2**62)}, {"N": "-7"}, {"S": "x"}])
def test_an_id_that_cannot_have_been_its_rows_is_replaced(make_copying: MakeCopying, foreign: Wire) -> None:
    """Another row's, one so high that ids would run out, and what is no id: on an item that is new to the copy."""
    copying = copied(make_copying)
    before = ids(copying)
    put_all(copying.client, copying.table, [marked(20, mysql_id=foreign)])
    copying.once_well()
    assert {name: row_id for name, row_id in ids(copying).items() if name in before} == before
    assert max(ids(copying).values()) < 1000
    copying.assert_equal(items=ITEMS + 1)
