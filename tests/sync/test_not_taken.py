"""Rows that MySQL does not take: parked for their own content only, else put off or waited for; none is removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.conftest import MakeCopying
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.waiting import wait_until

WAIT_S = 60.0
ITEMS = 12


def _copied(make_copying: MakeCopying) -> Copying:
    copying = make_copying(pending_index={"deleted": "deleted"})
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    return copying


def _turn(copying: Copying, *numbers: int, **more: str) -> None:
    values = {name: {"N": value} for name, value in more.items()}
    put_all(copying.client, copying.table, [marked(n, **values) for n in numbers])


@contextmanager
def _trigger(copying: Copying, when: str, body: str, definer: str = "") -> Iterator[None]:
    by = f"DEFINER = {definer} " if definer else ""
    copying.database.query(f"CREATE {by}TRIGGER theirs {when} ON `{copying.table}` FOR EACH ROW {body}")
    try:
        yield
    finally:
        copying.database.query("DROP TRIGGER IF EXISTS theirs")


def _put_off(copying: Copying) -> list[tuple[int, str]]:
    return [
        (int(code), str(message))
        for code, message in copying.database.query(
            "SELECT code, message FROM _twinrow_recheck WHERE code IS NOT NULL ORDER BY code"
        )
    ]


def _letters(copying: Copying) -> int:
    return copying.state("_twinrow_dead_letter")


def test_a_trigger_without_its_definer_is_waited_for_and_costs_no_row(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    copying.database.query("CREATE USER IF NOT EXISTS 'leaving'@'%' IDENTIFIED BY 'word'")
    with _trigger(copying, "BEFORE UPDATE", "SET @seen = 1", "'leaving'@'%'"):
        copying.database.query("DROP USER 'leaving'@'%'")
        _turn(copying, *range(5), rating="41")
        process = copying.process(once=False)
        try:
            wait_until(lambda: "1449" in process.said(), WAIT_S, what="the server's words")
            assert process.popen.poll() is None
            assert copying.rows("COUNT(*)") == [(ITEMS,)], "every standing row stands"
            assert _letters(copying) == 0
            copying.database.query("DROP TRIGGER theirs")
            wait_until(lambda: copying.rows("COUNT(*)", "rating = 41") == [(5,)], WAIT_S, what="the rows")
        finally:
            process.kill()
    lease_runs_out(copying)
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def test_a_row_refused_for_what_is_not_its_content_is_put_off_and_the_others_go_on(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    body = "BEGIN IF NEW.rating = 42 THEN SET @x = (SELECT 1 UNION SELECT 2); END IF; END"
    with _trigger(copying, "BEFORE UPDATE", body):
        _turn(copying, 3, rating="42")
        _turn(copying, *range(4, 8), rating="43")
        copying.once_well()
        assert copying.rows("COUNT(*)", "rating = 43") == [(4,)], "the table goes on"
        assert copying.rows("COUNT(*)") == [(ITEMS,)], "its old row stands"
        assert _letters(copying) == 0
        ((code, message),) = _put_off(copying)
        assert code == 1242
        assert "1242" in message
        command = InProcess(copying.config_file().parent)
        told = command.run("status", "--json")
        assert told.code == 3
        assert '"not_taken": 1' in told.out
        assert "1242" in told.out
        # alone in its batch it is put off again: a row that stands, written onto itself, is taken
        assert copying.once().outcome.error is None
        assert len(_put_off(copying)) == 1
    copying.once_well()
    assert _put_off(copying) == []
    copying.assert_equal(items=ITEMS)


def test_a_row_that_a_check_refuses_is_parked_alone_or_beside_others(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    copying.database.query(f"ALTER TABLE `{copying.table}` ADD CONSTRAINT low CHECK (rating < 50)")
    _turn(copying, 1, rating="51")
    _turn(copying, 2, rating="12")
    copying.once_well()
    assert _letters(copying) == 1
    assert copying.rows("COUNT(*)") == [(ITEMS - 1,)]
    _turn(copying, 3, rating="52")
    copying.once_well()
    assert _letters(copying) == 2
    assert copying.rows("COUNT(*)", "rating = 12") == [(1,)]
    assert _put_off(copying) == []
    _turn(copying, 1, 3, rating="13")
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def test_a_generated_column_and_a_foreign_key_refuse_single_rows(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    query, table = copying.database.query, copying.table
    query("CREATE TABLE known (n BIGINT PRIMARY KEY)")
    query("INSERT INTO known VALUES (1), (2), (3), (4), (5), (99)")
    query(f"ALTER TABLE `{table}` ADD KEY theirs (rating)")
    query(f"ALTER TABLE `{table}` ADD CONSTRAINT theirs FOREIGN KEY (rating) REFERENCES known (n)")
    query(f"ALTER TABLE `{table}` ADD COLUMN tiny TINYINT GENERATED ALWAYS AS (rating * 2) STORED")
    _turn(copying, 1, rating="7")  # no such parent
    _turn(copying, 2, rating="99")  # 198 is no TINYINT
    _turn(copying, 3, rating="5")
    copying.once_well()
    reasons = " ".join(str(reason) for (reason,) in query("SELECT reason FROM _twinrow_dead_letter"))
    assert _letters(copying) == 2
    assert "1452" in reasons
    assert "1264" in reasons
    assert copying.rows("COUNT(*)") == [(ITEMS - 2,)]


def test_a_table_that_somebody_has_frozen_is_waited_for(make_copying: MakeCopying) -> None:
    """SIGNAL is on the list, and yet no row is at fault: a row that stands, written onto itself, is refused as well."""
    copying = _copied(make_copying)
    _turn(copying, *range(6), rating="44")
    with (
        _trigger(copying, "BEFORE UPDATE", "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'frozen'"),
        copying.running() as running,
    ):
        wait_until(lambda: any("frozen" in reason for _, reason in running.waits), WAIT_S, what="word of it")
        assert copying.rows("COUNT(*)") == [(ITEMS,)]
        assert _letters(copying) == 0
        copying.database.query("DROP TRIGGER theirs")
        wait_until(lambda: copying.rows("COUNT(*)", "rating = 44") == [(6,)], WAIT_S, what="the rows")
    copying.once_well()
    copying.assert_equal(items=ITEMS)


def _has_rows(copying: Copying, count: int) -> bool:
    return copying.rows("COUNT(*)") == [(count,)]


def _was_tried(copying: Copying, times: int) -> bool:
    return bool(copying.database.query("SELECT 1 FROM _twinrow_recheck WHERE attempts >= %s", times))


def test_new_rows_go_on_while_no_row_that_stands_may_change(make_copying: MakeCopying) -> None:
    """The retry of a put-off row is a batch of that row alone: refused, it must not hold up the rows that are taken."""
    copying = _copied(make_copying)
    with _trigger(copying, "BEFORE UPDATE", "INSERT INTO nosuch VALUES (1)"), copying.running():
        _turn(copying, 1, rating="45")
        for n in range(3):
            _turn(copying, ITEMS + n)
            wait_until(partial(_has_rows, copying, ITEMS + n + 1), WAIT_S, what=f"new row {n}")
            wait_until(partial(_was_tried, copying, n + 2), WAIT_S, what="a retry, put off")
            ((code, message),) = _put_off(copying)
            assert code == 1146
            assert "nosuch" in message
        assert '"not_taken": 1' in InProcess(copying.config_file().parent).run("status", "--json").out
        assert copying.rows("COUNT(*)") == [(ITEMS + 3,)], "every standing row stands"
        assert _letters(copying) == 0
    copying.once_well()
    copying.assert_equal(items=ITEMS + 3)


def test_a_delete_refused_for_what_is_not_its_row_is_put_off(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    with _trigger(copying, "BEFORE DELETE", "SET @x = (SELECT 1 UNION SELECT 2)"):
        put_all(copying.client, copying.table, [marked(4, deleted={"BOOL": True})])
        _turn(copying, 5, rating="45")
        copying.once_well()
        assert copying.rows("COUNT(*)") == [(ITEMS,)]
        assert _letters(copying) == 0
        assert [code for code, _ in _put_off(copying)] == [1242]
        assert copying.rows("COUNT(*)", "rating = 45") == [(1,)]
    copying.once_well()
    assert copying.rows("COUNT(*)") == [(ITEMS - 1,)]
    assert _put_off(copying) == []
    assert copying.verify().in_step


def test_a_warning_of_a_trigger_is_no_fault_of_the_row(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    with _trigger(copying, "BEFORE UPDATE", "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'old ways'"):
        _turn(copying, *range(ITEMS), rating="46")
        copying.once_well()
    assert _letters(copying) == 0
    assert _put_off(copying) == []
    copying.assert_equal(items=ITEMS)
