"""Counts of the work on one table in this process, for status, metrics and page."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class ProcessCounts:
    """The counts of one moment. `applied`: changes by (kind, origin). `last_doubt`: why an image was not understood."""

    applied: Mapping[tuple[str, str], int] = field(default_factory=dict)
    links_paid: int = 0
    links_refused: int = 0
    rechecked: int = 0
    parked: int = 0
    in_extra: int = 0
    not_understood: int = 0
    last_doubt: str = ""


class Counters:
    """ProcessCounts that the table's thread and the threads that settle links raise. One lock, so that none is lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = ProcessCounts()

    def now(self) -> ProcessCounts:
        """The counts of this moment."""
        return self._counts

    def add_applied(self, changes: Mapping[tuple[str, str], int], *, parked: int = 0, in_extra: int = 0) -> None:
        """Count applied changes by (kind, origin), parked items and rows with values in extra."""
        with self._lock:
            known = self._counts
            applied = dict(known.applied)
            for which, count in changes.items():
                applied[which] = applied.get(which, 0) + count
            self._counts = replace(
                known, applied=applied, parked=known.parked + parked, in_extra=known.in_extra + in_extra
            )

    def add_links(self, *, paid: int = 0, refused: int = 0) -> None:
        """Count links that are settled, and links that DynamoDB refused for good."""
        with self._lock:
            known = self._counts
            self._counts = replace(
                known, links_paid=known.links_paid + paid, links_refused=known.links_refused + refused
            )

    def add_rechecked(self, count: int) -> None:
        """Count keys that a consistent read has settled."""
        with self._lock:
            self._counts = replace(self._counts, rechecked=self._counts.rechecked + count)

    def doubt(self, count: int, why: str) -> None:
        """Count records and images that are not understood; their items are read again. `why` holds no values."""
        with self._lock:
            self._counts = replace(self._counts, not_understood=self._counts.not_understood + count, last_doubt=why)
