"""Many tables with nothing to do: what they ask of MySQL together, and how a write to one of them arrives."""

from __future__ import annotations

import time

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.waiting import wait_until

TABLES = 20
QUERIES_A_TABLE_AND_S_MAX = 2.0
SESSIONS_AT_REST_MAX = 5
MEASURED_S = 5.0
"""A process that starves asks less, never more."""
WAIT_S = 180.0


def questions(copying: Copying) -> int:
    return int(copying.database.query("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])


def sessions(copying: Copying) -> int:
    asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    return int(copying.database.query(asked)[0][0])


@pytest.mark.either_server
def test_twenty_idle_tables_ask_little_hold_few_sessions_and_miss_nothing(
    make_copying: MakeCopying, make_table: MakeTable
) -> None:
    copying = make_copying()
    copying.tables = {
        make_table(stream="NEW_AND_OLD_IMAGES"): {"capture": "stream", "link": False} for _ in range(TABLES)
    }
    live = "SELECT COUNT(*) FROM _twinrow_table WHERE phase = 'LIVE'"
    with copying.running() as running:
        wait_until(lambda: copying.database.query("SHOW TABLES LIKE '\\_twinrow\\_meta'"), WAIT_S, what="the state")
        wait_until(lambda: copying.database.query(live) == [(TABLES,)], WAIT_S, every_s=0.5, what="live tables")
        assert not [why for _, why in running.waits if "lock" in why.lower()], "first copies have waited for locks"
        wait_until(lambda: sessions(copying) <= SESSIONS_AT_REST_MAX, WAIT_S, every_s=0.2, what="sessions at rest")
        before, began = questions(copying), time.monotonic()
        time.sleep(MEASURED_S)
        asked_per_s = (questions(copying) - before) / (time.monotonic() - began)
        assert asked_per_s <= QUERIES_A_TABLE_AND_S_MAX * TABLES
        for table in copying.tables:
            put_all(copying.client, table, [review(1)])
        wait_until(
            lambda: all(copying.database.query(f"SELECT COUNT(*) FROM {table}") == [(1,)] for table in copying.tables),
            WAIT_S, every_s=0.2, what="the writes of all tables",
        )  # fmt: skip
