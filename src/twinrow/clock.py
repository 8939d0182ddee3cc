"""Time, and waiting that a stop request ends at once."""

from __future__ import annotations

import threading
import time

CATCH_UP_SHARE = 0.5
"""How fast `now` goes while the system's clock, set back, is behind it."""


class _Clock:
    """The system's clock, but never going back: set back by an hour it would hold up everything due for that long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = 0.0
        self._at = time.monotonic()

    def now(self) -> float:
        with self._lock:
            at = time.monotonic()
            slow = self._told + (at - self._at) * CATCH_UP_SHARE
            self._told, self._at = max(time.time(), slow), at
            return self._told


_clock = _Clock()


def now() -> float:
    """Seconds since the epoch; may jump forward with the system's clock, never back."""
    return _clock.now()


def monotonic() -> float:
    """Seconds that never jump; only differences mean something."""
    return time.monotonic()


def boot_time() -> float:
    """As `monotonic`, but it runs on while the machine sleeps, where the system has such a clock.

    CLOCK_MONOTONIC stands still in a suspended machine: who wakes would take a lease for held that ran out long ago.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Stop:
    """One request to stop, seen by all threads; waits end early when it comes."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask every thread to stop after the batch in hand."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait `seconds` or until the stop; True when stopping."""
        return self._event.wait(max(0.0, seconds))
