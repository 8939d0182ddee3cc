"""The sessions that the tables of a process share: lent for a piece of work, and bounded in number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

from twinrow import clock
from twinrow.errors import ServerState

SESSIONS_MAX: Final = 32
"""A server takes some hundred sessions from all of its users."""
BRIEF_SHARE: Final = 8
"""A session of so many is kept for brief use: who holds a session long may wait for who needs another briefly."""
WAIT_S_MAX: Final = 60.0
"""A session that does not come free in this time is a trouble that `status` should show."""


class PooledSession(Protocol):
    """The part of a session that the pool knows."""

    in_transaction: bool
    used_at: float

    @property
    def open(self) -> bool:
        """Whether it is usable, as far as this side knows."""

    def close(self) -> None:
        """End it."""


Session = TypeVar("Session", bound=PooledSession)


class Pool(Generic[Session]):
    """Sessions made by `connect`, at most `sessions_max` of them lent or kept.

    A session is lent to a single thread. The server ends it after `idle_s` without a statement, so a session that
    rested for half of that is not lent again.
    """

    def __init__(self, connect: Callable[[], Session], sessions_max: int, idle_s: float) -> None:
        self._connect = connect
        self._sessions_max = sessions_max
        self._long_max = max(1, sessions_max - max(1, sessions_max // BRIEF_SHARE))
        self._idle_s = idle_s
        self._change = threading.Condition()
        self._free: list[Session] = []
        self._long = self._brief = self._waiting = 0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a session: whoever holds a session long should give it back soon."""
        return self._waiting > 0

    def take(self) -> Session:
        """A session for long, to be given back by `give`.

        Raises ServerState when none comes free, and what `connect` raises.
        """
        with self._change:
            self._wait(lambda: self._long < self._long_max and self._lent < self._sessions_max)
            self._long += 1
        try:
            return self._rested() or self._connect()
        except BaseException:
            self._ended()
            raise

    def give(self, session: Session) -> None:
        """Take a session back: it is lent again, unless it has ended, or is within a transaction."""
        if session.in_transaction:
            session.close()
        with self._change:
            if session.open:
                self._free.append(session)
            self._long -= 1
            self._change.notify_all()
        self._end_stale()

    @contextmanager
    def lent(self) -> Iterator[Session]:
        """A session for a statement or a small transaction; meanwhile nothing else may be waited for.

        Raises as `take` does.
        """
        with self._change:
            self._wait(lambda: self._lent < self._sessions_max)
            self._brief += 1
        session: Session | None = None
        try:
            session = self._rested() or self._connect()
            yield session
        finally:
            with self._change:
                if session is not None and session.open and not session.in_transaction:
                    self._free.append(session)
                self._brief -= 1
                self._change.notify_all()
            self._end_stale()

    def stale(self, session: Session) -> bool:
        """Whether the server may have ended a session by now, because nobody had used it for too long."""
        return not session.in_transaction and clock.monotonic() - session.used_at > self._idle_s / 2

    def close(self) -> None:
        """End the sessions that nobody uses."""
        with self._change:
            free, self._free = self._free, []
        for session in free:
            session.close()

    @property
    def _lent(self) -> int:
        return self._long + self._brief

    def _wait(self, is_free: Callable[[], bool]) -> None:
        self._waiting += 1
        try:
            if not self._change.wait_for(is_free, WAIT_S_MAX):
                raise ServerState(
                    f"none of the {self._sessions_max} MySQL sessions of this process came free in {WAIT_S_MAX:g} s",
                    where="sync.mysql_connections_max", remedy="raise it, or copy fewer tables in this process",
                )  # fmt: skip
        finally:
            self._waiting -= 1

    def _ended(self) -> None:
        with self._change:
            self._long -= 1
            self._change.notify_all()

    def _rested(self) -> Session | None:
        """The session that was given back last, unless it is stale: then all others are."""
        self._end_stale()
        with self._change:
            return self._free.pop() if self._free else None

    def _end_stale(self) -> None:
        """End sessions that rest for long, and those that are more than may be kept."""
        with self._change:
            kept = [session for session in self._free if not self.stale(session)]
            room = max(0, self._sessions_max - self._lent)
            ended = [*(session for session in self._free if self.stale(session)), *kept[: max(0, len(kept) - room)]]
            self._free = kept[max(0, len(kept) - room) :]
        for session in ended:
            session.close()
