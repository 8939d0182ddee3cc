"""Time, and waiting that a stop request ends at once.

The rule: a moment is compared on one clock only, and each clock has its use.

- A duration, or the order of two events in this process: `monotonic`, or `boot_time` where the time that the machine
  sleeps must count.
- A moment that is compared with DynamoDB's times (records, rounds over an index, the begin of a scan): the clock of
  DynamoDB, `DynamoDB.clock`. It is learned from the `Date` header of the answers.
- A moment that is stored, or compared between processes: the clock of MySQL, `Connection.now`.
- A moment that is only shown to people: `wall`. Nothing is ever decided by it.

A stored moment that is ahead of its clock (`is_ahead`) was set by a clock that was wrong. It counts as unknown.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

from twinrow.errors import Transient

AHEAD_S_MAX = 5.0
"""Two readings of a server's clock differ by less: the grain of its times, and the time that an answer takes."""
SKEW_S_MAX = 30.0
"""A larger error of the host's clock is reported: AWS refuses requests when the clock is minutes off."""
DATE_GRAIN_S = 1.0
"""The `Date` header of HTTP has whole seconds, cut."""


def wall() -> float:
    """Seconds since the epoch by this machine's clock; for people only."""
    return time.time()


def monotonic() -> float:
    """Seconds that never jump; only differences mean something."""
    return time.monotonic()


def boot_time() -> float:
    """As `monotonic`, but it runs on while the machine sleeps, where the system has such a clock.

    CLOCK_MONOTONIC stands still in a suspended machine: who wakes would take a lease for held that ran out long ago.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def is_ahead(moment: float, now: float) -> bool:
    """Whether a stored moment lies ahead of the clock that it was read from, so that it tells nothing."""
    return moment > now + AHEAD_S_MAX


class ServerClock:
    """The clock of a server: the own `boot_time` and an offset, learned from what the server says and kept as a span.

    Each answer says that the server's time was between two moments while the request was under way, so each answer
    makes the span smaller. A reading that contradicts is believed once `confirmations` of them in a row agree: a
    single odd header must not move the clock. `name` is how the server is called in the error for a clock that is not
    known.
    """

    def __init__(self, name: str, confirmations: int = 1) -> None:
        self._name = name
        self._confirmations = confirmations
        self._lock = threading.Lock()
        self._span: tuple[float, float] | None = None
        self._other: tuple[float, float] | None = None
        self._others = 0
        self.noted_at = float("-inf")

    @property
    def is_known(self) -> bool:
        """Whether the server has sent its time yet."""
        return self._span is not None

    def note(self, earliest: float, latest: float, sent: float, received: float) -> None:
        """The server's time was between two epoch seconds at some moment between two of `boot_time`."""
        span = earliest - received, latest - sent
        with self._lock:
            self.noted_at = received
            both = _both(self._span, span) if self._span is not None else span
            if both is not None:
                self._span, self._other, self._others = both, None, 0
                return
            agreed = _both(self._other, span) if self._other is not None else None
            self._others = self._others + 1 if agreed is not None else 1
            self._other = agreed or span
            if self._others >= self._confirmations:
                self._span, self._other, self._others = self._other, None, 0

    def now(self, at: float | None = None) -> float:
        """The server's time at a moment of `boot_time` (None: now) in epoch seconds, as good as it is known.

        Raises Transient when the server has not sent its time.
        """
        low, high = self._known()
        return (boot_time() if at is None else at) + (low + high) / 2

    def latest(self, at: float | None = None) -> float:
        """The same, but the server's time was certainly not later. Raises Transient."""
        return (boot_time() if at is None else at) + self._known()[1]

    def skew_s(self) -> float | None:
        """By how much this machine's clock is ahead of the server's, behind where negative; None when not known.

        0 where both may be equal.
        """
        if self._span is None:
            return None
        offset = wall() - boot_time()
        low, high = self._span
        return min(0.0, offset - low) if offset < low else max(0.0, offset - high)

    def _known(self) -> tuple[float, float]:
        if self._span is None:
            raise Transient(
                f"{self._name} has not sent its time", where="clock",
                remedy="a proxy on the way to it must pass on the Date header of its answers",
            )  # fmt: skip
        return self._span


def _both(first: tuple[float, float], other: tuple[float, float]) -> tuple[float, float] | None:
    """The span in which two spans agree, or None."""
    low, high = max(first[0], other[0]), min(first[1], other[1])
    return (low, high) if low <= high else None


class Stop:
    """The request to stop, seen by all threads; waits end early when it comes.

    A stop `within` another is also set by that other: a table may end by itself, and ends with its process.
    """

    def __init__(self, within: Stop | None = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._inner: weakref.WeakSet[Stop] = weakref.WeakSet()
        self._heard: list[Callable[[], None]] = []
        if within is not None:
            within._take(self)

    def set(self) -> None:
        """Ask every thread to stop after the batch in hand."""
        with self._lock:
            self._event.set()
            inner, heard = list(self._inner), list(self._heard)
        for stop in inner:
            stop.set()
        for hear in heard:
            hear()

    def tells(self, hear: Callable[[], None]) -> None:
        """Call `hear` when the stop comes, at once where it has come."""
        with self._lock:
            self._heard.append(hear)
            is_set = self._event.is_set()
        if is_set:
            hear()

    def _take(self, inner: Stop) -> None:
        with self._lock:
            self._inner.add(inner)
            is_set = self._event.is_set()
        if is_set:
            inner.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait `seconds` or until the stop; True when stopping."""
        return self._event.wait(max(0.0, seconds))
