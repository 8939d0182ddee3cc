"""DDL that is done in part, or too late: names stay, and no column is narrowed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import Mock

import pymysql
import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Wire, marked, put_all
from tests.fixtures.killing import asleep, lease_runs_out
from tests.fixtures.waiting import wait_until

from twinrow.app.columns import apply as schema_apply
from twinrow.app.commands import schema as schema_command
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.errors import LeaseLost
from twinrow.mysql import Connection
from twinrow.schema.evolve import WidenColumn, evolve
from twinrow.schema.table import to_json
from twinrow.sink import ddl, statements
from twinrow.state import checkpoint
from twinrow.state.checkpoint import Checkpoint
from twinrow.table import live_schema
from twinrow.verify.reading import schema_of
from twinrow.workers.held import held

COLUMNS_MAX = 400


@contextmanager
def reading(copying: Copying) -> Iterator[None]:
    """An analyst's transaction that has read the copy: every ALTER waits for its end."""
    session = copying.copies(Stop())[1].connect()
    session.execute("START TRANSACTION")
    session.query(f"SELECT COUNT(*) FROM `{copying.table}`")
    try:
        yield
    finally:
        session.close()


def test_a_column_added_beside_a_widening_that_must_wait_keeps_its_name(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, visits={"N": "1"}) for n in range(5)])
    copying.once_well()
    run = ddl.run

    def run_adds(connection: Connection, sql: str) -> None:
        if "MODIFY" in sql:
            raise ddl.NeedsRebuild("the table is too large")
        run(connection, sql)

    with monkeypatch.context() as patch:
        patch.setattr(ddl, "run", run_adds)
        put_all(copying.client, copying.table, [marked(1, visits={"N": "0.5"}, seen={"S": "first"})])
        copying.once_well()
    assert copying.rows("seen", "seen IS NOT NULL") == [("first",)]
    put_all(copying.client, copying.table, [marked(2, visits={"N": "0.25"}, seen={"S": "second"})])
    copying.once_well()
    assert set(copying.rows("seen", "seen IS NOT NULL")) == {("first",), ("second",)}
    assert [name for name in columns(copying) if name.startswith("seen")] == ["seen"]
    copying.assert_equal(items=5)


def test_a_process_that_lost_its_lease_alters_nothing(make_copying: MakeCopying) -> None:
    """Paused before its ALTER, it would narrow the column that its successor has widened."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, visits={"N": "1"}) for n in range(5)])
    copying.once_well()
    with asleep(copying) as sleeper:
        wanted = evolve(sleeper.live.rest, [{**copying.items()[0], "visits": {"N": "9" * 30}}])
        (step,) = wanted.steps
        assert isinstance(step, WidenColumn)
        put_all(copying.client, copying.table, [marked(1, visits={"N": "0.123456789012"})])
        copying.once_well()
        with pytest.raises(LeaseLost):
            sleeper.live.change(wanted)
    copying.assert_equal(items=5)
    assert str(copying.rows("visits", "visits < 1")[0][0]).startswith("0.123456789012")


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
def test_an_intent_that_was_left_is_no_reason_for_a_rebuild(make_copying: MakeCopying, done: bool) -> None:
    """What the server did of it is ours; the rest is asked for again by values, under the rules of a live table."""
    copying = make_copying(rebuild_rows_max=0)
    put_all(copying.client, copying.table, [marked(n, visits={"N": "1"}) for n in range(5)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    schema = schema_of(session, copying.table)
    wanted = evolve(schema, [{"visits": {"N": "0.5"}, "seen": {"S": "x"}}])
    checkpoint.save(session, copying.table, {"ddl": Checkpoint(to_json(wanted.schema))})
    if done:
        ddl.apply(session, wanted.schema, list(wanted.steps), may_rebuild=True)
    put_all(copying.client, copying.table, [marked(1, text={"S": "nothing that asks for a column"})])
    with reading(copying):
        copying.once_well()
    assert checkpoint.load(session, copying.table, "ddl") == {}
    now = schema_of(session, copying.table)
    assert (now.by_attribute["visits"].type == wanted.schema.by_attribute["visits"].type) is done
    assert ("seen" in now.by_attribute) is done
    session.close()
    copying.assert_equal(items=5)


def has_key_index(copying: Copying) -> bool:
    found = copying.database.query(f"SHOW INDEX FROM `{copying.table}`")
    return statements.KEY_INDEX in {row[2] for row in found}


def test_a_reader_at_the_end_of_the_first_copy_holds_up_the_index_alone(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_schema, "DDL_RETRY_S", 0.5)
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": "after-rows:1"})
    assert code == -signal.SIGKILL, output
    lease_runs_out(copying)

    with copying.running():
        with reading(copying):
            wait_until(lambda: copying.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)], 30)
            put_all(copying.client, copying.table, [marked(7)])
            wait_until(lambda: len(copying.rows("row_id", "reviewed_at LIKE '%%7'")) == 1, 20, what="a new row")
            assert not has_key_index(copying)
        wait_until(lambda: has_key_index(copying), 30, what="the index, once nobody reads")
    copying.once_well()
    copying.assert_equal(items=6)


@pytest.mark.parametrize("wanted", ["TINYTEXT", "TINYBLOB", "TEXT", "VARBINARY(3000)", "VARCHAR(700)"])
def test_a_key_of_any_override_has_its_index(make_copying: MakeCopying, wanted: str) -> None:
    copying = make_copying(columns={"reviewed_at": {"type": wanted}})
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    assert has_key_index(copying)
    copying.assert_equal(items=5)


def test_an_index_that_the_server_refuses_is_told_and_the_rest_goes_on(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where users have added as many indexes as a table takes."""
    monkeypatch.setattr(statements, "KEY_PREFIX_BYTES_MAX", 10_000)
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    ((phase, reason),) = copying.database.query("SELECT phase, reason FROM _twinrow_table")
    assert phase == "LIVE"
    assert "the index on the key columns cannot be built" in reason
    put_all(copying.client, copying.table, [marked(7)])
    copying.once_well()
    copying.assert_equal(items=6)

    monkeypatch.setattr(live_schema, "DDL_RETRY_S", 0.0)
    (context,), mysql = copying.copies(Stop())
    with held(context, mysql):
        context.live.load()
        for there in (False, True):
            context.live.owe_key_index()
            context.live.build_key_index()
            assert (not context.live.index_trouble) is there
            monkeypatch.setattr(statements, "KEY_PREFIX_BYTES_MAX", 3072)


def test_while_another_session_changes_the_schema_values_wait_in_extra(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_schema, "DDL_LOCK_WAIT_S", 0)
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    session = copying.copies(Stop())[1].connect()
    assert session.query(f"SELECT GET_LOCK({live_schema.DDL_LOCK_NAME}, 0)", (copying.table,)) == [(1,)]
    put_all(copying.client, copying.table, [marked(n, late={"S": "new"}) for n in range(3)])
    with copying.running():
        wait_until(lambda: copying.rows("COUNT(*)", "_twinrow_extra LIKE '%%late%%'") == [(3,)], 30, what="three rows")
        assert "late" not in schema_of(session, copying.table).by_attribute
    copying.assert_equal(items=5)
    session.close()
    put_all(copying.client, copying.table, [marked(4, late={"S": "new"})])
    copying.once_well()
    assert copying.rows("late", "late IS NOT NULL") == [("new",)] * 4
    copying.assert_equal(items=5)


def test_a_session_that_changes_the_schema_ends_when_its_process_sleeps(make_copying: MakeCopying) -> None:
    """Else a paused process would keep its successor from the table for hours."""
    copying = make_copying()
    (context,), mysql = copying.copies(Stop())
    with context.live.ddl_session() as session:
        assert session.query("SELECT @@wait_timeout") == [(int(mysql.lease_s),)]


def test_columns_asked_for_by_hand_leave_those_of_users_theirs(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`schema --apply` of an attribute of the same name."""
    copying = with_a_note_in_extra(make_copying, monkeypatch, {"S": "an item's"})
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN NOTE VARCHAR(20) DEFAULT 'mine'")
    apply_by_hand(copying)
    copying.once_well()
    assert copying.rows("COUNT(*)", "NOTE = 'mine'") == [(3,)]
    (name,) = [one for one in columns(copying) if one.startswith("note_")]
    assert copying.rows(name, f"{name} IS NOT NULL") == [("an item's",)]
    copying.assert_equal(items=3)


def test_a_column_that_gh_ost_has_added_as_told_is_taken(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = with_a_note_in_extra(make_copying, monkeypatch, {"N": "1"})
    with closing(copying.copies(Stop())[1].connect()) as session:
        schema = schema_of(session, copying.table)
        reads = Mock(wraps=schema_apply._rows_with_extra)
        monkeypatch.setattr(schema_apply, "_rows_with_extra", reads)
        asked = schema_apply.pending(session, schema, [])
        assert reads.call_count == 1, "where users have no columns of their own, one look is enough"
        (sql,) = schema_apply.statements_of(schema, asked, [], session)
        session.execute(sql)
        assert schema_apply.pending(session, schema, []) == asked
        assert schema_apply.statements_of(schema, asked, [], session) == []
    apply_by_hand(copying)
    assert [name for name in columns(copying) if name.startswith("note")] == ["note"]
    copying.once_well()
    copying.assert_equal(items=3)


def test_a_column_of_an_apply_that_was_killed_is_taken_though_values_ask_for_more(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = with_a_note_in_extra(make_copying, monkeypatch, {"N": "1"})
    with closing(copying.copies(Stop())[1].connect()) as session:
        asked = schema_apply.pending(session, schema_of(session, copying.table), [])
        checkpoint.save(session, copying.table, {"ddl": Checkpoint(to_json(asked.schema))})
        ddl.apply(session, asked.schema, list(asked.steps), may_rebuild=False)
    one, more = '"1"', '"1.5"'
    copying.database.query(f"UPDATE `{copying.table}` SET _twinrow_extra = REPLACE(_twinrow_extra, '{one}', '{more}')")
    apply_by_hand(copying)
    assert [name for name in columns(copying) if name.startswith("note")] == ["note"]
    copying.repair(execute=True)
    copying.once_well()
    copying.assert_equal(items=3)


def with_a_note_in_extra(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, note: Wire) -> Copying:
    """Three items, one of which has a `note` that no column could be added for."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    with monkeypatch.context() as patch:
        patch.setattr(ddl, "apply", no_room)
        put_all(copying.client, copying.table, [marked(1, note=note)])
        copying.once_well()
    return copying


def apply_by_hand(copying: Copying) -> None:
    """`twinrow schema --apply`."""
    (table,) = parse(copying.text()).chosen([])
    schema_command._apply_to(parse(copying.text()), table, dry_run=False)


def columns(copying: Copying) -> list[str]:
    return [row[0] for row in copying.database.query(f"SHOW COLUMNS FROM `{copying.table}`")]


@pytest.mark.parametrize(
    ("taken", "others"), [("Seen", {"told": {"S": "too"}}), ("seen", {})], ids=["one-of-two", "all"]
)
def test_an_alter_that_meets_a_name_taken_meanwhile_has_added_nothing(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, taken: str, others: Wire
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    add = statements.add_columns

    def add_after_another(*arguments: Any, **options: Any) -> str:
        monkeypatch.setattr(statements, "add_columns", add)
        copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN {taken} INT")
        return add(*arguments, **options)

    monkeypatch.setattr(statements, "add_columns", add_after_another)
    monkeypatch.setattr(live_schema, "DDL_RETRY_S", 0.1)
    put_all(copying.client, copying.table, [marked(1, seen={"S": "first"}, **others)])
    copying.once_well()
    assert copying.rows("COUNT(*)", f"{taken} IS NOT NULL") == [(0,)]
    put_all(copying.client, copying.table, [marked(2, seen={"S": "second"}, **others)])
    copying.once_well()
    assert len([name for name in columns(copying) if name.startswith(("seen_", "told"))]) == 1 + len(others)
    assert copying.rows("COUNT(*)", f"{taken} IS NOT NULL") == [(0,)]
    copying.assert_equal(items=3)


def no_room(*_: object, **__: object) -> None:
    raise ddl.NeedsRebuild("no room")


def test_without_room_for_a_column_values_stay_in_extra(make_copying: MakeCopying) -> None:
    """An analyst has filled the row with columns of their own."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    full = False
    for number in range(COLUMNS_MAX):
        try:
            copying.database.query(f"ALTER TABLE `{copying.table}` ADD COLUMN of_mine_{number} TEXT")
        except pymysql.err.MySQLError:
            full = True
            break
    assert full
    put_all(copying.client, copying.table, [marked(1, late={"S": "new"})])
    with copying.running():
        wait_until(lambda: "no room" in copying.database.query("SELECT reason FROM _twinrow_table")[0][0], 20)
    copying.once_well()
    copying.assert_equal(items=5)
