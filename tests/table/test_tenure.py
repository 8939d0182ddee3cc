"""The lease of a table, its writing session, and what a person has allowed: without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from twinrow import clock
from twinrow.dynamodb import LINK_TIMEOUT_S
from twinrow.errors import LeaseLost
from twinrow.mysql import MySQL
from twinrow.mysql_pool import Pool
from twinrow.state import lease
from twinrow.state.lease import Lease
from twinrow.table.consent import Consent
from twinrow.table.copy_state import CopyState
from twinrow.table.tenure import LEASE_MARGIN_S, Tenure

LEASE_S = 10.0
WON = Lease("reviews", 1, "here", LEASE_S, taken_over=False)


class Session:
    """In place of a connection: it knows when it was used, and whether it is open."""

    def __init__(self) -> None:
        self.open = True
        self.in_transaction = False
        self.used_at = clock.monotonic()

    def close(self) -> None:
        self.open = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        yield self


class Server:
    """In place of MySQL: it opens sessions."""

    lease_s = LEASE_S

    def __init__(self) -> None:
        self.opened: list[Session] = []
        self.pool = Pool(self._connect, 4, LEASE_S)

    def _connect(self) -> Session:
        self.opened.append(Session())
        return self.opened[-1]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move all clocks of this process on."""
    now = {"monotonic": 1000.0, "boot_time": 5000.0}
    for name in now:
        monkeypatch.setattr(clock, name, lambda name=name: now[name])

    def move(seconds: float) -> None:
        for name in now:
            now[name] += seconds

    return move


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[Lease]:
    """The leases that writing sessions bear the mark of, one after the other."""
    made: list[Lease] = []

    def claim(_session: Session, held: Lease) -> bool:
        made.append(held)
        return True

    monkeypatch.setattr(lease, "claim", claim)
    monkeypatch.setattr(lease, "disclaim", lambda _session, held: made.remove(held))
    monkeypatch.setattr(lease, "lock", lambda _tx, _held, _version: None)
    return made


def test_a_link_is_sent_and_a_row_written_only_while_the_lease_lasts(later: Callable[[float], None]) -> None:
    tenure = Tenure("reviews", cast(MySQL, Server()))
    assert not tenure.may_write()
    with pytest.raises(LeaseLost):
        _ = tenure.lease
    tenure.hold(WON, clock.boot_time())
    assert (tenure.may_call(), tenure.may_write()) == (True, True)
    later(LEASE_S - LINK_TIMEOUT_S - LEASE_MARGIN_S)
    assert (tenure.may_call(), tenure.may_write()) == (False, True)
    tenure.beaten(clock.boot_time())
    assert tenure.may_call()
    later(LEASE_S)
    assert not tenure.may_write()


def test_a_heartbeat_that_comes_after_the_lease_was_let_go_prolongs_nothing(later: Callable[[float], None]) -> None:
    tenure = Tenure("reviews", cast(MySQL, Server()))
    tenure.hold(WON, clock.boot_time())
    tenure.let_go()
    tenure.beaten(clock.boot_time())
    assert (tenure.may_call(), tenure.may_write(), tenure.held) == (False, False, None)


def test_a_session_that_the_server_may_have_ended_is_opened_anew_and_claimed(
    later: Callable[[float], None], claims: list[Lease]
) -> None:
    server = Server()
    tenure = Tenure("reviews", cast(MySQL, server))
    first: object = tenure.open_writer()
    assert not claims, "no lease is held yet"
    tenure.hold(WON, clock.boot_time())
    assert not server.opened[0].open, "a session of its own writes under a lease"
    with tenure.transaction() as tx:
        second: object = tx
    assert second is not first
    assert claims == [WON]
    later(LEASE_S / 2 - 1)
    assert tenure.open_writer() is second
    later(2)
    server.opened[1].in_transaction = True
    assert tenure.open_writer() is second, "inside a transaction it is in use"
    server.opened[1].in_transaction = False
    with tenure.transaction() as tx:
        assert tx is not second
    assert (claims, server.opened[1].open) == ([WON, WON], False)


def test_a_session_that_rests_bears_no_mark_and_serves_other_tables(claims: list[Lease]) -> None:
    server = Server()
    tenure, other = (Tenure(name, cast(MySQL, server)) for name in ("reviews", "visits"))
    tenure.hold(WON, clock.boot_time())
    with tenure.transaction():
        pass
    tenure.rest()
    assert claims == []
    assert other.open_writer() is cast(object, server.opened[0])
    assert len(server.opened) == 1


def test_a_generation_that_is_known_never_falls_but_at_the_beginning_of_a_run() -> None:
    tenure = Tenure("reviews", cast(MySQL, Server()))
    tenure.committed(5)
    tenure.committed(3)
    assert tenure.generation == 5
    tenure.began_at(4)
    assert tenure.generation == 4, "MySQL went back, and the gap is recorded"


def test_a_consent_is_good_for_one_start_and_one_pass() -> None:
    consent = Consent(frozenset({"arn"}), 200)
    consent.table_is_known(another=True)
    consent.pass_is_over()
    assert (consent.tables, consent.deletes, consent.took_table) == (frozenset(), None, True)
    consent.table_is_known(another=False)
    assert consent.took_table


def test_a_run_that_begins_takes_nothing_for_granted() -> None:
    """Another process may have put cells off, and set values apart, meanwhile."""
    state = CopyState()
    state.note_cells(owed=False)
    state.note_mixed(found=False)
    state.note_sets_apart(found=False)
    state.begin(first_copy=True, rows_unproved=True)
    assert (state.owes_cells, state.has_mixed, state.sets_apart) == (True, True, None)
    assert (state.first_copy, state.rows_unproved) == (True, True)
    state.first_copy_is_through()
    assert not state.first_copy
