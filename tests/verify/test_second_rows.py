"""The UNIQUE fingerprint, dropped or replaced by a DBA: refused, noticed while a sync runs, and its rows mended."""

from __future__ import annotations

import re

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying, marked, put_all, review
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.waiting import wait_until

from twinrow.errors import Broken
from twinrow.sync import table_work
from twinrow.sync.snapshot import finish
from twinrow.table.context import TableContext

ITEMS = 20
WAIT_S_MAX = 90.0
HIDDEN = {"mysql": "INVISIBLE", "mariadb": "IGNORED"}
PARTITIONED = (
    "MODIFY rating BIGINT NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (row_id, rating), DROP INDEX _twinrow_key, "
    "ADD UNIQUE KEY _twinrow_key (_twinrow_key, rating) PARTITION BY HASH (rating) PARTITIONS 4"
)
"""What MySQL asks for: each UNIQUE index contains the partitioning column."""
CHANGES = {
    "dropped": "DROP INDEX _twinrow_key",
    "wider": "DROP INDEX _twinrow_key, ADD UNIQUE KEY _twinrow_key (_twinrow_key, rating)",
    "not unique": "DROP INDEX _twinrow_key, ADD KEY _twinrow_key (_twinrow_key)",
    "a prefix": "DROP INDEX _twinrow_key, ADD UNIQUE KEY _twinrow_key (_twinrow_key(15))",
    "hidden": "ALTER INDEX _twinrow_key {hidden}",
    "another primary key": "DROP PRIMARY KEY, ADD PRIMARY KEY (row_id, _twinrow_key)",
    "partitioned": PARTITIONED,
}


def _alter(copying: Copying, change: str) -> None:
    change = change.replace("{hidden}", HIDDEN[copying.database.flavour])
    copying.database.query(f"ALTER TABLE `{copying.table}` {change}")


def _remedy(told: str) -> str:
    """The statement that a refusal tells."""
    found = re.search(r"ALTER TABLE .*?(?=; where)", told, re.DOTALL)
    assert found is not None, told
    return found[0]


def _copied(copying: Copying, items: int = ITEMS) -> Copying:
    put_all(copying.client, copying.table, [marked(n) for n in range(items)])
    copying.once_well()
    return copying


@pytest.mark.timeout(600)
def test_a_copy_whose_fingerprint_is_not_unique_is_refused_with_the_statement_that_mends_it(
    make_copying: MakeCopying,
) -> None:
    copying = _copied(make_copying(), items=3)
    line = InProcess(copying.config_file().parent)
    for name, change in CHANGES.items():
        _alter(copying, change)
        done = line.run("sync", "--once")
        assert done.code == 2, (name, done)
        assert "has no UNIQUE index over exactly" in done.err, name
        checked = line.run("check", "--json")
        assert checked.code != 0, name
        assert "has no UNIQUE index over exactly" in checked.out, name
        copying.database.query(_remedy(done.err))
        copying.client.put_item(TableName=copying.table, Item=marked(0, turn={"S": name}))
        copying.once_well()
        copying.assert_equal(items=3)


def test_a_unique_index_of_the_fingerprint_under_another_name_will_do(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying(), items=2)
    _alter(copying, "ADD UNIQUE KEY theirs (_twinrow_key), ADD UNIQUE KEY wider (_twinrow_key, rating)")
    _alter(copying, "DROP INDEX _twinrow_key")
    copying.client.put_item(TableName=copying.table, Item=marked(0, turn={"S": "again"}))
    copying.once_well()
    copying.assert_equal(items=2)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", ["dropped", "partitioned"])
def test_a_running_sync_notices_before_a_second_row_is_committed(make_copying: MakeCopying, change: str) -> None:
    copying = _copied(make_copying())
    query = copying.database.query
    before = query("SELECT read_at FROM _twinrow_table")
    process = copying.process(once=False)
    try:
        wait_until(lambda: query("SELECT read_at FROM _twinrow_table") > before, WAIT_S_MAX, what="a sync that reads")
        _alter(copying, CHANGES[change])
        # another rating: a UNIQUE index over (_twinrow_key, rating) takes the second row
        changed = {"rating": {"N": "77"}}
        put_all(copying.client, copying.table, [marked(n, **changed) for n in range(ITEMS)])
        wait_until(lambda: query("SELECT phase FROM _twinrow_table") == [("BROKEN",)], WAIT_S_MAX, what="BROKEN")
        assert len(copying.rows()) == ITEMS
        ((reason,),) = query("SELECT reason FROM _twinrow_table")
        assert "has no UNIQUE index over exactly" in reason
        query(_remedy(reason))
    finally:
        process.kill()
    lease_runs_out(copying)
    copying.once_well()
    copying.assert_equal(items=ITEMS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", ["dropped", "partitioned"])
def test_second_rows_are_told_as_extra_and_repaired_although_a_start_is_refused(
    make_copying: MakeCopying, change: str
) -> None:
    """What a sync without the guard made of it: each update of an item inserted a row."""
    copying = _copied(make_copying())
    ids = copying.rows("row_id, reviewed_at")
    _alter(copying, CHANGES[change])
    for turn in (77, 78, 79):
        _insert_again(copying, f"rating = {turn}")
    # the row that the item's id names is not the lowest: the item below carries that of a second row
    second = copying.rows("row_id", "reviewed_at = '2024-01-01T00000003' AND rating = 78")[0][0]
    copying.client.update_item(
        TableName=copying.table, Key={name: review(3)[name] for name in ("username", "reviewed_at")},
        UpdateExpression="SET mysql_id = :n", ExpressionAttributeValues={":n": {"N": str(second)}},
    )  # fmt: skip
    copying.database.query(f"UPDATE `{copying.table}` SET price = 1 WHERE row_id < 3")
    verdict = copying.verify()
    assert (verdict.items, verdict.rows, verdict.extra) == (ITEMS, 4 * ITEMS, 3 * ITEMS)
    assert verdict.different == 3  # two prices, and the second row that an item names
    line = InProcess(copying.config_file().parent)
    assert line.run("sync", "--once").code == 2
    done = line.run("repair", "--execute")
    assert done.code == 0, done
    expected = [(second if at.endswith("03") else row_id, at) for row_id, at in ids]
    assert sorted(copying.rows("row_id, reviewed_at")) == sorted(expected)
    copying.database.query(_remedy(line.run("sync", "--once").err))
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def _insert_again(copying: Copying, sets: str) -> None:
    """A second row of each item, with another rating."""
    name, value = sets.split(" = ")
    listed = [
        str(column)
        for (column,) in copying.database.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
            copying.table,
        )
        if column != "row_id"
    ]
    names = ", ".join(f"`{one}`" for one in listed)
    values = ", ".join(value if one == name else f"`{one}`" for one in listed)
    copying.database.query(
        f"INSERT INTO `{copying.table}` ({names}) SELECT {values} FROM `{copying.table}` WHERE rating < 70"
    )


def test_a_second_row_with_another_key_s_columns_does_not_cost_the_right_one(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying(), items=3)
    _alter(copying, CHANGES["dropped"])
    copying.database.query(
        f"INSERT INTO `{copying.table}` (username, reviewed_at, _twinrow_key) "
        f"SELECT 'nobody', 'never', _twinrow_key FROM `{copying.table}` WHERE row_id = 2"
    )
    assert copying.verify().extra == 1
    left = copying.repair(execute=True).left
    assert left is not None
    assert left.in_step
    assert copying.rows("row_id") == [(1,), (2,), (3,)]


def test_a_first_copy_whose_fingerprint_was_not_unique_at_its_end_stops(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads prove by that index alone that their rows were absent."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])

    def late(context: TableContext) -> None:
        _alter(copying, CHANGES["dropped"])
        finish(context)

    with monkeypatch.context() as patched:
        patched.setattr(table_work, "finish", late)
        error = copying.once().outcome.error
    assert isinstance(error, Broken)
    copying.database.query(_remedy(str(error)))
    copying.once_well()
    copying.assert_equal(items=3)
