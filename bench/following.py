"""Measures of what comes after the first copy: a backlog in a stream, and a pass of ten new items."""

from __future__ import annotations

from typing import Final

from bench.ground import ground
from bench.inside import Pass, once
from bench.results import Figure
from bench.reviews import create, put
from bench.scale import Scale

BACKLOG_RATE_MIN: Final = 5_000.0
FOLLOW_CPU_US_MAX: Final = 25.0
NEW_ITEMS: Final = 10
INCREMENT_SPREAD_MAX: Final = 1.2
TRIES: Final = 3


def backlog(scale: Scale) -> list[Figure]:
    """A backlog in a stream, worked off without and with links."""
    found = []
    for link, records in ((False, scale.backlog_records), (True, scale.linked_backlog_records)):
        with ground() as here:
            create(here.client, stream=True)
            config = here.config("stream", link=link)
            here.twinrow(config, "sync", "--once")
            put(here.dynamodb.port, range(records))
            ran = here.twinrow(config, "sync", "--once")
            here.verify(config, records)
        rate, cpu = records / ran.wall_s, ran.cpu_s / records * 1e6
        name = f"backlog of {records:,} records, {'with' if link else 'without'} links"
        target = "" if link else f"at least {BACKLOG_RATE_MIN:g}/s"
        met = None if link else rate >= BACKLOG_RATE_MIN
        found.append(Figure("follow", name, rate, "changes/s", "", None, None, target, met))
        if not link:
            found.append(
                Figure(
                    "follow", "client CPU a change", cpu, "µs", "", None, None, f"at most {FOLLOW_CPU_US_MAX:g} µs",
                    cpu <= FOLLOW_CPU_US_MAX,
                )
            )  # fmt: skip
    return found


def increment(scale: Scale) -> list[Figure]:
    """Ten new items among few and among many: time, requests and capacity units of one pass."""
    best: dict[int, Pass] = {}
    with ground() as here:
        create(here.client, index=True)
        done = 0
        for items in scale.increments:
            put(here.dynamodb.port, range(done, items))
            here.empty()
            once(here, "pending-index", link=False)
            done = items
            for _ in range(TRIES):
                put(here.dynamodb.port, range(done, done + NEW_ITEMS), marked=True)
                done += NEW_ITEMS
                took = once(here, "pending-index", link=False)
                if items not in best or took.seconds < best[items].seconds:
                    best[items] = took
            here.verify(here.config("pending-index"), done)
    small, large = scale.increments[0], scale.increments[-1]
    return [
        _compared("seconds", "s", small, large, best[small].seconds, best[large].seconds, INCREMENT_SPREAD_MAX),
        _compared("requests", "requests", small, large, best[small].requests, best[large].requests, 1.0),
        _compared(
            "units read and written", "units", small, large, best[small].read_units + best[small].write_units,
            best[large].read_units + best[large].write_units, 1.0,
        ),
    ]  # fmt: skip


def _compared(what: str, unit: str, small: int, large: int, few: float, many: float, ratio_max: float) -> Figure:
    ratio = many / few if few else 0.0
    return Figure(
        "increment", f"{NEW_ITEMS} new items among {large:,}: {what}", many, unit, f"among {small:,}", few, ratio,
        f"within {ratio_max - 1:.0%}" if ratio_max > 1 else "equal", ratio <= ratio_max,
    )  # fmt: skip
