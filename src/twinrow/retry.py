"""How long to wait before a try is repeated."""

from __future__ import annotations

import random

BACK_OFF_S_MIN = 0.05
BACK_OFF_S_MAX = 10.0


def back_off_s(attempt: int, longest_s: float = BACK_OFF_S_MAX) -> float:
    """Seconds to wait before try number `attempt` (from 1): doubling, with jitter, at most `longest_s`."""
    return float(min(longest_s, BACK_OFF_S_MIN * 2 ** min(attempt, 16)) * random.uniform(0.5, 1.0))  # noqa: S311
