"""How many connections to MySQL a sync takes, as docs/operating/connections.md says."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all
from tests.fixtures.waiting import wait_until

from twinrow.mysql_pool import SESSIONS_MAX

WAIT_S = 60.0
OF_A_PROCESS = 2
"""Heartbeat, and the question for all tables."""


def connections(copying: Copying) -> int:
    """Those of this database, but for the one that asks."""
    asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    return int(copying.database.query(asked)[0][0])


@pytest.mark.either_server
def test_a_sync_takes_the_connections_that_the_page_names(make_copying: MakeCopying, make_table: MakeTable) -> None:
    copying = make_copying()
    copying.lease_s = 6.0
    more = make_table(index=("migrated-index", "migrated:S", "ALL"))
    plain = make_table()
    copying.tables[more] = {"capture": "pending-index", "pending_index": PENDING_INDEX}
    copying.tables[plain] = {"capture": "scan", "link": False, "reconcile_every": "1s"}
    for table in copying.tables:
        put_all(copying.client, table, [marked(n) for n in range(30)])

    def caught_up() -> bool:
        live = copying.database.query("SELECT COUNT(*) FROM _twinrow_table WHERE phase = 'LIVE'")
        owed = copying.database.query("SELECT COUNT(*) FROM _twinrow_link")
        return live == [(3,)] and owed == [(0,)]

    with copying.running() as first:
        wait_until(lambda: first.ran is None and copying.database.query("SHOW TABLES LIKE '\\_twinrow\\_meta'"), WAIT_S)
        wait_until(caught_up, WAIT_S, every_s=0.2, what="three live tables")
        assert connections(copying) <= OF_A_PROCESS + SESSIONS_MAX
        of_a_sync = OF_A_PROCESS + 3  # three tables that write at the same moment; idle they hold none
        wait_until(lambda: connections(copying) <= of_a_sync, WAIT_S, every_s=0.05, what=f"{of_a_sync} connections")
        with copying.running() as second:
            wait_until(lambda: len({table for table, _ in second.waits}) == 3, WAIT_S, what="all three standing by")
            of_two = 2 * OF_A_PROCESS + 3  # the second takes its share of the tables
            wait_until(lambda: connections(copying) <= of_two, WAIT_S, every_s=0.05, what=f"{of_two} connections")
