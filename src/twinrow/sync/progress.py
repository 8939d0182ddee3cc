"""Progress of a copy in this process, reported for status, metrics and page."""

from __future__ import annotations

from collections import deque

from twinrow import clock
from twinrow.state.counted import AppliedCount, Counted, Rates
from twinrow.table.context import TableContext

RATE_WINDOW_S = 5.0


class Teller:
    """The counters and budgets of a copy that began at `since` (MySQL's clock), and how fast they rise."""

    def __init__(self, context: TableContext, since: float) -> None:
        self._context = context
        self.since = since
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque()

    def counted(self, reconcile_rows: int | None = None) -> Counted:
        """The counts of this moment; rates look back to the first call in the last RATE_WINDOW_S.

        `reconcile_rows`: what a reconcile under way has met.
        """
        context = self._context
        counts, read, write = context.counters.now(), context.table.read_budget, context.table.write_budget
        applied = sorted(counts.applied.items())
        puts, deletes = (sum(count for (kind, _), count in applied if kind == which) for which in ("PUT", "DELETE"))
        return Counted(
            since=self.since,
            applied=tuple(AppliedCount(kind, origin, count) for (kind, origin), count in applied),
            links_paid=counts.links_paid,
            links_refused=counts.links_refused,
            rechecked=counts.rechecked,
            parked=counts.parked,
            in_extra=counts.in_extra,
            not_understood=counts.not_understood,
            last_doubt=counts.last_doubt,
            read_units=round(read.used, 1),
            read_units_max=read.units_per_s,
            read_share=round(read.share, 3),
            write_units=round(write.used, 1),
            write_units_max=write.units_per_s,
            write_share=round(write.share, 3),
            reconcile_rows=reconcile_rows,
            dynamodb_skew_s=context.table.dynamodb.clock.skew_s(),
            mysql_skew_s=context.table.mysql.clock.skew_s(),
            rates=self._rates((puts, deletes, counts.links_paid, read.used, write.used)),
        )

    def _rates(self, totals: tuple[float, ...]) -> Rates:
        """How fast these rise, in the order of the fields of Rates."""
        at, samples = clock.monotonic(), self._samples
        samples.append((at, totals))
        while len(samples) > 2 and at - samples[1][0] >= RATE_WINDOW_S:
            samples.popleft()
        first_at, first = samples[0]
        if at <= first_at:
            return Rates()
        return Rates(*(round((now - then) / (at - first_at), 2) for now, then in zip(totals, first, strict=True)))
