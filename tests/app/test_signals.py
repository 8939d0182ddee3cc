"""A stop that is asked for by a signal comes through, whatever the main thread is doing just then."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from tests.fixtures.waiting import wait_until

from twinrow.app.signals import stop_on_signals


@pytest.fixture
def handlers_back() -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_wait_is_a_stop(handlers_back: None, number: int) -> None:
    """The main thread holds the lock that setting the stop needs, as it does for a moment in each wait and each set."""
    stop = stop_on_signals()
    with stop._event._cond:  # type: ignore[attr-defined]
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert not stop
    wait_until(lambda: stop, 5, what="the stop")
