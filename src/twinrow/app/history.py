"""What a table was like during the last hour, in bounded memory, and how fast it goes now."""

from __future__ import annotations

import math
from array import array
from collections import deque
from typing import Any

from twinrow.app.status import TableStatus

HISTORY_S = 3600
SAMPLE_S = 5
SAMPLES_MAX = HISTORY_S // SAMPLE_S
RATE_WINDOW_S = 5.0
"""Counts reach MySQL every half second: over so long that grain no longer shows."""
KINDS = ("PUT", "DELETE")


class History:
    """Lag and changes per second of one table, a sample every SAMPLE_S, and rates over the last RATE_WINDOW_S.

    One thread adds, others may read: a reader at worst sees a sample without its newest value.
    """

    def __init__(self) -> None:
        self._at = array("d")
        # single floats: of 200 tables an hour takes 2 MB
        self._lag_s = array("f")
        self._per_s = {kind: array("f") for kind in KINDS}
        self._recent: deque[tuple[float, float, dict[str, float]]] = deque()
        self.rates: dict[str, float] = {}

    def add(self, at: float, one: TableStatus) -> None:
        """Take note of a table's status at `at` (epoch seconds)."""
        self._rate(at, one)
        lag_s = math.nan if one.lag_s is None else one.lag_s
        if self._at and at - self._at[-1] < SAMPLE_S:
            # the worst of these seconds counts; fmax takes the number where the other is not one
            self._lag_s[-1] = _fmax(self._lag_s[-1], lag_s)
            for kind, values in self._per_s.items():
                values[-1] = max(values[-1], self.rates.get(kind, 0.0))
            return
        self._at.append(at)
        self._lag_s.append(lag_s)
        for kind, values in self._per_s.items():
            values.append(self.rates.get(kind, 0.0))
        if len(self._at) > SAMPLES_MAX:
            for series in (self._at, self._lag_s, *self._per_s.values()):
                del series[0]

    def _rate(self, at: float, one: TableStatus) -> None:
        counts = _counts(one)
        since = one.counted_since or 0.0
        if self._recent and self._recent[-1][1] != since:
            self._recent.clear()
        self._recent.append((at, since, counts))
        while len(self._recent) > 2 and at - self._recent[1][0] >= RATE_WINDOW_S:
            self._recent.popleft()
        first_at, _, first = self._recent[0]
        passed = at - first_at
        self.rates = {
            name: round(max(0.0, counts[name] - first.get(name, 0.0)) / passed, 2) if passed > 0 else 0.0
            for name in counts
        }

    def document(self) -> dict[str, Any]:
        """The samples as JSON: times in epoch seconds, lag in seconds (null: unknown), changes per second by kind."""
        lag = [None if math.isnan(value) else round(value, 3) for value in self._lag_s]
        per_s = {kind: [round(value, 2) for value in values] for kind, values in self._per_s.items()}
        return {"sample_s": SAMPLE_S, "at": [round(at, 1) for at in self._at], "lag_s": lag, "per_s": per_s}


def _counts(one: TableStatus) -> dict[str, float]:
    counts = dict.fromkeys(KINDS, 0.0)
    for part in one.applied:
        counts[part.kind] = counts.get(part.kind, 0.0) + part.count
    return counts | {"links": one.links_paid, "read_units": one.read_units, "write_units": one.write_units}


def _fmax(one: float, other: float) -> float:
    if math.isnan(one):
        return other
    return one if math.isnan(other) else max(one, other)
