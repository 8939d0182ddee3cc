"""Measures of what comes after the first copy: a backlog in a stream, and passes over a table that grows."""

from __future__ import annotations

from typing import Final

from bench.copying import CPU_US_MAX
from bench.ground import Ground, ground, until
from bench.inside import Pass, once
from bench.results import Figure
from bench.reviews import create, drop, put
from bench.scale import Scale
from bench.yardsticks import bare_links_s

BACKLOG_RATE_MIN: Final = 5_000.0
FOLLOW_CPU_US_MAX: Final = 25.0
LINKED_RATIO_MIN: Final = 0.8
NEW_ITEMS: Final = 10
INCREMENT_SPREAD_MAX: Final = 1.2
TRIES: Final = 3
MEMORY_MB_MAX: Final = 200.0
MEMORY_GROWTH_MAX: Final = 1.2
MB: Final = 1_000_000


def backlog(scale: Scale) -> list[Figure]:
    """A backlog in a stream, worked off by a `twinrow sync` without links, and with, beside bare statements."""
    rate, cpu, _ = _worked_off(scale.backlog_records, link=False)
    linked_rate, _, bare_rate = _worked_off(scale.linked_backlog_records, link=True)
    without = f"backlog of {scale.backlog_records:,} records, without links"
    linked = f"backlog of {scale.linked_backlog_records:,} records, with links"
    ratio = linked_rate / bare_rate
    return [
        Figure(
            "follow", without, rate, "changes/s", "", None, None, f"at least {BACKLOG_RATE_MIN:g}/s",
            rate >= BACKLOG_RATE_MIN,
        ),
        Figure(
            "follow", "client CPU a change", cpu, "µs", "", None, None, f"at most {FOLLOW_CPU_US_MAX:g} µs",
            cpu <= FOLLOW_CPU_US_MAX,
        ),
        Figure(
            "follow", linked, linked_rate, "changes/s", "bare link statements", bare_rate, ratio,
            f"at least {LINKED_RATIO_MIN:g}", ratio >= LINKED_RATIO_MIN,
        ),
    ]  # fmt: skip


def _worked_off(records: int, *, link: bool) -> tuple[float, float, float]:
    """Changes a second from the start of the process until all are rows (and linked), µs of CPU a change, and links a
    second of bare statements for the same items on the same server."""
    bare_rate = 0.0
    with ground() as here:
        if link:  # whoever links first on a DynamoDB Local pays for its JVM, up to half of the time
            create(here.client)
            put(here.dynamodb.port, range(records))
            bare_links_s(here, records, marked=False)
            drop(here.client)
        create(here.client, stream=True)
        config = here.config("stream", link=link)
        here.twinrow(config, "sync", "--once")
        put(here.dynamodb.port, range(records))
        ran = until(here, config, lambda: _is_through(here, records))
        here.verify(config, records)
        if link:
            # With other ids than the copy's, so last; each is a write that the stream records, as it was before.
            bare_rate = records / bare_links_s(here, records, marked=False)
    return records / ran.wall_s, ran.cpu_s / records * 1e6, bare_rate


def _is_through(here: Ground, records: int) -> bool:
    """Whether all are rows, and nothing is owed or suspected."""
    rows = here.query("SELECT row_count FROM _twinrow_lease")[0][0]
    return bool(rows == records) and not here.query("SELECT 1 FROM _twinrow_link UNION SELECT 1 FROM _twinrow_recheck")


def growing(scale: Scale) -> list[Figure]:
    """One table that grows: what a pass of ten new items costs, and the memory of a first copy and of verify."""
    best: dict[int, Pass] = {}
    most: dict[tuple[str, int], float] = {}
    cpu_us: dict[str, float] = {}
    with ground() as here:
        create(here.client, index=True)
        config, done = here.config("pending-index"), 0
        for items in scale.increments:
            put(here.dynamodb.port, range(done, items))
            done = items
            here.empty()
            ran = here.twinrow(config, "sync", "--once")
            most["sync", items] = ran.rss_bytes_max / MB
            cpu_us["snapshot"] = ran.cpu_s / items * 1e6
            for _ in range(TRIES):
                put(here.dynamodb.port, range(done, done + NEW_ITEMS), marked=True)
                done += NEW_ITEMS
                took = once(here, "pending-index", link=False)
                if items not in best or took.seconds < best[items].seconds:
                    best[items] = took
            ran = here.verify(config, done)
            most["verify", items] = ran.rss_bytes_max / MB
            cpu_us["verify"] = ran.cpu_s / items * 1e6
    small, large = scale.increments[0], scale.increments[-1]
    return [
        _compared("seconds", "s", small, large, best[small].seconds, best[large].seconds, INCREMENT_SPREAD_MAX),
        _compared("requests", "requests", small, large, best[small].requests, best[large].requests, 1.0),
        _compared(
            "units read and written", "units", small, large, best[small].read_units + best[small].write_units,
            best[large].read_units + best[large].write_units, 1.0,
        ),
        *(_memory(name, scale.increments[-2], large, most) for name in ("sync", "verify")),
        *(
            Figure(name, f"{large:,} items: client CPU an item", us, "µs", "", None, None, f"at most {CPU_US_MAX:g} µs",
                   us <= CPU_US_MAX)
            for name, us in cpu_us.items()
        ),
    ]  # fmt: skip


def _memory(name: str, small: int, large: int, most: dict[tuple[str, int], float]) -> Figure:
    growth = most[name, large] / most[name, small]
    return Figure(
        "memory", f"{name}, {large:,} items: the largest process", most[name, large], "MB", f"{small:,} items",
        most[name, small], growth, f"under {MEMORY_MB_MAX:g} MB, flat",
        most[name, large] < MEMORY_MB_MAX and growth < MEMORY_GROWTH_MAX,
    )  # fmt: skip


def _compared(what: str, unit: str, small: int, large: int, few: float, many: float, ratio_max: float) -> Figure:
    ratio = many / few if few else 0.0
    return Figure(
        "increment", f"{NEW_ITEMS} new items among {large:,}: {what}", many, unit, f"among {small:,}", few, ratio,
        f"within {ratio_max - 1:.0%}" if ratio_max > 1 else "equal", ratio <= ratio_max,
    )  # fmt: skip
