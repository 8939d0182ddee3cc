"""Measures of whole tables: start-up, snapshot, verify, links, the whole job beside dlt, memory."""

from __future__ import annotations

import sys
from typing import Final

from bench import yardsticks
from bench.ground import DATABASE, Ground, NotEqual, Run, ground, run
from bench.results import Figure
from bench.reviews import TABLE, create, put
from bench.scale import Scale

SNAPSHOT_SHARE_MIN: Final = 0.6
CPU_US_MAX: Final = 15.0
LINK_SHARE_MIN: Final = 0.8
PEER_TIMES_MIN: Final = 7.0
STATUS_S_MAX: Final = 0.5
MEMORY_MB_MAX: Final = 200.0
MEMORY_GROWTH_MAX: Final = 1.2
MB: Final = 1_000_000
MICROSECONDS: Final = 1_000_000


def start_up(scale: Scale) -> list[Figure]:
    """How long `twinrow status` takes, all of it."""
    del scale
    with ground() as here:
        create(here.client)
        put(here.dynamodb.port, range(100))
        config = here.config("scan")
        here.twinrow(config, "sync", "--once")
        here.twinrow(config, "status")
        took = min(here.twinrow(config, "status").wall_s for _ in range(3))
        here.verify(config, 100)
    return [
        Figure("start", "`twinrow status`", took, "s", "", None, None, f"under {STATUS_S_MAX} s", took < STATUS_S_MAX)
    ]


def _filled(here: Ground, items: int, *, index: bool = False, marked: bool = False) -> None:
    create(here.client, index=index)
    put(here.dynamodb.port, range(items), marked=marked)


def _cpu_us(ran: Run, items: int) -> float:
    return ran.cpu_s / items * MICROSECONDS


def snapshot(scale: Scale) -> list[Figure]:
    """`twinrow sync --once` of a table without links, beside the raw scan, LOAD DATA and boto3's scan."""
    items = scale.copy_items
    with ground() as here:
        _filled(here, items)
        raw_s = min(yardsticks.raw_scan_s(here, items) for _ in range(2))
        config = here.config("scan")
        ran = here.twinrow(config, "sync", "--once")
        load_s = yardsticks.load_data_s(here)
        boto = yardsticks.boto_scan(here)
        here.verify(config, items)
    rate, raw_rate, load_rate = items / ran.wall_s, items / raw_s, items / load_s
    cpu, boto_cpu = _cpu_us(ran, items), _cpu_us(boto, items)
    share = rate / raw_rate
    return [
        Figure(
            "snapshot", f"{items:,} items", rate, "items/s", "raw parallel scan", raw_rate, share,
            f"at least {SNAPSHOT_SHARE_MIN}", share >= SNAPSHOT_SHARE_MIN,
        ),
        Figure(
            "snapshot", f"{items:,} items", rate, "items/s", "LOAD DATA of a ready-made file", load_rate,
            rate / load_rate,
        ),
        Figure(
            "snapshot", "client CPU an item", cpu, "µs", "boto3 scan alone", boto_cpu, cpu / boto_cpu,
            f"at most {CPU_US_MAX:g} µs", cpu <= CPU_US_MAX,
        ),
    ]  # fmt: skip


def verify(scale: Scale) -> list[Figure]:
    """`twinrow verify` of an equal copy."""
    items = scale.copy_items
    with ground() as here:
        _filled(here, items)
        config = here.config("scan")
        here.twinrow(config, "sync", "--once")
        raw_s = min(yardsticks.raw_scan_s(here, items) for _ in range(2))
        boto = yardsticks.boto_scan(here)
        ran = here.verify(config, items)
    rate, raw_rate, cpu, boto_cpu = items / ran.wall_s, items / raw_s, _cpu_us(ran, items), _cpu_us(boto, items)
    return [
        Figure("verify", f"{items:,} items", rate, "items/s", "raw parallel scan", raw_rate, rate / raw_rate),
        Figure(
            "verify", "client CPU an item", cpu, "µs", "boto3 scan alone", boto_cpu, cpu / boto_cpu,
            f"at most {CPU_US_MAX:g} µs", cpu <= CPU_US_MAX,
        ),
    ]  # fmt: skip


def links(scale: Scale) -> list[Figure]:
    """A first copy with links, beside bare batches of the same link statements."""
    items = scale.link_items
    with ground() as here:
        _filled(here, items, index=True, marked=True)
        bare_s = yardsticks.bare_links_s(here, items)
        here.client.delete_table(TableName=TABLE)
        here.client.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        _filled(here, items, index=True, marked=True)
        config = here.config("pending-index", link=True)
        ran = here.twinrow(config, "sync", "--once")
        here.verify(config, items)
    rate, bare_rate = items / ran.wall_s, items / bare_s
    share = rate / bare_rate
    return [
        Figure(
            "links", f"copy and link {items:,} items", rate, "items/s", "bare link batches", bare_rate, share,
            f"at least {LINK_SHARE_MIN}", share >= LINK_SHARE_MIN,
        )
    ]  # fmt: skip


def whole_job(scale: Scale) -> list[Figure]:
    """The whole job beside dlt, on the same tables."""
    items = scale.copy_items
    with ground() as here:
        _filled(here, items)
        config = here.config("scan")
        ran = here.twinrow(config, "sync", "--once")
        here.verify(config, items)
        with here.connect() as connection:
            connection.cursor().execute("CREATE DATABASE peer")
        other = run(
            [
                sys.executable, "-m", "bench.peer", here.dynamodb.endpoint_url, here.mysql.url("peer"),
                str(here.folder / "dlt"),
            ],
            here.folder,
        )  # fmt: skip
        if other.code:
            raise NotEqual(f"dlt failed: {other.stdout[-500:]}")
        copied = here.query(f"SELECT COUNT(*) FROM peer.{TABLE}")[0][0]
        if copied != items:
            raise NotEqual(f"dlt copied {copied} of {items} items into {DATABASE}'s neighbour")
    times = other.wall_s / ran.wall_s
    return [
        Figure(
            "whole job", f"{items:,} items", items / ran.wall_s, "items/s", "dlt", items / other.wall_s, times,
            f"at least {PEER_TIMES_MIN:g} times", times >= PEER_TIMES_MIN,
        )
    ]  # fmt: skip


def memory(scale: Scale) -> list[Figure]:
    """The largest process of sync and of verify, on a small and a large table."""
    small, large = scale.memory_items[0], scale.memory_items[-1]
    most: dict[tuple[str, int], float] = {}
    with ground() as here:
        create(here.client)
        done = 0
        for items in (small, large):
            put(here.dynamodb.port, range(done, items))
            done = items
            here.empty()
            config = here.config("scan")
            most["sync", items] = here.twinrow(config, "sync", "--once").rss_bytes_max / MB
            most["verify", items] = here.verify(config, items).rss_bytes_max / MB
    return [
        Figure(
            "memory", f"{name}, {large:,} items", most[name, large], "MB", f"{small:,} items", most[name, small],
            most[name, large] / most[name, small], f"under {MEMORY_MB_MAX:g} MB, flat",
            most[name, large] < MEMORY_MB_MAX and most[name, large] / most[name, small] < MEMORY_GROWTH_MAX,
        )
        for name in ("sync", "verify")
    ]  # fmt: skip
