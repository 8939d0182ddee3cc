"""What a copy in this process tells about itself, for status, metrics and page."""

from __future__ import annotations

from twinrow.state.counted import Applied, Counted
from twinrow.sync.copy import Copy


def counted(copy: Copy, since: float) -> Counted:
    """The counters and budgets of a copy that began at `since` (epoch seconds)."""
    counters, read, write = copy.counters, copy.read_budget, copy.write_budget
    # dict() takes the counts in one step, while the writing thread goes on adding
    applied = sorted(dict(counters.applied).items())
    return Counted(
        since=since,
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
    )
