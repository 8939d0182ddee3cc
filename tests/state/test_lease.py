"""The number of rows that the lease keeps, set right after hands were at the table."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.config import mysql_config
from twinrow.mysql import Connection, MySQL
from twinrow.state import lease, meta

ROWS, NOTED = 3, 5
COUNT = "SELECT COUNT(*) FROM copied"


@pytest.fixture
def sessions(database: Database) -> Iterator[list[Connection]]:
    """Two sessions on a database in which the number of rows is noted wrong."""
    mysql = MySQL(mysql_config(database.url, "test", {}))
    made = [mysql.connect(), mysql.connect()]
    meta.install(made[0])
    database.query("CREATE TABLE copied (n INT PRIMARY KEY)")
    database.query("INSERT INTO copied VALUES (1), (2), (3)")
    lease.enter(made[0], "reviews")
    database.query(f"UPDATE _twinrow_lease SET row_count = {NOTED}")
    yield made
    for session in made:
        session.close()


def test_two_recounts_at_once_apply_the_difference_once(
    sessions: list[Connection], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sessions
    other = threading.Thread(target=lease.recount, args=(second, "reviews", COUNT), daemon=True)
    execute = first.execute

    def execute_late(sql: str, args: tuple[int, str] | tuple[()] = ()) -> int:
        """The first has counted and is about to apply what it found: the second comes in between, or waits."""
        if sql.startswith("UPDATE"):
            other.start()
            waits = "SELECT 1 FROM information_schema.processlist WHERE id = %s AND state LIKE '%%ser lock%%'"
            wait_until(lambda: not other.is_alive() or database.query(waits, second.id), what="the second")
        return execute(sql, args)

    monkeypatch.setattr(first, "execute", execute_late)
    assert lease.recount(first, "reviews", COUNT) == ROWS - NOTED
    other.join()
    assert lease.row_count(first, "reviews") == ROWS
