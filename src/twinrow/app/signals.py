"""Ctrl-C and SIGTERM: the first asks for a clean stop after the batch in hand, a second Ctrl-C ends at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from twinrow.clock import Stop

EXIT_AT_ONCE = 130
"""What shells report for a program that SIGINT ended."""


def stop_on_signals() -> Stop:
    """A Stop that SIGINT and SIGTERM set."""
    stop = Stop()

    def asked(number: int, _frame: FrameType | None) -> None:
        if stop and number == signal.SIGINT:
            os._exit(EXIT_AT_ONCE)
        stop.set()

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
