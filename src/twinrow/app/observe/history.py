"""The state of a table during the last hour, in bounded memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

from twinrow.app.observe.status import TableStatus

HISTORY_S = 3600
SAMPLE_S = 5
SAMPLES_MAX = HISTORY_S // SAMPLE_S


class History:
    """Lag and changes per second of one table, a sample every SAMPLE_S.

    A single thread adds, others may read: a reader at worst sees a sample without its newest value.
    """

    def __init__(self) -> None:
        self._at = array("d")
        # single floats: of 200 tables an hour takes 2 MB
        self._lag_s = array("f")
        self._per_s = {"PUT": array("f"), "DELETE": array("f")}

    def add(self, at: float, status: TableStatus) -> None:
        """Take note of a table's status at `at` (epoch seconds)."""
        # the lag as of the end of the last sync is no lag of now
        lag_s = math.nan if status.as_of is not None else _number(status.lag_s)
        per_s = {"PUT": _number(status.puts_per_s), "DELETE": _number(status.deletes_per_s)}
        if self._at and at - self._at[-1] < SAMPLE_S:
            # the worst of these seconds counts; fmax takes the number where the other value is none
            self._lag_s[-1] = _fmax(self._lag_s[-1], lag_s)
            for kind, values in self._per_s.items():
                values[-1] = _fmax(values[-1], per_s[kind])
            return
        self._append(at, lag_s, per_s)

    def _append(self, at: float, lag_s: float, per_s: Mapping[str, float]) -> None:
        self._at.append(at)
        self._lag_s.append(lag_s)
        for kind, values in self._per_s.items():
            values.append(per_s[kind])
        if len(self._at) > SAMPLES_MAX:
            for series in (self._at, self._lag_s, *self._per_s.values()):
                del series[0]

    def skip(self, at: float) -> None:
        """Take note that the status could not be read at `at`: unknown until it can, at once where a sample is due."""
        if self._at and at - self._at[-1] >= SAMPLE_S:
            self._append(at, math.nan, dict.fromkeys(self._per_s, math.nan))

    def document(self) -> dict[str, Any]:
        """The samples as JSON: times in epoch seconds, lag in seconds, changes per second by kind; null is unknown."""
        per_s = {kind: _known(values, 2) for kind, values in self._per_s.items()}
        at = [round(at, 1) for at in self._at]
        return {"sample_s": SAMPLE_S, "at": at, "lag_s": _known(self._lag_s, 3), "per_s": per_s}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _known(values: array[float], digits: int) -> list[float | None]:
    return [None if math.isnan(value) else round(value, digits) for value in values]


def _fmax(value: float, other: float) -> float:
    if math.isnan(value):
        return other
    return value if math.isnan(other) else max(value, other)
