"""A column that somebody has changed so that it no longer holds every value stops the table, and no row goes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.waiting import wait_until

ITEMS = 20
EXACT = {"N": "1.123456"}


def _copied(make_copying: MakeCopying) -> Copying:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, d=EXACT) for n in range(ITEMS)])
    copying.once_well()
    return copying


def _alter(copying: Copying, change: str) -> None:
    copying.database.query(f"ALTER TABLE `{copying.table}` {change}")


def _state(copying: Copying) -> tuple[str, str]:
    ((phase, reason),) = copying.database.query("SELECT phase, reason FROM _twinrow_table")
    return phase, reason


def _checked(line: InProcess) -> dict[str, Any]:
    """What `check` says of the MySQL table, which is not "ok"."""
    ran = line.run("check", "--json")
    (found,) = [one for one in json.loads(ran.out)["checks"] if one["name"] == "MySQL table"]
    assert found["level"] != "ok", found
    return dict(found)


def _told(reason: str) -> str:
    """The statement that a reason tells."""
    found = re.search(r"ALTER TABLE .*?(?=; then)", reason, re.DOTALL)
    assert found is not None, reason
    return found[0]


@pytest.mark.timeout(300)
def test_a_column_narrowed_under_a_running_sync_stops_it_and_no_row_goes(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    with copying.running():
        wait_until(lambda: copying.database.query("SELECT begun_at IS NULL FROM _twinrow_table") == [(1,)], 60)
        _alter(copying, "MODIFY d DECIMAL(10,2)")
        put_all(copying.client, copying.table, [marked(n, d=EXACT, turn={"S": "again"}) for n in range(ITEMS)])
        wait_until(lambda: _state(copying)[0] == "BROKEN", 60, what="BROKEN")
    assert copying.rows("COUNT(*)") == [(ITEMS,)]
    assert copying.state("_twinrow_dead_letter") == 0
    reason = _state(copying)[1]
    assert "'d' is DECIMAL(10,2), not DECIMAL(38,9)" in reason
    copying.database.query(_told(reason))
    copying.once_well()
    copying.repair(execute=True)
    copying.assert_equal(items=ITEMS)


@pytest.mark.parametrize(
    "change",
    [
        "MODIFY d DECIMAL(10,2)",
        "MODIFY d FLOAT",
        "MODIFY turn VARCHAR(20) CHARACTER SET latin1",
        "DROP COLUMN d, ADD COLUMN d DECIMAL(38,9) GENERATED ALWAYS AS (1) VIRTUAL",
        "MODIFY _twinrow_extra VARCHAR(100)",
    ],
)
def test_start_and_check_refuse_a_column_that_holds_less(make_copying: MakeCopying, change: str) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, d=EXACT, turn={"S": "once"}) for n in range(3)])
    copying.once_well()
    _alter(copying, change)
    line = InProcess(copying.config_file().parent)
    assert "no longer hold every value" in _checked(line)["text"]
    done = line.run("sync", "--once")
    assert done.code == 1, done
    assert "no longer hold every value" in done.err
    assert _state(copying)[0] == "BROKEN"
    assert copying.rows("COUNT(*)") == [(3,)]


def test_a_column_that_holds_more_is_taken(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    _alter(copying, "MODIFY d DECIMAL(50,20), MODIFY rating DECIMAL(38,9), MODIFY reviewed_at MEDIUMTEXT")
    put_all(copying.client, copying.table, [marked(1, d={"N": "2.5"})])
    copying.once_well()
    assert copying.rows("COUNT(*)") == [(ITEMS,)]
    assert copying.rows("COUNT(*)", "d = 2.5") == [(1,)]
    assert _state(copying)[0] == "LIVE"


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ("DROP COLUMN d", "lacks the column 'd'", "twinrow schema"),
        ("DROP COLUMN _twinrow_extra", "lacks the column '_twinrow_extra'", "twinrow reset"),
        ("ADD COLUMN theirs INT NOT NULL", "takes no NULL", "DEFAULT"),
    ],
)
def test_every_command_tells_the_same_of_a_column(
    make_copying: MakeCopying, change: str, what: str, remedy: str
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, d=EXACT) for n in range(3)])
    copying.once_well()
    _alter(copying, change)
    line = InProcess(copying.config_file().parent)
    checked = _checked(line)
    told = [f"{checked['text']} {checked['remedy']}"]
    if change.startswith("DROP"):
        told += [line.run(*command).err for command in (["verify"], ["repair"], ["sync", "--once"])]
    for one in told:
        assert what in one
        assert remedy in one


def test_check_does_not_call_a_broken_table_ok(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    copying.database.query("UPDATE _twinrow_table SET phase = 'BROKEN', reason = 'it was'")
    checked = _checked(InProcess(copying.config_file().parent))
    assert (checked["level"], "it was" in checked["text"]) == ("warning", True)
