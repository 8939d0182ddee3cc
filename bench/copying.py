"""Measures of whole tables: start-up, snapshot and verify, the whole job beside dlt, links."""

from __future__ import annotations

import sys
from typing import Final

from bench import peer, yardsticks
from bench.ground import Ground, Run, ground, run
from bench.results import Figure
from bench.reviews import TABLE, create, drop, put
from bench.scale import Scale
from twinrow.capture.scan import segments_for

SNAPSHOT_SHARE_MIN: Final = 0.6
CPU_US_MAX: Final = 15.0
LINK_SHARE_MIN: Final = 0.8
PEER_TIMES_MIN: Final = 7.0
STATUS_S_MAX: Final = 0.5
TRIES: Final = 3
MICROSECONDS: Final = 1_000_000


class PeerFailed(Exception):
    """The peer did not do the whole job; the message says how."""


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


def _wall_s(ran: Run) -> float:
    return ran.wall_s


def _cpu_us(ran: Run, items: int) -> float:
    return ran.cpu_s / items * MICROSECONDS


def whole_tables(scale: Scale) -> tuple[list[Figure], list[str]]:
    """One table copied without links and verified, beside the raw scan, LOAD DATA, boto3's scan and dlt's whole job.

    The second part says what was left out: a peer that is not there, or fails, takes no other figure with it.
    """
    items, other_s, left_out = scale.copy_items, None, list[str]()
    with ground() as here:
        _filled(here, items)
        config, segments = here.config("scan"), segments_for(here.table_bytes())
        raws, alikes, snapshots, verifies = list[float](), list[float](), list[Run](), list[Run]()
        for _ in range(TRIES):  # by turns, and the best of each: what else the machine does comes and goes
            raws.append(yardsticks.raw_scan_s(here, items))
            alikes.append(yardsticks.raw_scan_s(here, items, segments))
            here.empty()
            snapshots.append(here.twinrow(config, "sync", "--once"))
            verifies.append(here.verify(config, items))
        raw_s, alike_s, ran, verified = min(raws), min(alikes), min(snapshots, key=_wall_s), min(verifies, key=_wall_s)
        load_s = yardsticks.load_data_s(here)
        boto = yardsticks.boto_scan(here)
        try:
            other_s = _peer_s(here, items)
        except PeerFailed as error:
            left_out.append(f"the whole job beside dlt: {error}")
    name, boto_cpu = f"{items:,} items", _cpu_us(boto, items)
    rate, verify_rate = items / ran.wall_s, items / verified.wall_s
    found = [
        _beside_raw("snapshot", name, rate, items / raw_s, yardsticks.SEGMENTS, SNAPSHOT_SHARE_MIN),
        _beside_raw("snapshot", name, rate, items / alike_s, segments, SNAPSHOT_SHARE_MIN),
        Figure(
            "snapshot", name, rate, "items/s", "LOAD DATA of a ready-made file", items / load_s, load_s / ran.wall_s
        ),
        _cpu("snapshot", _cpu_us(ran, items), boto_cpu),
        _beside_raw("verify", name, verify_rate, items / raw_s, yardsticks.SEGMENTS),
        _beside_raw("verify", name, verify_rate, items / alike_s, segments),
        _cpu("verify", _cpu_us(verified, items), boto_cpu),
    ]  # fmt: skip
    if other_s is not None:
        times = other_s / ran.wall_s
        found.append(
            Figure(
                "whole job",
                name,
                rate,
                "items/s",
                "dlt",
                items / other_s,
                times,
                f"at least {PEER_TIMES_MIN:g} times",
                times >= PEER_TIMES_MIN,
            )
        )
    return found, left_out


def _beside_raw(
    measure: str, name: str, rate: float, raw: float, segments: int, share_min: float | None = None
) -> Figure:
    share = rate / raw
    target, met = (f"at least {share_min}", share >= share_min) if share_min is not None else ("", None)
    return Figure(measure, name, rate, "items/s", f"raw parallel scan, {segments} segments", raw, share, target, met)


def _cpu(measure: str, ours: float, boto: float) -> Figure:
    return Figure(
        measure,
        "client CPU an item",
        ours,
        "µs",
        "boto3 scan alone",
        boto,
        ours / boto,
        f"at most {CPU_US_MAX:g} µs",
        ours <= CPU_US_MAX,
    )


def _peer_s(here: Ground, items: int) -> float:
    """Seconds of the same table copied by dlt. Raises PeerFailed unless it copies all."""
    if not peer.installed():
        raise PeerFailed(f"dlt is not installed (`{peer.INSTALL}`, then `make bench`)")
    with here.connect() as connection:
        connection.cursor().execute("CREATE DATABASE peer")
    where = [here.dynamodb.endpoint_url, here.mysql.url("peer"), str(here.folder / "dlt")]
    ran = run([sys.executable, "-m", "bench.peer", *where], here.folder)
    if ran.code:
        raise PeerFailed(f"dlt failed: {ran.stdout[-500:]}")
    copied = here.query(f"SELECT COUNT(*) FROM peer.{TABLE}")[0][0]
    if copied != items:
        raise PeerFailed(f"dlt copied {copied} of {items} items")
    return ran.wall_s


def links(scale: Scale) -> list[Figure]:
    """A first copy with links, beside bare batches of the same link statements."""
    items = scale.link_items
    with ground() as here:
        _filled(here, items, index=True, marked=True)
        bare_s = yardsticks.bare_links_s(here, items)
        drop(here.client)
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
