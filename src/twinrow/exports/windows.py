"""Which windows of incremental exports hold the changes that a source has lost.

All times are epoch seconds. Those of a loss are on the source's clock, those of a window on the clock of exports, which
may differ from it by CLOCK_MARGIN_S (DynamoDB Developer Guide, "Requesting a table export"). Three mistakes look right
and are none of them: a window that starts earlier than the loss, two windows that overlap, and windows applied in
another order. An item that was written before the loss and deleted in it has no line in a window that starts before it
was written, so its row would stay; hence `recheck_since`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CLOCK_MARGIN_S = 60
"""Application clocks and the clock of exports differ by at most so much (DynamoDB Developer Guide)."""
RECORD_GRAIN_S = 1
"""Times of stream records are cut to a second."""
WINDOW_S_MIN = 900
WINDOW_S_MAX = 86_400
"""An incremental export covers 15 minutes to 24 hours (DynamoDB Developer Guide, "Service quotas")."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Changes that a source did not deliver.

    `from_at`: every change before it was applied, on each part of the source (the least of all parts). `to_at`: every
    change from then on is applied or will be (the latest of all parts). `applied_to`: when the loss was noticed, no
    change after this moment had been applied. It counts because a window that ends earlier would put an older image
    over a newer row of a part that lost nothing.
    """

    from_at: float
    to_at: float
    applied_to: float


@dataclass(frozen=True, slots=True)
class Window:
    """An incremental export's period: `from_at` is in it, `to_at` is not."""

    from_at: int
    to_at: int

    @property
    def askable_at(self) -> float:
        """When its end is certainly in the past for DynamoDB, which refuses a window that ends in the future."""
        return float(self.to_at + CLOCK_MARGIN_S)


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Contiguous windows, to be applied in this order.

    `recheck_since`: rows that the source wrote at this moment (its clock) or later, and before the loss was noticed,
    must be read consistently; None where the first window starts exactly where the copy stands.
    """

    windows: tuple[Window, ...]
    recheck_since: float | None

    @property
    def from_at(self) -> int:
        """The start of the first window."""
        return self.windows[0].from_at

    @property
    def to_at(self) -> int:
        """The end of the last window."""
        return self.windows[-1].to_at

    @property
    def askable_at(self) -> float:
        """When the last window may be asked for."""
        return self.windows[-1].askable_at


def plan_of_loss(loss: Loss) -> WindowPlan:
    """Windows that hold every lost change, on any clock within the margin. Raises ValueError: it ends before it begins.

    They start a margin early and end a margin late; what starts early must be rechecked, what ends late does no harm.
    """
    if max(loss.to_at, loss.applied_to) < loss.from_at:
        raise ValueError("a loss ends before it begins")
    start = math.floor(loss.from_at) - CLOCK_MARGIN_S
    end = math.ceil(max(loss.to_at, loss.applied_to)) + RECORD_GRAIN_S + CLOCK_MARGIN_S
    return WindowPlan(_cut(start, end), float(start - CLOCK_MARGIN_S - RECORD_GRAIN_S))


def plan_after_export(export_at: int, to_at: float) -> WindowPlan:
    """Windows from the moment of a full export (or the end of a window) up to `to_at` (the source's clock).

    Both moments of the start are on the clock of exports, so the first window starts exactly there: nothing is read
    twice, and nothing needs a recheck.
    """
    end = max(math.ceil(to_at) + RECORD_GRAIN_S + CLOCK_MARGIN_S, export_at)
    return WindowPlan(_cut(export_at, end), None)


def next_window(from_at: int, now: float, every_s: float) -> Window | None:
    """The next window of a table that is followed by exports alone; None while it cannot be asked for yet.

    It ends at the latest moment that is certainly past. After a long stop it is the first of several equal parts.
    """
    end = math.floor(now) - CLOCK_MARGIN_S
    if end - from_at < max(every_s, WINDOW_S_MIN):
        return None
    return _cut(from_at, end)[0]


def _cut(start: int, end: int) -> tuple[Window, ...]:
    """Equal contiguous parts of at most WINDOW_S_MAX; a short period gets a later end, never an earlier start."""
    length = max(end - start, WINDOW_S_MIN)
    parts = math.ceil(length / WINDOW_S_MAX)
    bounds = [start + length * part // parts for part in range(parts + 1)]
    return tuple(Window(bounds[part], bounds[part + 1]) for part in range(parts))


def why_not_covered(plan: WindowPlan, earliest_at: float | None) -> str:
    """Why exports cannot give these windows, "" where they can.

    `earliest_at`: EarliestRestorableDateTime of DescribeContinuousBackups; None where point-in-time recovery is off.
    The period of recovery is set per table and may be a day, so no number of days is taken for granted.
    """
    if earliest_at is None:
        return "point-in-time recovery is off"
    if earliest_at > plan.from_at:
        return f"point-in-time recovery reaches back {round(earliest_at - plan.from_at)} s less than the loss"
    return ""
