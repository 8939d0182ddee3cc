"""What a process notes of its table is not taken any more once another holds the lease."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import Database

from twinrow.config import mysql_config
from twinrow.errors import Broken
from twinrow.kinds.pending_index.poll import Poll
from twinrow.mysql import Connection, MySQL
from twinrow.state import lease, meta, tables
from twinrow.state.lease import Lease

TABLE = "reviews"
LEASE_S = 60.0


def taken_over(session: Connection, table: str) -> Lease:
    """The lease, won by a successor because the heartbeat of the holder before has stopped."""
    session.execute("UPDATE _twinrow_heartbeat SET deadline = '2000-01-01' WHERE table_name = %s", (table,))
    won = lease.acquire(session, table, "successor", LEASE_S)
    assert won is not None
    return won


def test_a_note_under_a_lost_lease_changes_nothing(database: Database) -> None:
    session = MySQL(mysql_config(database.url, "test", {})).connect()
    meta.install(session)
    tables.register(session, TABLE, TABLE, "arn", "{}", "{}", 1.0)
    first = lease.acquire(session, TABLE, "first", LEASE_S)
    assert first is not None
    tables.note(session, first, phase="LIVE", reason="of the first")
    second = taken_over(session, TABLE)

    tables.note(session, first, phase="BROKEN", reason="from the grave", ended_at=2.0)

    found = tables.load(session, TABLE)
    assert found is not None
    assert (found.phase, found.reason, found.ended_at) == ("LIVE", "of the first", None)
    tables.note(session, second, reason="of the second")
    found = tables.load(session, TABLE)
    assert found is not None
    assert found.reason == "of the second"
    session.close()


def test_a_lease_won_for_a_run_ends_what_is_known_of_the_last_one(database: Database) -> None:
    """From that very moment: a killed run may have noted a second ago that all is well."""
    session = MySQL(mysql_config(database.url, "test", {})).connect()
    meta.install(session)
    tables.register(session, TABLE, TABLE, "arn", "{}", "{}", 1.0)
    tables.update(session, TABLE, ended_at=5.0)
    assert lease.acquire(session, TABLE, "a command", 0.001) is not None
    found = tables.load(session, TABLE)
    assert found is not None
    assert (found.begun_at, found.ended_at) == (None, 5.0)
    session.execute("UPDATE _twinrow_heartbeat SET deadline = '2000-01-01'")
    assert lease.acquire(session, TABLE, "a run", LEASE_S, for_run=True) is not None
    found = tables.load(session, TABLE)
    assert found is not None
    assert found.ended_at is None
    assert found.begun_at is not None
    session.close()


def test_a_process_that_breaks_after_its_lease_was_taken_leaves_its_successor_alone(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying(reconcile_every="1h")
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    session = MySQL(mysql_config(copying.database.url, "test", {})).connect()

    def breaks(_self: Poll) -> bool:
        tables.note(session, taken_over(session, copying.table), phase="LIVE", reason="of the successor")
        raise Broken("broken too late")

    monkeypatch.setattr(Poll, "step", breaks)
    (outcome,) = copying.once().outcomes.values()

    assert isinstance(outcome.error, Broken)
    assert copying.database.query("SELECT phase, reason FROM _twinrow_table") == [("LIVE", "of the successor")]
    session.close()
