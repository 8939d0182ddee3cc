"""Rows written while their column was too narrow: noted with them, told, and rebuilt once the column is wide enough."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all, review
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.waiting import wait_until

from twinrow import mysql_session
from twinrow.app.observe import status
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.state import deferred
from twinrow.table import live_schema
from twinrow.write import cells

HALF = {"N": "0.5"}
WIDEN = "ALTER TABLE `{}` MODIFY COLUMN visits {} NULL"
TYPES = {"pending-index": "DECIMAL(38,9)", "stream": "DECIMAL(38,9)", "scan": "DECIMAL(65,27)"}
"""What a hand makes of the column: what is asked for, or more."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ALTER that a reader keeps out is given up, and tried again, after a moment."""
    monkeypatch.setattr(mysql_session, "DDL_LOCK_WAIT_S", 1)
    monkeypatch.setattr(live_schema, "DDL_RETRY_S", 0.3)


@contextmanager
def reading(copying: Copying) -> Iterator[None]:
    """An analyst's transaction that has read the copy: every ALTER waits for its end."""
    with closing(copying.copies(Stop())[1].connect()) as session:
        session.execute("START TRANSACTION")
        session.query(f"SELECT COUNT(*) FROM `{copying.table}`")
        yield


def copied(make_copying: MakeCopying, **options: Any) -> Copying:
    """Ten items, copied, whose `visits` are integers so far."""
    copying = make_copying(**options)
    make = marked if copying.tables[copying.table]["capture"] == "pending-index" else review
    put_all(copying.client, copying.table, [make(n, visits={"N": "1"}) for n in range(10)])
    copying.once_well()
    return copying


def visits(copying: Copying) -> list[Decimal | None]:
    """Of the items 1 to 3."""
    keys = ", ".join(f"'2024-01-01T{n:08d}'" for n in (1, 2, 3))
    found = dict(copying.rows("reviewed_at, visits", f"reviewed_at IN ({keys})"))
    return [None if found[key] is None else Decimal(found[key]) for key in sorted(found)]


def told(copying: Copying) -> list[tuple[str, int]]:
    """What `status` tells as put off: attributes and rows; each with a trouble that names it."""
    config = parse(copying.text())
    with closing(copying.copies(Stop())[1].connect()) as session:
        (one,) = status.collect(session, config.chosen([])).tables
    assert all(any(f"`{put_off.attribute}`" in note for note in one.notes) for put_off in one.put_off)
    return [(put_off.attribute, put_off.rows) for put_off in one.put_off]


@pytest.mark.usefixtures("quick")
def test_rows_written_while_a_reader_keeps_the_alter_out_are_rebuilt_by_themselves(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    ids = copying.rows("row_id, reviewed_at")
    with copying.running():
        with reading(copying):
            put_all(copying.client, copying.table, [marked(n, visits=HALF) for n in (1, 2)])
            wait_until(lambda: visits(copying)[:2] == [0, 0], 60, what="two rounded rows")
            put_all(copying.client, copying.table, [marked(3, visits=HALF)])
            wait_until(lambda: told(copying) == [("visits", 3)], 60, what="three rows told as put off")
            assert copying.verify().in_step, "while the column cannot hold the value, extra does"
        wait_until(lambda: visits(copying) == [Decimal("0.5")] * 3, 60, what="the values, once nobody reads")
        wait_until(lambda: told(copying) == [], 30, what="nothing put off")
    assert copying.rows("row_id, reviewed_at") == ids
    assert copying.rows("COUNT(*)", "_twinrow_extra LIKE '%%visits%%'") == [(0,)]
    copying.once_well()
    copying.assert_equal(items=10)


@pytest.mark.usefixtures("quick")
def test_once_ends_when_the_rows_are_rebuilt(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    put_all(copying.client, copying.table, [marked(n, visits=HALF) for n in (1, 2, 3)])
    ended = threading.Event()

    def once() -> None:
        copying.once_well()
        ended.set()

    thread = threading.Thread(target=once, daemon=True)
    with reading(copying):
        thread.start()
        wait_until(lambda: told(copying) == [("visits", 3)], 60, what="rows put off")
        wait_until(lambda: copying.state("_twinrow_link") == 0, 60, what="all but the column is done")
        assert not ended.is_set()
    thread.join(60)
    assert ended.is_set()
    assert visits(copying) == [Decimal("0.5")] * 3
    assert told(copying) == []


@pytest.mark.parametrize("capture", ["pending-index", "stream", "scan"])
def test_in_every_capture_what_waits_for_a_person_is_noted_and_shown_after_a_hand_has_altered(
    make_copying: MakeCopying, capture: str
) -> None:
    options: dict[str, Any] = {"link": False} if capture == "scan" else {}
    copying = make_copying(capture=capture, rebuild_rows_max=5, **options)
    if capture == "stream":
        copying.client.update_table(
            TableName=copying.table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        )
    make = marked if capture == "pending-index" else review
    put_all(copying.client, copying.table, [make(n, visits={"N": "1"}) for n in range(10)])
    copying.once_well()
    put_all(copying.client, copying.table, [make(n, visits=HALF) for n in (1, 2, 3)])
    copying.once_well()
    assert visits(copying) == [0, 0, 0]
    assert told(copying) == [("visits", 3)]
    copying.assert_equal(items=10)

    copying.database.query(WIDEN.format(copying.table, TYPES[capture]))
    copying.once_well()
    assert visits(copying) == [Decimal("0.5")] * 3
    assert told(copying) == []
    copying.assert_equal(items=10)


def test_a_walk_that_was_killed_is_taken_up_and_overwrites_no_newer_row(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = copied(make_copying, rebuild_rows_max=5)
    put_all(copying.client, copying.table, [marked(n, visits=HALF) for n in (1, 2, 3)])
    copying.once_well()
    copying.database.query(WIDEN.format(copying.table, "DECIMAL(38,9)"))
    put_all(copying.client, copying.table, [marked(2, visits={"N": "7"})])
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": "after-cells:1"})
    assert code == -signal.SIGKILL, output
    assert copying.state("_twinrow_deferred") == 1
    lease_runs_out(copying)

    monkeypatch.setattr(cells, "ROWS_A_STEP_MAX", 1)
    monkeypatch.setattr(cells, "ROWS_LOOKED_AT_MAX", 2)
    monkeypatch.setattr(cells, "LOCKED_S_MAX", 0.0)
    copying.once_well()
    assert visits(copying) == [Decimal("0.5"), 7, Decimal("0.5")]
    assert told(copying) == []
    copying.assert_equal(items=10)


def test_a_cell_that_its_column_could_hold_is_a_difference_though_extra_has_it(make_copying: MakeCopying) -> None:
    """As where the row was written before its column was widened, by a Twinrow that kept no notes."""
    copying = copied(make_copying)
    put_all(copying.client, copying.table, [marked(n, visits=HALF) for n in (1, 2, 3)])
    copying.once_well()
    for cell, number in (("NULL", 1), ("0", 2)):
        copying.database.query(
            f"UPDATE `{copying.table}` SET visits = {cell}, _twinrow_extra = JSON_SET(_twinrow_extra, "
            "'$.visits', JSON_OBJECT('N', '0.5')), _twinrow_updated_at = '2020-01-01' "
            f"WHERE reviewed_at = '2024-01-01T{number:08d}'"
        )
    verdict = copying.verify()
    assert (verdict.different, verdict.in_step) == (2, False)
    copying.repair(execute=True)
    copying.once_well()
    assert visits(copying) == [Decimal("0.5")] * 3
    copying.assert_equal(items=10)


def test_a_copy_of_an_earlier_version_is_looked_through_once(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    put_all(copying.client, copying.table, [marked(n, visits=HALF) for n in (1, 2, 3)])
    copying.once_well()
    copying.database.query(
        f"UPDATE `{copying.table}` SET visits = 0, _twinrow_extra = JSON_SET(_twinrow_extra, "
        "'$.visits', JSON_OBJECT('N', '0.5')) WHERE reviewed_at = '2024-01-01T00000001'"
    )
    copying.once_well()
    assert visits(copying)[0] == 0, "nothing is put off: a table at rest is not looked through"
    copying.database.query("UPDATE _twinrow_table SET cell_rules = 0")
    copying.once_well()
    assert visits(copying) == [Decimal("0.5")] * 3
    copying.assert_equal(items=10)


def test_a_table_at_rest_is_asked_nothing_of_it(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = copied(make_copying)
    asked = Mock(wraps=deferred.of_table)
    monkeypatch.setattr(deferred, "of_table", asked)
    put_all(copying.client, copying.table, [marked(n, visits={"N": "2"}) for n in range(10)])
    copying.once_well()
    assert asked.call_count == 1, "once, at the start"
