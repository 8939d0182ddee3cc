"""What a copy in this process tells about itself, for status, metrics and page."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from twinrow import clock
from twinrow.state.counted import Applied, Counted, Rates
from twinrow.sync.copy import Copy

RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """Counts at a moment (monotonic seconds)."""

    at: float
    puts: int
    deletes: int
    links: int
    read_units: float
    write_units: float


class Teller:
    """The counters and budgets of a copy that began at `since` (epoch seconds), and how fast they rise."""

    def __init__(self, copy: Copy, since: float) -> None:
        self._copy = copy
        self._since = since
        self._samples: deque[_Sample] = deque()

    def counted(self) -> Counted:
        """The counts of this moment; rates look back to the first call in the last RATE_WINDOW_S."""
        copy = self._copy
        counters, read, write = copy.counters, copy.read_budget, copy.write_budget
        # dict() takes the counts in one step, while the writing thread goes on adding
        applied = sorted(dict(counters.applied).items())
        puts, deletes = (sum(count for (kind, _), count in applied if kind == which) for which in ("PUT", "DELETE"))
        now = _Sample(clock.monotonic(), puts, deletes, counters.links_paid, read.used, write.used)
        return Counted(
            since=self._since,
            applied=tuple(Applied(kind, origin, count) for (kind, origin), count in applied),
            links_paid=counters.links_paid,
            links_refused=counters.links_refused,
            rechecked=counters.rechecked,
            parked=counters.parked,
            in_extra=counters.in_extra,
            read_units=round(read.used, 1),
            read_units_max=read.units_per_s,
            read_share=round(read.share, 3),
            write_units=round(write.used, 1),
            write_units_max=write.units_per_s,
            write_share=round(write.share, 3),
            rates=self._rates(now),
        )

    def _rates(self, now: _Sample) -> Rates:
        samples = self._samples
        samples.append(now)
        while len(samples) > 2 and now.at - samples[1].at >= RATE_WINDOW_S:
            samples.popleft()
        first = samples[0]
        passed = now.at - first.at
        if passed <= 0:
            return Rates()

        def rate(more: float) -> float:
            return round(more / passed, 2)

        return Rates(
            puts_per_s=rate(now.puts - first.puts),
            deletes_per_s=rate(now.deletes - first.deletes),
            links_per_s=rate(now.links - first.links),
            read_units_per_s=rate(now.read_units - first.read_units),
            write_units_per_s=rate(now.write_units - first.write_units),
        )
