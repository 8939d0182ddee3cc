"""Numbers for Prometheus and answers for health checks, all made from the one `Status`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import twinrow
from twinrow.app.observe.standing import STOPPED, TABLE_GONE
from twinrow.app.observe.status import Status, TableStatus
from twinrow.app.observe.troubles import WAITS
from twinrow.app.observe.watch import LastStatus, StatusSource
from twinrow.app.serve.listen import Listening, parse_address
from twinrow.clock import Stop
from twinrow.state.tables import Phase

STALE_S_MAX = 10.0
"""A lag that is older is left out: a hole in the graph is honest, a flat line at the last known 0 is not."""

DIFFERENCES = ("missing", "extra", "different", "unlinked", "unsettled")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number of every table; tables in which it is unknown have no sample."""

    name: str
    what: str
    of: Callable[[TableStatus], float | None]


GAUGES = (
    Gauge("rows", "Rows in MySQL, as the last writing transaction left them.", lambda table: table.rows),
    Gauge("items", "Items in DynamoDB by its own count, which it renews every six hours.", lambda table: table.items),
    Gauge("backlog", "Changes known to wait, where that can be known.", lambda table: table.backlog),
    Gauge("unlinked", "Pending links, with those that DynamoDB refuses.", lambda table: table.unlinked),
    Gauge("links_refused", "Items that DynamoDB refuses to link, for good.", lambda table: table.links_refused),
    Gauge("rechecks", "Keys of which the truth has to be read again.", lambda table: table.rechecks),
    Gauge("dead_letters", "Items that no row can hold.", lambda table: table.dead_letters),
    Gauge(
        "not_taken", "Rows that MySQL does not take for a reason that is not their content; tried again.",
        lambda table: table.not_taken,
    ),
    Gauge(
        "put_off", "Attributes of which rows show a rounded value or NULL until their column is there.",
        lambda table: len(table.put_off),
    ),
    Gauge("mixed", "Columns of which many values are NULL for being of another type.", lambda table: len(table.mixed)),
    Gauge("gaps_open", "Spans in which changes may have been missed, not mended yet.", lambda table: table.gaps),
    Gauge(
        "gap_fill_windows", "Exports that fill the open gaps and are not read yet; no sample: exports fill none.",
        lambda table: table.gap_fill.windows - table.gap_fill.windows_read if table.gap_fill else None,
    ),
    Gauge(
        "gap_fill_dollars", "About what these exports cost; no sample: exports fill no gap.",
        lambda table: table.gap_fill.dollars if table.gap_fill else None,
    ),
    Gauge(
        "retention_left_seconds", "Time before changes that were not read yet are trimmed.",
        lambda table: table.retention_left_s,
    ),
    Gauge("snapshot_share", "How much of the first copy is done, 0 to 1.", lambda table: table.snapshot_share),
    Gauge("reconcile_share", "Done part of the running reconcile, 0 to 1.", lambda table: table.reconcile_share),
    Gauge("running", "Whether a sync holds the table.", lambda table: table.running),
    Gauge(
        "waits", "Whether a sync waits for DynamoDB or MySQL, and takes the table again by itself.",
        lambda table: bool(table.waits),
    ),
    Gauge(
        "in_step", "Whether nothing is known that keeps the copy from equalling its table; no sample: not known.",
        lambda table: table.in_step,
    ),
    Gauge(
        "as_of_timestamp_seconds", "When the last sync ended in good order; no sample while a sync runs.",
        lambda table: table.as_of,
    ),
    Gauge("read_timestamp_seconds", "When the table was last read.", lambda table: table.read_at),
    Gauge(
        "caught_up_timestamp_seconds", "When nothing was left to read, the last time.",
        lambda table: table.caught_up_at,
    ),
    Gauge("reconciled_timestamp_seconds", "When the last reconcile was through.", lambda table: table.reconciled_at),
    Gauge(
        "verified_timestamp_seconds", "When the last verify was through.",
        lambda table: table.verified["at"] if table.verified else None,
    ),
    Gauge(
        "last_event_timestamp_seconds", "When the last event came from AWS Lambda (capture events).",
        lambda table: table.last_event_at,
    ),
    Gauge(
        "last_scheduled_timestamp_seconds", "When the last scheduled run of AWS Lambda came (capture events).",
        lambda table: table.last_scheduled_at,
    ),
    Gauge(
        "verified_differences", "What the last verify found missing, extra, different, unlinked or unsettled.",
        lambda table: sum(table.verified.get(kind, 0) for kind in DIFFERENCES) if table.verified else None,
    ),
)  # fmt: skip
LAG = Gauge(
    "lag_seconds", "Age of the oldest change seen and not committed yet, 0 when none is; no sample: not known.",
    lambda table: table.lag_s,
)  # fmt: skip


class StatusCollector(Collector):
    """Makes every metric from the latest status, at each scrape."""

    def __init__(self, source: StatusSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """All metric families."""
        seen = self._source.latest()
        return families(seen, seen.now)


def families(seen: LastStatus, at: float) -> Iterator[Metric]:
    """The metrics of a status at the moment `at`; without a status only those of the process itself."""
    yield InfoMetricFamily("twinrow_build", "The Twinrow that answers.", {"version": twinrow.__version__})
    yield GaugeMetricFamily("twinrow_mysql_readable", "Whether the status could be read just now.", not seen.trouble)
    yield GaugeMetricFamily(
        "twinrow_config_taken", "0 while the files of the configuration are not those in force.", not seen.config
    )
    status = seen.status or Status(at, ())
    yield GaugeMetricFamily("twinrow_status_timestamp_seconds", "When the status was read.", status.at)
    for gauge in GAUGES:
        yield _gauge(gauge, status)
    yield _gauge(LAG, Status(at, tuple(table for table in status.tables if _is_of_now(table, status, at))))
    yield from _entities(status)
    yield _phases(status)
    yield _skews(status)
    yield from _counters(status)
    yield from _capacity(status)


def _is_of_now(table: TableStatus, status: Status, at: float) -> bool:
    """Whether what the status says of a table's lag is not older than STALE_S_MAX."""
    return at - (table.as_of or status.at) <= STALE_S_MAX and at - status.at <= STALE_S_MAX


def _gauge(gauge: Gauge, status: Status) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"twinrow_{gauge.name}", gauge.what, labels=("table",))
    for table in status.tables:
        value = gauge.of(table)
        if value is not None:
            family.add_metric((table.table,), float(value))
    return family


def _entities(status: Status) -> Iterator[Metric]:
    """The rows of the entities of splits; without a split there is no such metric."""
    if not any(table.entities for table in status.tables):
        return
    labels = ("table", "entity")
    rows = GaugeMetricFamily("twinrow_entity_rows", 'Rows of an entity of a split, "" for its rest.', labels=labels)
    moved = CounterMetricFamily("twinrow_entity_moves", "Rows that came to an entity from another.", labels=labels)
    unmatched = GaugeMetricFamily(
        "twinrow_unmatched_items", "Items that match no entity of a split; growing: a new kind of item has appeared.",
        labels=("table",),
    )  # fmt: skip
    for table in status.tables:
        for entity in table.entities:
            rows.add_metric((table.table, entity.name), float(entity.rows))
            moved.add_metric((table.table, entity.name), float(entity.moved))
        if table.unmatched is not None:
            unmatched.add_metric((table.table,), float(table.unmatched))
    yield from (rows, moved, unmatched)


def _phases(status: Status) -> GaugeMetricFamily:
    family = GaugeMetricFamily("twinrow_phase", "1 for the phase that a table is in.", labels=("table", "phase"))
    for table in status.tables:
        for phase in (*get_args(Phase), STOPPED):
            family.add_metric((table.table, phase), float(table.phase == phase))
    return family


def _skews(status: Status) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "twinrow_clock_skew_seconds",
        "By how much the clock of the host that syncs is ahead of a server's, behind where negative.",
        labels=("table", "server"),
    )
    for table in status.tables:
        for server, skew_s in (("dynamodb", table.dynamodb_skew_s), ("mysql", table.mysql_skew_s)):
            if skew_s is not None:
                family.add_metric((table.table, server), skew_s)
    return family


def _counters(status: Status) -> Iterator[Metric]:
    applied = CounterMetricFamily(
        "twinrow_changes_applied", "Changes that became rows since the sync began.", labels=("table", "kind", "origin")
    )
    paid = CounterMetricFamily("twinrow_links_paid", "Ids written into items since the sync began.", labels=("table",))
    extra = CounterMetricFamily(
        "twinrow_rows_in_extra",
        "Rows written of which some value stands exactly only in _twinrow_extra, since the sync began.",
        labels=("table",),
    )
    odd = CounterMetricFamily(
        "twinrow_not_understood",
        "Stream records and images not understood, so that their items were read again, since the sync began.",
        labels=("table",),
    )
    units = CounterMetricFamily(
        "twinrow_capacity_units", "Capacity units consumed since the sync began.", labels=("table", "kind")
    )
    for table in status.tables:
        for part in table.applied:
            applied.add_metric((table.table, part.kind, part.origin), part.count)
        if table.counted_since is not None:
            paid.add_metric((table.table,), table.links_paid)
            extra.add_metric((table.table,), table.in_extra)
            odd.add_metric((table.table,), table.not_understood)
            units.add_metric((table.table, "read"), table.read_units)
            units.add_metric((table.table, "write"), table.write_units)
    yield from (applied, paid, extra, odd, units)


def _capacity(status: Status) -> Iterator[Metric]:
    most = GaugeMetricFamily(
        "twinrow_capacity_units_max", "Budget in units per second; no sample: no bound.", labels=("table", "kind")
    )
    share = GaugeMetricFamily(
        "twinrow_capacity_share", "Share of the budget in force; below 1 DynamoDB throttles.", labels=("table", "kind")
    )
    for table in status.tables:
        if table.counted_since is None:
            continue
        for kind, bound in (("read", table.read_units_max), ("write", table.write_units_max)):
            if bound is not None:
                most.add_metric((table.table, kind), bound)
        share.add_metric((table.table, "read"), table.read_share)
        share.add_metric((table.table, "write"), table.write_share)
    yield from (most, share)


def not_ready(seen: LastStatus) -> str:
    """Why this process does not do its work now; empty when it does."""
    if seen.trouble:
        return seen.trouble
    if seen.status is None:
        return "the status has not been read yet"
    reasons = [why for table in seen.status.tables if (why := _not_copied(table))]
    return "\n".join(reasons + [f"{table} ended: {why}" for table, why in seen.ended.items()])


def _not_copied(table: TableStatus) -> str:
    if table.phase == "BROKEN":
        return f"{table.table} is BROKEN: {table.reason}"
    if table.waits:
        return f"{table.table}: {WAITS}: {table.waits}"
    if table.phase == STOPPED:
        return f"{table.table} is STOPPED: no sync is running" + (f": {table.reason}" if table.reason else "")
    if table.phase == TABLE_GONE:
        return ""  # this process has no work left there
    if table.reason and table.lag_s is None:
        return f"{table.table}: {table.reason}"
    return (
        f"{table.table}: the sync has not reported lately how the copy stands"
        if table.running and not table.known
        else ""
    )


def health_routes(source: StatusSource, *, reasons: bool) -> list[Route]:
    """/metrics, /healthz (the process lives) and /readyz (503 when it cannot do its work).

    `reasons`: /readyz says why. A reason may name tables and keys: others than this machine's users are not shown it.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(source))

    def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    def readyz(_request: Request) -> Response:
        why = not_ready(source.latest())
        shown = why if reasons else "not ready: `twinrow status` says why"
        return PlainTextResponse(f"{shown if why else 'ready'}\n", status_code=503 if why else 200)

    get = partial(Route, methods=["GET"])
    return [get("/metrics", metrics), get("/healthz", healthz), get("/readyz", readyz)]


def serve_metrics(address: str, source: StatusSource) -> Listening:
    """Answer Prometheus and health checks on `address`, and nothing else. Raises TwinrowError, ConfigError."""
    place = parse_address(address)
    return Listening(Starlette(routes=health_routes(source, reasons=place.loopback)), place, "metrics", Stop())
