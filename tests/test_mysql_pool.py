"""The sessions that tables share: bounded, lent to one at a time, never lent again when they may have ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.waiting import wait_until

from twinrow import clock, mysql_pool
from twinrow.errors import ServerState
from twinrow.mysql_pool import Pool

IDLE_S = 8.0


@dataclass(eq=False)
class Fake:
    """A session of no server."""

    in_transaction: bool = False
    used_at: float = field(default_factory=clock.monotonic)
    open: bool = True

    def close(self) -> None:
        self.open = False


def pool_of(sessions_max: int) -> tuple[Pool[Fake], list[Fake]]:
    made: list[Fake] = []

    def connect() -> Fake:
        made.append(Fake())
        return made[-1]

    return Pool(connect, sessions_max, IDLE_S), made


def test_a_session_given_back_is_lent_again() -> None:
    pool, made = pool_of(4)
    session = pool.take()
    pool.give(session)
    with pool.lent() as again:
        assert again is session
    assert len(made) == 1


@pytest.mark.parametrize("state", ["ended", "in a transaction", "rested long"])
def test_a_session_that_may_not_be_used_is_not_lent_again(state: str) -> None:
    pool, _ = pool_of(4)
    session = pool.take()
    session.open = state != "ended"
    session.in_transaction = state == "in a transaction"
    session.used_at -= IDLE_S if state == "rested long" else 0
    pool.give(session)
    assert not session.open
    assert pool.take() is not session


def test_who_holds_a_session_long_leaves_some_for_brief_use() -> None:
    """A table that holds a session waits for the threads that settle its links, and they need sessions, too."""
    pool, _ = pool_of(4)
    held = [pool.take() for _ in range(3)]
    with pool.lent() as brief:
        assert brief not in held


def test_a_session_that_does_not_come_free_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_pool, "WAIT_S_MAX", 0.01)
    pool, _ = pool_of(4)
    for _ in range(3):
        pool.take()
    with pytest.raises(ServerState, match="none of the 4 MySQL sessions"):
        pool.take()


def test_who_waits_is_seen_and_gets_the_next_session() -> None:
    pool, _ = pool_of(2)
    held = pool.take()
    got: list[Fake] = []
    waiter = threading.Thread(target=lambda: got.append(pool.take()), daemon=True)
    waiter.start()
    wait_until(lambda: pool.is_wanted, what="the waiter is seen")
    pool.give(held)
    waiter.join(10)
    assert got == [held]
    assert not pool.is_wanted


def test_a_server_that_refuses_a_session_leaves_the_place_free() -> None:
    def refuse() -> Fake:
        raise ServerState("too many connections")

    pool: Pool[Fake] = Pool(refuse, 2, IDLE_S)
    for _ in range(3):
        with pytest.raises(ServerState, match="too many"):
            pool.take()
        with pytest.raises(ServerState, match="too many"), pool.lent():
            pass


@given(st.lists(st.tuples(st.sampled_from(["take", "give", "lend", "end", "rest"]), st.integers(0, 9)), max_size=60))
def test_never_more_sessions_than_allowed_and_none_lent_twice(steps: list[tuple[str, int]]) -> None:
    pool, made = pool_of(8)
    held: list[Fake] = []
    for what, which in steps:
        if what == "take" and len(held) < 7:
            session = pool.take()
            assert session.open
            assert session not in held
            held.append(session)
        elif what == "give" and held:
            pool.give(held.pop(which % len(held)))
        elif what == "end" and held:
            held[which % len(held)].open = False
        elif what == "rest" and held:
            held[which % len(held)].used_at -= IDLE_S
        elif what == "lend":
            with pool.lent() as session:
                assert session.open
                assert session not in held
        assert sum(session.open for session in made) <= 8
    pool.close()
    assert {id(session) for session in made if session.open} <= {id(session) for session in held}
