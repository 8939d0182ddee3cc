"""The lease where it passes from one process to another: to a command that ends by itself, or to one that stands by."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, key, marked, put_all, review
from tests.fixtures.waiting import wait_until

from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient
from twinrow.mysql import Connection
from twinrow.state import lease, outbox, tables
from twinrow.state.outbox import PendingLink
from twinrow.workers.held import held


def _copied(make_copying: MakeCopying) -> tuple[Copying, Connection]:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    return copying, copying.copies(Stop())[1].connect()


@pytest.mark.parametrize("into", ["a command", "a sync that is refused"])
def test_who_takes_over_remembers_that_calls_may_still_arrive(make_copying: MakeCopying, into: str) -> None:
    """After it nobody could tell: it gives the lease back in good order."""
    copying, session = _copied(make_copying)
    outbox.owe(session, copying.table, [PendingLink(b"\1" * 16, key(review(1)), 1, b"\2" * 16, 1, None)])
    assert lease.acquire(session, copying.table, "killed", 0.1) is not None
    wait_until(lambda: lease.holder_of(session, copying.table) is None, 10, what="the lease has run out")
    if into == "a command":
        (context,), mysql = copying.copies(Stop())
        with held(context, mysql):
            pass
    else:
        copying.change(columns={"rating": {"column": "price"}})
        assert isinstance(copying.once().outcome.error, StartRefused)
    looks = session.query("SELECT late, due_at > UNIX_TIMESTAMP() + 600 FROM _twinrow_recheck")
    assert list(looks) == [(1, 1)]
    session.close()


@pytest.mark.either_server
def test_a_command_that_fails_lets_go_and_tells_who_comes_next(make_copying: MakeCopying) -> None:
    copying, session = _copied(make_copying)
    (context,), mysql = copying.copies(Stop())
    with pytest.raises(Transient), held(context, mysql):
        raise Transient("made by the test")
    assert lease.holder_of(session, copying.table) is None
    won = lease.acquire(session, copying.table, "next", 0.1)
    assert won is not None
    assert won.taken_over
    session.close()


@pytest.mark.either_server
def test_once_beside_one_that_begins_a_broken_table_anew_waits_for_it(make_copying: MakeCopying) -> None:
    copying, session = _copied(make_copying)
    holds = lease.acquire(session, copying.table, "begins", 600.0)
    assert holds is not None
    tables.update(session, copying.table, phase="BROKEN", reason="why it was broken")
    process = copying.process(once=True)
    try:
        wait_until(lambda: "stands by" in process.said(), 30, what="it stands by")
        assert "why it was broken" in process.said()
        lease.release(session, holds, settled=True)
        code, said = process.ended()
    finally:
        process.kill()
    assert code == 0, said
    assert session.query("SELECT phase, reason FROM _twinrow_table")[0] == ("LIVE", "")
    session.close()
