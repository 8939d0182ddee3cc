"""A setting changed for a table already copied: applied, with a gap where changes may be hidden, or refused."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, Wire, key, marked, put_all, review, with_settings
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.waiting import wait_until

from twinrow.app.check import mysql as check_mysql
from twinrow.app.check import settings as check_settings
from twinrow.app.check.finding import Finding
from twinrow.change import Change
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import StartRefused
from twinrow.sink import ddl
from twinrow.sync import page_source, start
from twinrow.table.consent import Consent
from twinrow.workers.held import held
from twinrow.write.apply import apply
from twinrow.write.batch import Batch

ITEMS = 12
WAIT_S = 60.0


def copied(make_copying: MakeCopying, **options: Any) -> Copying:
    copying = make_copying(reconcile_every="1h", **options)
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    return copying


def checked(copying: Copying) -> Finding:
    """What `twinrow check` says to the settings. It changes nothing."""
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        registered = check_mysql.registered(session, context.name)
        found = check_settings.look(context, context.table.describe(), registered)
        assert check_mysql.registered(session, context.name) == registered
    return found


def refusal(copying: Copying) -> str:
    """Why the start is refused, as `check` told before; nothing of the copy has changed."""
    before = copying.rows("row_id, username, reviewed_at, rating")
    told = checked(copying)
    error = copying.once().outcome.error
    assert isinstance(error, StartRefused), error
    assert (told.level, told.text, told.remedy) == ("error", error.what, error.remedy)
    assert error.exit_code == 2
    assert copying.rows("row_id, username, reviewed_at, rating") == before
    assert copying.database.query("SELECT phase, reason FROM _twinrow_table") == [("LIVE", str(error))]
    return str(error)


def gaps(copying: Copying) -> list[tuple[str, bool]]:
    """Causes of gaps, and whether each is closed."""
    found = copying.database.query("SELECT cause, closed_at IS NOT NULL FROM _twinrow_gap ORDER BY id")
    return [(cause, bool(closed)) for cause, closed in found]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"columns": {"new one": {"column": "rating"}}}, "names the column 'rating', which is there"),
        ({"columns": {"new one": {"column": "RATING"}}}, "names the column 'rating', which is there"),
        ({"columns": {"new one": {"column": "of_an_analyst"}}}, "names the column 'of_an_analyst', which is there"),
    ],
)
@pytest.mark.either_server
def test_what_cannot_be_applied_is_refused_with_the_way_out(
    make_copying: MakeCopying, changed: dict[str, Any], why: str
) -> None:
    copying = copied(make_copying)
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN of_an_analyst INT NULL")
    copying.change(**changed)
    told = refusal(copying)
    assert why in told
    assert "another column" in told


@pytest.mark.either_server
def test_an_override_that_contradicts_the_key_is_refused_before_anything_is_made(make_copying: MakeCopying) -> None:
    copying = make_copying(columns={"username": {"ignore": True}})
    put_all(copying.client, copying.table, [marked(1)])
    told = checked(copying)
    error = copying.once().outcome.error
    assert error is not None
    assert "is part of the key and cannot be ignored" in str(error)
    assert (told.level, told.text, told.remedy) == ("error", error.what, error.remedy)
    assert error.exit_code == 2
    assert not copying.database.query("SHOW TABLES LIKE %s", copying.table)


def test_a_column_that_an_analyst_took_in_the_meantime_stays_theirs(make_copying: MakeCopying) -> None:
    copying = copied(make_copying, columns={"late": {"column": "wanted"}})
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN wanted VARCHAR(20) NULL DEFAULT 'theirs'")
    put_all(copying.client, copying.table, [marked(n, late={"S": "ours"}) for n in range(3)])
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert {one for (one,) in copying.rows("wanted")} == {"theirs"}


@pytest.mark.either_server
def test_overrides_in_another_order_are_the_same(make_copying: MakeCopying) -> None:
    columns = {"late": {"column": "wanted"}, "other": {"column": "another"}}
    copying = copied(make_copying, columns=columns)
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN wanted INT NULL")
    copying.change(columns=dict(reversed(columns.items())))
    assert checked(copying).level == "ok"
    copying.once_well()
    copying.assert_equal(items=ITEMS)


@pytest.mark.parametrize(
    "changed",
    [{"link_attribute": "username", "link": False}, {"pending_index": {**PENDING_INDEX, "attribute": "reviewed_at"}}],
    ids=["link attribute", "mark"],
)
@pytest.mark.either_server
def test_a_key_attribute_cannot_become_twinrows_own(make_copying: MakeCopying, changed: dict[str, Any]) -> None:
    """Whatever the capture: its column would go, and with it the key."""
    copying = make_copying(capture="scan", reconcile_every="1h")
    put_all(copying.client, copying.table, [review(1)])
    copying.once_well()
    copying.change(**changed)
    assert "is a key attribute" in refusal(copying)


@pytest.mark.parametrize("link", [True, False])
@pytest.mark.either_server
def test_another_key_is_refused(make_copying: MakeCopying, make_table: MakeTable, *, link: bool) -> None:
    copying = copied(make_copying, link=link)
    name = copying.table
    copying.client.delete_table(TableName=name)
    copying.client.get_waiter("table_not_exists").wait(TableName=name)
    make_table(name, hash="username:S", range="other:S", index=("migrated-index", "migrated:S", "ALL"))
    told = refusal(copying)
    assert "its key was 'username' (S) and 'reviewed_at' (S)" in told
    assert f"twinrow reset {name} --yes" in told
    assert ("--adopt-links" in told) == link, "the way out takes ids only where there are any"


@pytest.mark.parametrize(
    ("changed", "names", "cause"),
    [
        ({"capture": "scan"}, "capture, link", "CAPTURE_CHANGED"),
        ({"link_attribute": "other_id"}, "link_attribute", "CONFIG_CHANGED"),
        ({"link": False}, "link", "CONFIG_CHANGED"),
        ({"pending_index": {**PENDING_INDEX, "pending": ["p1"]}}, "pending_index", "CONFIG_CHANGED"),
    ],
)
@pytest.mark.either_server
def test_what_may_have_hidden_changes_is_applied_and_reconciled(
    make_copying: MakeCopying, changed: dict[str, Any], names: str, cause: str
) -> None:
    copying = copied(make_copying)
    put_all(copying.client, copying.table, [review(n, text={"S": "nobody saw this"}) for n in range(3)])
    copying.client.delete_item(TableName=copying.table, Key=key(review(5)))
    assert (checked(copying).level, checked(copying).text) == ("ok", "as at the last start")
    copying.change(**changed)
    told = checked(copying)
    assert told.level == "ok"
    assert told.text == f"changed, applied at the next start: {names}; a reconcile follows"
    copying.once_well()
    assert (checked(copying).level, checked(copying).text) == ("ok", "as at the last start")
    assert (cause, True) in gaps(copying)
    assert all(closed for _, closed in gaps(copying))
    copying.assert_equal(items=ITEMS - 1)


@pytest.mark.either_server
def test_a_table_made_anew_under_its_name_is_reconciled_once_it_is_accepted(
    make_copying: MakeCopying, make_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ["the first"]
    described = DynamoDB.describe  # DynamoDB Local gives no ids to tables
    monkeypatch.setattr(DynamoDB, "describe", lambda self, table: replace(described(self, table), table_id=ids[-1]))
    copying = copied(make_copying)
    copying.client.delete_table(TableName=copying.table)
    copying.client.get_waiter("table_not_exists").wait(TableName=copying.table)
    make_table(copying.table, index=("migrated-index", "migrated:S", "ALL"))
    put_all(copying.client, copying.table, [review(n, text={"S": "of the new table"}) for n in range(3, 6)])
    ids.append("the second")
    told = checked(copying)
    assert told.level == "error"
    assert "another table of this name than the one that was copied" in told.text
    assert "--accept-table-id" in told.remedy
    accepted = Consent(frozenset({"the second"}))
    copying.once_well(prepare=lambda context: replace(context, consent=accepted))
    assert gaps(copying) == [("TABLE_RECREATED", True)]
    copying.assert_equal(items=3)
    assert checked(copying).text == "as at the last start"


@pytest.mark.parametrize("value", [{"N": "424242"}, {"S": "of the app"}])
@pytest.mark.parametrize(
    "was", [{"link": False}, {"link_attribute": "other_id"}], ids=["linking on", "other attribute"]
)
@pytest.mark.parametrize("all_have_it", [True, False], ids=["all", "one far down"])
@pytest.mark.either_server
def test_an_attribute_of_the_app_is_not_taken_for_links(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, was: dict[str, Any], value: Wire, all_have_it: bool
) -> None:
    copying = make_copying(reconcile_every="1h", **was)
    owners = range(ITEMS) if all_have_it else [7]
    put_all(
        copying.client, copying.table, [marked(n, **({"mysql_id": value} if n in owners else {})) for n in range(ITEMS)]
    )
    copying.once_well()
    before = copying.items()
    copying.tables[copying.table] = {
        name: one for name, one in copying.tables[copying.table].items() if name not in was
    }
    if not all_have_it:  # the first pages do not show it
        monkeypatch.setattr(page_source, "look", lambda *_: [])
    told = refusal(copying)
    assert "items carry `mysql_id`" in told
    assert "another `link_attribute`" in told
    assert copying.items() == before
    copying.change(**was)
    copying.once_well()
    copying.assert_equal(items=ITEMS)


@pytest.mark.either_server
def test_links_that_are_the_ids_of_their_rows_are_taken_up_again(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    before = copying.items()
    copying.change(link=False)
    copying.once_well()
    copying.change(link=True)
    copying.once_well()
    assert copying.items() == before
    copying.assert_equal(items=ITEMS)


@pytest.mark.parametrize("value", [{"N": "424242"}, {"S": "of the app"}])
@pytest.mark.either_server
def test_an_attribute_without_a_column_is_looked_at_in_dynamodb(make_copying: MakeCopying, value: Wire) -> None:
    """It was named before, so it has no column; and yet it never held an id."""
    copying = make_copying(link=False, link_attribute="mine", reconcile_every="1h")
    put_all(copying.client, copying.table, [marked(n, mine=value) for n in range(ITEMS)])
    copying.once_well()
    copying.change(link=True)
    assert "items carry `mine`" in refusal(copying)


@pytest.mark.either_server
def test_a_table_begun_under_another_name_is_registered_under_the_one_it_got(make_copying: MakeCopying) -> None:
    """It ended between the register and CREATE TABLE; a table that somebody else makes under that name is theirs."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1)])
    theirs = copying.table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ddl, "create", _ends)
        assert "the disk is full" in str(copying.once().outcome.error)
    copying.database.query(f"CREATE TABLE `{theirs}` (n INT)")
    copying.change(into=theirs + "_copy")
    copying.once_well()
    assert copying.database.query("SELECT into_table, phase FROM _twinrow_table") == [(theirs + "_copy", "LIVE")]


def _ends(*_: object) -> None:
    raise StartRefused("the disk is full")


@pytest.mark.either_server
def test_a_mark_more_is_no_gap(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    copying.change(pending_index={**PENDING_INDEX, "pending": ["false", "p1"]})
    assert checked(copying).text == "changed, applied at the next start: pending_index"
    put_all(copying.client, copying.table, [marked(1), review(2, migrated={"S": "p1"}, text={"S": "new"})])
    copying.once_well()
    assert gaps(copying) == []
    copying.assert_equal(items=ITEMS)


@pytest.mark.either_server
def test_a_table_added_is_copied_and_one_removed_is_taken_up_again(
    make_copying: MakeCopying, make_table: MakeTable
) -> None:
    copying = copied(make_copying)
    first = copying.table
    second = make_table()
    put_all(copying.client, second, [review(n) for n in range(4)])
    copying.tables[second] = {"capture": "scan"}
    copying.once_well()
    copying.assert_equal(second, items=4)
    before = copying.rows("row_id, username")
    removed = copying.tables.pop(first)
    put_all(copying.client, first, [marked(n, text={"S": "while it was removed"}) for n in range(3)])
    copying.once_well()
    assert copying.rows("row_id, username", table=first) == before
    copying.tables[first] = removed
    copying.once_well()
    copying.assert_equal(first, items=ITEMS)


@pytest.mark.either_server
def test_an_index_whose_capacity_changes_is_no_reason_to_stop(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    (context,), _ = copying.copies(Stop())
    description = context.table.describe()
    (index,) = description.indexes
    start.check_source(context.table, replace(description, indexes=(replace(index, status="UPDATING"),)))
    with pytest.raises(StartRefused, match="is CREATING"):
        start.check_source(context.table, replace(description, indexes=(replace(index, status="CREATING"),)))


@pytest.mark.either_server
def test_links_refused_for_good_are_forgotten_when_no_links_are_wanted(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    copying.database.query(
        "INSERT INTO _twinrow_link (table_name, key_hash, item_key, generation, digest, refused) "
        "VALUES (%s, %s, '{}', 1, '', 'an item at 400 KB')",
        copying.table, b"k" * 16,
    )  # fmt: skip
    copying.once_well()
    assert copying.state("_twinrow_link") == 1
    copying.change(link=False)
    copying.once_well()
    assert copying.state("_twinrow_link") == 0


@pytest.mark.either_server
def test_linking_a_table_with_replicas_is_refused_unless_allowed(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    (context,), _ = copying.copies(Stop())
    description = replace(context.table.describe(), replicas=("eu-west-1",))
    with pytest.raises(StartRefused, match="allow_global_table_writes"):
        start.check_source(context.table, description)
    start.check_source(with_settings(context, allow_global=True).table, description)


def test_a_mysql_that_went_back_is_a_gap(make_copying: MakeCopying) -> None:
    """Rows that a restore has lost: their ids, still in the items, name no row."""
    copying = copied(make_copying)
    ids = {item["reviewed_at"]["S"]: item["mysql_id"] for item in copying.items()}
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE row_id > 6")
    lost = [n for n in range(ITEMS) if int(ids[review(n)["reviewed_at"]["S"]]["N"]) > 6]
    put_all(copying.client, copying.table, [marked(lost[0], mysql_id=ids[review(lost[0])["reviewed_at"]["S"]])])
    copying.once_well()
    assert gaps(copying) == [("MYSQL_WENT_BACK", True)]
    assert len(copying.rows("row_id")) == ITEMS
    assert copying.verify().in_step


def test_a_mysql_that_loses_commits_under_a_running_sync_is_a_gap(make_copying: MakeCopying) -> None:
    """A failover to a replica that was behind: no item shows it, since what was linked is in the index no more."""
    copying = make_copying(reconcile_every="1h")
    with copying.running():
        put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
        wait_until(lambda: copied_and_linked(copying), WAIT_S, what="all items are linked, and nothing is owed")
        go_back(copying)
        wait_until(lambda: gaps(copying) == [("MYSQL_WENT_BACK", True)], WAIT_S, what="the gap is found and mended")
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def test_who_stands_by_finds_that_mysql_lost_commits(make_copying: MakeCopying) -> None:
    """The failover ends the process that made them."""
    copying = make_copying(reconcile_every="1h")
    process = copying.process(once=False)
    try:
        put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
        wait_until(lambda: copied_and_linked(copying), WAIT_S, what="all items are linked, and nothing is owed")
        with copying.running() as successor:
            wait_until(lambda: any("stands by" in why for _, why in successor.waits), WAIT_S, what="a second process")
            process.kill()
            go_back(copying)
            lease_runs_out(copying)
            wait_until(lambda: gaps(copying) == [("MYSQL_WENT_BACK", True)], WAIT_S, what="the gap is found and mended")
    finally:
        process.kill()
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def test_a_transaction_finds_that_mysql_lost_the_one_before(make_copying: MakeCopying) -> None:
    """As where a proxy gives an idle session another server."""
    copying = copied(make_copying)
    (context,), mysql = copying.copies(Stop())
    with held(context, mysql):
        context.live.load()
        for turn in range(2):
            item = review(1, turn={"N": str(turn)})
            apply(context, Batch([Change("PUT", "STREAM", key(item), item)]))
            assert gaps(copying) == ([("MYSQL_WENT_BACK", False)] if turn else [])
            copying.database.query("UPDATE _twinrow_lease SET generation = 1")


def go_back(copying: Copying) -> None:
    """Half of the rows, and the commits that wrote them, are gone; so is the session of whoever wrote them."""
    with copying.database.connect() as replica, replica.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT connection_id FROM _twinrow_lease FOR UPDATE")
        ((session,),) = cursor.fetchall()
        cursor.execute(f"UPDATE _twinrow_lease SET generation = 1, row_count = {ITEMS // 2}")
        cursor.execute(f"DELETE FROM `{copying.table}` WHERE row_id > {ITEMS // 2}")
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s", (session,))
        if cursor.fetchall() == ((1,),):
            cursor.execute(f"KILL {session}")
        replica.commit()


def copied_and_linked(copying: Copying) -> bool:
    linked = sum("mysql_id" in item for item in copying.items())
    return linked == ITEMS and not copying.state("_twinrow_link") and not copying.state("_twinrow_recheck")
