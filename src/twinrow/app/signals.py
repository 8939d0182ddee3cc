"""Ctrl-C and SIGTERM: the first asks for a clean stop after the batch in hand, a second Ctrl-C later ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from twinrow import clock
from twinrow.clock import Stop

AGAIN_AFTER_S = 0.5
"""A terminal and `timeout` may both pass one Ctrl-C on; no person presses it twice within so short a time."""
EXIT_AT_ONCE = 130
"""What shells report for a program that SIGINT ended."""


def stop_on_signals() -> Stop:
    """A Stop that SIGINT and SIGTERM set.

    By a thread: a handler runs between any two steps of the main thread, also where that holds the lock that setting
    needs, in a wait or in the handler of the signal before. `SimpleQueue.put` may be called there (Python, queue).
    """
    stop = Stop()
    asked_at = 0.0
    signals: SimpleQueue[int] = SimpleQueue()

    def passed_on() -> None:
        signals.get()
        stop.set()

    threading.Thread(target=passed_on, name="signals", daemon=True).start()

    def asked(number: int, _frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at and number == signal.SIGINT and clock.monotonic() - asked_at > AGAIN_AFTER_S:
            os._exit(EXIT_AT_ONCE)
        asked_at = asked_at or clock.monotonic()
        signals.put(number)

    signal.signal(signal.SIGINT, asked)
    signal.signal(signal.SIGTERM, asked)
    return stop


@contextmanager
def asking() -> Iterator[None]:
    """While a person is asked something: one Ctrl-C is the answer that ends the command, not a stop to wait for."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
