"""Time, and waiting that a stop request ends at once."""

from __future__ import annotations

import threading
import time


def now() -> float:
    """Seconds since the epoch, by the system's clock (may jump)."""
    return time.time()


def monotonic() -> float:
    """Seconds that never jump; only differences mean something."""
    return time.monotonic()


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
