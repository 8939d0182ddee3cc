"""Overrides and `into` changed for a copy that is there: applied inside MySQL, ids kept, killed or not."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Ran, key, marked, put_all
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.waiting import wait_until

from twinrow.app.check import mysql as check_mysql
from twinrow.app.check import settings as check_settings
from twinrow.app.check.finding import Finding
from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient
from twinrow.sync.reshaping import Reshaping
from twinrow.verify.verify import verify_table

ITEMS = 40
WAIT_S = 120.0
READS = {"scan", "query", "get_item", "batch_get_item"}
TIME = {"type": "DATETIME(3)", "from": "epoch_ms", "widen": True}
EVERYTHING = {
    "price": {"type": "VARCHAR(191)", "widen": True}, "at": TIME, "text": {"ignore": True},
    "rating": {"column": "stars"}, "zip": {"type": "MEDIUMTEXT"},
}  # fmt: skip
"""A change of each kind."""


def item(number: int, **more: Any) -> dict[str, Any]:
    at, code = {"N": f"{1_700_000_000_000 + number}"}, {"S": f"z{number}"} if number % 3 else {"N": str(number)}
    return marked(number, **{"at": at, "zip": code, **more})


def copied(make_copying: MakeCopying, **options: Any) -> Copying:
    copying = make_copying(**options)
    put_all(copying.client, copying.table, [item(n) for n in range(ITEMS)])
    copying.once_well()
    return copying


def ids(copying: Copying) -> dict[tuple[str, str], int]:
    return {(name, at): row_id for name, at, row_id in copying.rows("username, reviewed_at, row_id")}


def checked(copying: Copying) -> Finding:
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        registered = check_mysql.registered(session, context.name)
        return check_settings.look(context, context.table.describe(), registered)


def applied(copying: Copying, **changed: Any) -> tuple[str, Ran]:
    """Change settings and run `sync --once`: what check said before, and the run. No id is another."""
    before = ids(copying)
    copying.change(**changed)
    told = checked(copying)
    assert told.level == "ok", told
    ran = copying.once_well()
    if "into" not in changed:
        assert ids(copying) == before
        copying.assert_equal(items=ITEMS)
        assert_nothing_left(copying)
    assert checked(copying).text == "as at the last start"
    return told.text, ran


def assert_nothing_left(copying: Copying) -> None:
    columns = {name for (name, *_) in copying.database.query(f"SHOW COLUMNS FROM `{copying.table}`")}
    assert not {name for name in columns if name.startswith("_twinrow_new")}
    assert (
        copying.database.query("SELECT part FROM _twinrow_checkpoint WHERE part IN ('reshape', 'rename', 'into')") == []
    )


def column(copying: Copying, name: str) -> str:
    found = copying.database.query(f"SHOW COLUMNS FROM `{copying.table}` LIKE %s", name)
    return str(found[0][1]).upper().replace("BIGINT(20)", "BIGINT") if found else ""


def test_a_change_of_each_kind_is_applied_inside_mysql(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    assert (column(copying, "price"), column(copying, "text")) == ("DECIMAL(38,9)", "MEDIUMTEXT")
    told, ran = applied(copying, columns=EVERYTHING)
    assert f"a pass inside MySQL over {ITEMS} rows" in told
    for part in (
        "`at` becomes DATETIME(3), from BIGINT",
        "`text` goes out of the rows",
        "column `rating` becomes `stars`",
    ):
        assert part in told
    assert ran.requests.keys() & (READS - {"query"}) == set(), "no item is read"
    assert (column(copying, "price"), column(copying, "at"), column(copying, "text")) == (
        "VARCHAR(191)",
        "DATETIME(3)",
        "",
    )
    assert column(copying, "stars") == "BIGINT"
    shown = copying.rows("price, `at`, zip", "price LIKE '7.%'")
    assert [str(cell) for cell in shown[0]] == ["7.17", "2023-11-14 22:13:20.007000", "z7"]
    assert copying.rows("COUNT(zip)") == [(ITEMS,)], "a value of another type shows now"
    again, _ = applied(copying, columns={"text": {"ignore": True}})
    assert "`price` becomes DECIMAL(38,9)" in again or "`price` becomes BIGINT" in again
    assert copying.rows("COUNT(price)", "price BETWEEN 0 AND 100") == [(ITEMS,)]


@pytest.mark.either_server
def test_the_key_column_and_its_index_change_too(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    applied(copying, columns={"reviewed_at": {"type": "VARCHAR(40)"}})
    assert column(copying, "reviewed_at") == "VARCHAR(40)"
    found = copying.database.query(f"SHOW INDEX FROM `{copying.table}` WHERE Key_name = '_twinrow_key_columns'")
    assert [row[4] for row in found] == ["username", "reviewed_at"]


@pytest.mark.either_server
def test_what_is_not_ignored_any_more_is_copied_again(make_copying: MakeCopying) -> None:
    copying = copied(make_copying, columns={"text": {"ignore": True}})
    assert column(copying, "text") == ""
    told, _ = applied(copying, columns={})
    assert told.endswith("`text` is copied again; a reconcile follows")
    assert copying.rows("COUNT(text)") == [(ITEMS,)]


@pytest.mark.either_server
def test_into_is_a_rename_with_all_rows_and_ids(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    before, new = ids(copying), f"renamed_{copying.table}"
    copying.database.query(
        f"CREATE VIEW v_of_{copying.table.replace('-', '_')} AS SELECT username FROM `{copying.table}`"
    )
    copying.change(into=new)
    told = checked(copying)
    assert f"`{copying.table}` becomes `{new}`, by one statement" in told.text
    assert "DROP VIEW" in told.remedy
    ran = copying.once_well()
    assert ran.requests.keys() & (READS - {"query"}) == set()
    found = copying.rows("username, reviewed_at, row_id", table=new)
    assert {(name, at): row_id for name, at, row_id in found} == before
    assert copying.verify().in_step
    assert checked(copying).text == "as at the last start"
    copying.database.query(f"CREATE TABLE `{copying.table}` (a INT)")
    copying.change(into=copying.table)
    refused = checked(copying)
    assert (refused.level, "was not made by Twinrow" in refused.text) == ("error", True)


POINTS = ["after-reshape-columns", "after-reshape-rows", "after-reshape-swap"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_a_change_goes_on_and_ends_equal(make_copying: MakeCopying, point: str) -> None:
    copying = copied(make_copying)
    copying.lease_s = 6.0
    before = ids(copying)
    copying.change(columns=EVERYTHING)
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": f"{point}:1"})
    assert code == -signal.SIGKILL, output
    put_all(copying.client, copying.table, [item(n, price={"N": "77.5"}) for n in range(10)])
    lease_runs_out(copying)
    copying.once_well()
    assert ids(copying) == before
    copying.assert_equal(items=ITEMS)
    assert_nothing_left(copying)
    assert column(copying, "at") == "DATETIME(3)"
    assert copying.rows("COUNT(*)", "price = '77.5'") == [(10,)]


@pytest.mark.parametrize("point", ["after-reshape-rows", "after-reshape-given-up"])
@pytest.mark.either_server
def test_a_change_that_is_set_back_leaves_nothing(make_copying: MakeCopying, point: str) -> None:
    copying = copied(make_copying)
    copying.lease_s = 6.0
    copying.change(columns={"at": TIME})
    assert copying.process_once(environment={"TWINROW_FAIL_POINT": "after-reshape-rows:1"})[0] == -signal.SIGKILL
    copying.change(columns={})
    lease_runs_out(copying)
    if point != "after-reshape-rows":
        assert copying.process_once(environment={"TWINROW_FAIL_POINT": f"{point}:1"})[0] == -signal.SIGKILL
        lease_runs_out(copying)
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert_nothing_left(copying)
    assert column(copying, "at") == "BIGINT"


@pytest.mark.either_server
def test_killed_while_tables_and_columns_are_renamed(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    copying.lease_s = 6.0
    before, new = ids(copying), f"renamed_{copying.table}"
    copying.change(into=new, columns={"rating": {"column": "stars"}})
    assert copying.process_once(environment={"TWINROW_FAIL_POINT": "after-rename:1"})[0] == -signal.SIGKILL
    lease_runs_out(copying)
    copying.once_well()
    found = copying.rows("username, reviewed_at, row_id", table=new)
    assert {(name, at): row_id for name, at, row_id in found} == before
    assert copying.verify().in_step


def test_beside_a_writer_a_reader_sees_the_old_column_or_the_new_one(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a mixture, and never a row without its value."""
    monkeypatch.setattr("twinrow.sync.reshaping.ROWS_A_STEP", 5)
    copying = copied(make_copying)
    copying.change(columns={"price": {"type": "VARCHAR(40)"}, "text": {"ignore": True}})
    over = threading.Event()

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            put_all(copying.client, copying.table, [item(n, price={"N": f"{turn}.25"}) for n in range(0, ITEMS, 2)])

    writer = threading.Thread(target=write, daemon=True)
    kinds: list[set[type]] = []

    def is_changed() -> bool:
        kinds.append({type(price) for (price,) in copying.rows("price")})
        return kinds[-1] == {str}

    writer.start()
    try:
        with copying.running():
            wait_until(is_changed, WAIT_S)
    finally:
        over.set()
        writer.join()
    assert all(len(seen) == 1 for seen in kinds)
    assert type(None) not in set().union(*kinds)
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert_nothing_left(copying)


@pytest.mark.either_server
def test_a_row_that_is_written_behind_the_walk_has_its_new_values(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk does not come back to it: its new columns are filled where it is written."""
    monkeypatch.setattr("twinrow.sync.reshaping.ROWS_A_STEP", 5)
    copying = copied(make_copying)
    copying.change(columns={"price": {"type": "VARCHAR(40)"}, "text": {"ignore": True}})
    first = copying.rows("username, reviewed_at", order="row_id LIMIT 3")
    behind = [n for n in range(ITEMS) if (item(n)["username"]["S"], item(n)["reviewed_at"]["S"]) in first]
    walk, steps = Reshaping.step, list[bool]()

    def step(self: Reshaping) -> bool:
        if len(steps) == 2:
            put_all(copying.client, copying.table, [item(n, price={"N": "77.5"}) for n in behind])
            steps.append(False)
        if len(steps) > 2 and copying.rows("COUNT(*)", "price = 77.5") != [(len(behind),)]:
            return False  # the walk waits, and the capture goes on
        worked = walk(self)
        steps.extend([worked] * worked)
        return worked

    monkeypatch.setattr(Reshaping, "step", step)
    with copying.running():  # `--once` takes no change that comes after its start
        wait_until(lambda: column(copying, "price") == "VARCHAR(40)", WAIT_S)
    assert len(steps) > ITEMS // 5
    assert copying.rows("COUNT(*)", "price = '77.5'") == [(3,)]
    copying.assert_equal(items=ITEMS)
    assert_nothing_left(copying)


@pytest.mark.either_server
def test_a_proof_that_reads_a_column_which_goes_says_so(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    copying.client.delete_item(TableName=copying.table, Key=key(item(3)))
    copying.change(columns={"text": {"ignore": True}})
    reader = copying.reader()

    def while_it_reads(_items: int, _of: int) -> None:
        copying.once_well()

    with closing(reader.connection), pytest.raises(Transient, match="a changed setting was applied"):
        verify_table(reader, while_it_reads)
    assert copying.verify().missing == 0


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"rating": {"column": "price"}}, "names the column 'price', which is there"),
        ({"rating": {"column": "of_an_analyst"}}, "names the column 'of_an_analyst', which is there"),
        ({"flavours.mint": {"ignore": True}}, "is a path into 'flavours'"),
        ({"zip": {"type": "JSON"}}, "your index 'theirs' holds a column"),
        ({"username": {"ignore": True}}, "is part of the key and cannot be ignored"),
    ],
)
@pytest.mark.either_server
def test_what_cannot_be_applied_is_refused_and_changes_nothing(
    make_copying: MakeCopying, columns: dict[str, Any], why: str
) -> None:
    copying = copied(make_copying)
    table = copying.table
    copying.database.query(f"ALTER TABLE `{table}` ADD COLUMN of_an_analyst INT NULL, ADD INDEX theirs (zip(5))")
    before = copying.database.query(f"SHOW CREATE TABLE `{table}`")
    copying.change(columns=columns)
    told = checked(copying)
    assert (told.level, why in told.text) == ("error", True), told
    error = copying.once().outcome.error
    assert isinstance(error, StartRefused)
    assert copying.database.query(f"SHOW CREATE TABLE `{table}`") == before
    copying.change(columns={})
    copying.once_well()
    copying.assert_equal(items=ITEMS)
