"""Processes of one configuration share its tables: whoever joins gets a share, whoever is killed is replaced."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import ExitStack

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.waiting import wait_until

TABLES = 7
SHARES_S_MAX = 120.0
"""Each process gives up a table in 5 s; starts are slow on a machine under load."""
ALIVE = (
    "SELECT l.holder, COUNT(*) FROM _twinrow_lease l JOIN _twinrow_heartbeat h USING (table_name) "
    "WHERE l.holder <> '' AND h.fence = l.fence AND h.deadline > UTC_TIMESTAMP(6) GROUP BY l.holder"
)


def shares(copying: Copying) -> list[int]:
    """How many tables each process holds."""
    if not copying.database.query("SHOW TABLES LIKE '\\_twinrow\\_meta'"):  # made last
        return []
    return sorted(int(count) for _, count in copying.database.query(ALIVE))


def says_who_holds(copying: Copying, counts: list[int]) -> bool:
    status = json.loads(InProcess(copying.config_file().parent).run("status", "--json").out)
    members = {member["holder"]: member["tables"] for member in status["members"]}
    return sorted(members.values()) == counts and Counter(table["holder"] for table in status["tables"]) == members


def fences(copying: Copying) -> int:
    return int(copying.database.query("SELECT SUM(fence) FROM _twinrow_lease")[0][0])


@pytest.mark.either_server
def test_processes_share_tables_fairly_and_replace_a_process_that_is_killed(
    make_copying: MakeCopying, make_table: MakeTable
) -> None:
    copying = make_copying()
    copying.lease_s = 6.0
    copying.tables = {
        make_table(stream="NEW_AND_OLD_IMAGES"): {"capture": "stream", "link": False} for _ in range(TABLES)
    }
    for table in copying.tables:
        put_all(copying.client, table, [review(1)])
    with ExitStack() as running:
        first, second = copying.process(once=False), copying.process(once=False)
        running.callback(first.kill)
        running.callback(second.kill)
        wait_until(lambda: shares(copying) == [3, 4], SHARES_S_MAX, every_s=0.2, what="3 and 4 tables")
        third = copying.process(once=False)
        running.callback(third.kill)
        wait_until(lambda: shares(copying) == [2, 2, 3], SHARES_S_MAX, every_s=0.2, what="2, 2 and 3 tables")
        moves = fences(copying)
        wait_until(lambda: says_who_holds(copying, [2, 2, 3]), SHARES_S_MAX, every_s=0.2, what="status says it")
        first.kill()
        wait_until(lambda: shares(copying) == [3, 4], SHARES_S_MAX, every_s=0.2, what="3 and 4 tables again")
        for table in copying.tables:
            put_all(copying.client, table, [review(2)])
        wait_until(
            lambda: all(copying.database.query(f"SELECT COUNT(*) FROM {table}") == [(2,)] for table in copying.tables),
            SHARES_S_MAX, every_s=0.2, what="the writes of all tables",
        )  # fmt: skip
        assert fences(copying) <= moves + TABLES, "tables move without need"
        for process in (second, third):
            process.popen.send_signal(signal.SIGTERM)
            assert process.ended()[0] == 0
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_lease WHERE holder <> ''") == [(0,)]
