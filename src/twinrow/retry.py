"""Trying again: back-off that grows to a bound, visible to whoever watches, ended by a stop."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from twinrow.clock import Stop
from twinrow.errors import Transient

BACK_OFF_S_MIN = 0.05
BACK_OFF_S_MAX = 10.0

Result = TypeVar("Result")


def back_off_s(attempt: int, longest_s: float = BACK_OFF_S_MAX) -> float:
    """Seconds to wait before try number `attempt` (from 1): doubling, with jitter, at most `longest_s`."""
    return float(min(longest_s, BACK_OFF_S_MIN * 2 ** min(attempt, 16)) * random.uniform(0.5, 1.0))  # noqa: S311


class Stopped(Exception):
    """The stop request came while waiting to try again."""


def until_it_works(
    work: Callable[[], Result], *, stop: Stop, waiting: Callable[[Transient], None], works: Callable[[], None]
) -> Result:
    """Run `work` until it gives a result; a Transient is told to `waiting` and tried again for as long as it takes.

    Raises Stopped when the stop comes first; every other error passes through.
    """
    attempt = 0
    while True:
        try:
            result = work()
        except Transient as trouble:
            attempt += 1
            waiting(trouble)
            if stop.wait(back_off_s(attempt)):
                raise Stopped from trouble
        else:
            if attempt:
                works()
            return result
