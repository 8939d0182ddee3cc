"""A takeover ends the session that is inside the table's transaction, and no other, though tables share sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.fixtures.databases import Database

from twinrow import clock
from twinrow.config import mysql_config
from twinrow.errors import ConnectionLost, LeaseLost
from twinrow.mysql import MySQL
from twinrow.state import lease, meta
from twinrow.table.tenure import Tenure

TABLES = ("reviews", "visits")


@pytest.fixture
def door(database: Database) -> Iterator[MySQL]:
    """A database with the leases of two tables, both free."""
    mysql = MySQL(mysql_config(database.url, "test", {}))
    with mysql.pool.lent() as session:
        meta.install(session)
        for table in TABLES:
            lease.enter(session, table)
    yield mysql
    mysql.pool.close()


def held_by(door: MySQL, table: str, holder: str) -> Tenure:
    tenure = Tenure(table, door)
    with closing(door.connect()) as session:
        won = lease.acquire(session, table, holder, door.lease_s)
    assert won is not None
    tenure.hold(won, clock.boot_time())
    return tenure


def take_over(database: Database, door: MySQL, table: str) -> None:
    database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6) WHERE table_name = %s", table)
    held_by(door, table, "successor")


def test_a_takeover_ends_the_session_in_the_tables_transaction_alone(database: Database, door: MySQL) -> None:
    reviews, visits = (held_by(door, table, "first") for table in TABLES)

    def write() -> None:
        with reviews.transaction() as tx:
            take_over(database, door, "reviews")
            tx.query("SELECT 1")

    with visits.transaction() as other:
        with pytest.raises(ConnectionLost):
            write()
        assert other.query("SELECT 1") == [(1,)]


def test_a_session_given_back_serves_another_table_and_is_not_ended_for_the_first(
    database: Database, door: MySQL
) -> None:
    reviews, visits = (held_by(door, table, "first") for table in TABLES)
    with reviews.transaction() as tx:
        first = tx.id
    reviews.rest()
    with visits.transaction() as tx:
        assert tx.id == first
        take_over(database, door, "reviews")
        assert tx.query("SELECT 1") == [(1,)]
    with pytest.raises(LeaseLost), reviews.transaction():
        pass


def test_a_table_that_rests_holds_no_session_and_may_write_again(door: MySQL) -> None:
    reviews = held_by(door, "reviews", "first")
    for _ in range(2):
        with reviews.transaction() as tx:
            assert lease.writing_session(tx, "reviews") == tx.id
        reviews.rest()
        with door.pool.lent() as session:
            assert lease.writing_session(session, "reviews") is None


def test_a_lease_let_go_leaves_no_mark_on_a_session_that_others_use(door: MySQL) -> None:
    reviews = held_by(door, "reviews", "first")
    with reviews.transaction():
        pass
    reviews.let_go()
    with door.pool.lent() as session:
        assert lease.writing_session(session, "reviews") is None


def test_a_beat_that_is_under_way_prolongs_no_lease_that_was_given_back(door: MySQL) -> None:
    reviews = held_by(door, "reviews", "first")
    won = reviews.lease
    with door.pool.lent() as session:
        lease.release(session, won, settled=False)
        assert lease.heartbeat(session, [won]) == {"reviews"}
        assert lease.holder_of(session, "reviews") is None


def test_a_heartbeat_prolongs_all_leases_that_are_held_and_names_those_that_are_lost(
    database: Database, door: MySQL
) -> None:
    reviews, visits = (held_by(door, table, "first") for table in TABLES)
    beats = [reviews.lease, visits.lease]
    take_over(database, door, "visits")
    database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6) WHERE table_name = 'reviews'")
    with door.pool.lent() as session:
        assert lease.heartbeat(session, beats) == {"visits"}
        assert lease.holder_of(session, "reviews") == "first"
        assert lease.holder_of(session, "visits") == "successor"
