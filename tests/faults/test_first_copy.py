"""A first copy killed at any page, again and again: it goes on from there, brings each page once, and ends equal."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from tests.conftest import MakeCopying, Tell
from tests.fixtures.copying import Copying, Process, Wire, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import lease_runs_out, readers_of, seeded
from tests.fixtures.waiting import wait_until

POINTS = ("before-transaction", "after-lock", "after-rows", "before-commit", "after-commit")
SCAN_POINT = "after-scan-page"
"""Where readers are processes they pass it, each from its start on, and would never get further."""
LINK_POINTS = ("before-link-call", "after-link-call", "before-link-paid", "after-link-paid")
PUTTERS = 4
READERS_KILLED_SHARE = 0.5
PROCESS_S_MAX = 600.0


@dataclass(frozen=True)
class Size:
    """How large the table is, how often its copy is killed, and after how many passings of a point at most."""

    items: int
    text: str
    segments: int
    kills: int
    pages_max: int


SHORT = Size(items=480, text="long " * 4000, segments=2, kills=3, pages_max=3)
"""Few items, but so long that there are a dozen pages, and more commits than `pages_max`."""
LONG = Size(items=100_000, text="a review of some length, as they are " * 6, segments=24, kills=12, pages_max=8)


def fill(copying: Copying, size: Size) -> None:
    items: list[Wire] = [review(n, text={"S": size.text}) for n in range(size.items)]
    with ThreadPoolExecutor(PUTTERS) as pool:
        for _ in pool.map(lambda first: put_all(copying.client, copying.table, items[first::PUTTERS]), range(PUTTERS)):
            continue


def rows_of(copying: Copying) -> int:
    if not copying.database.query("SHOW TABLES LIKE %s", copying.table):
        return 0
    return int(copying.database.query(f"SELECT COUNT(*) FROM `{copying.table}`")[0][0])


def kill_a_reader(table: str, process: Process, chance: random.Random) -> None:
    """Kill one of the reading processes as soon as there are some, if the one that has started them lives so long."""
    wait_until(lambda: readers_of(table) or process.popen.poll() is not None, PROCESS_S_MAX, what="a reader")
    for pid in chance.sample(found := readers_of(table), min(1, len(found))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def killed_again_and_again(copying: Copying, size: Size, points: tuple[str, ...], name: str) -> int:
    """How many kills were met; whatever a killed run has committed stays."""
    chance, met, rows = seeded(name), 0, 0
    for _ in range(size.kills):
        point, nth = chance.choice(points), chance.randint(2, size.pages_max)
        process = copying.process(environment={"TWINROW_FAIL_POINT": f"{point}:{nth}"})
        if (copying.workers or 1) > 1 and chance.random() < READERS_KILLED_SHARE:
            kill_a_reader(copying.table, process, chance)
        code, output = process.ended(PROCESS_S_MAX)
        assert code in (-signal.SIGKILL, 0), f"{point}:{nth}: {output}"
        met += code != 0
        assert rows_of(copying) >= rows, f"{point}:{nth} has lost rows"
        rows = rows_of(copying)
        lease_runs_out(copying)
    return met


def check(copying: Copying, size: Size, points: tuple[str, ...], name: str, tell: Tell) -> None:
    fill(copying, size)
    began = time.monotonic()
    met = killed_again_and_again(copying, size, points, name)
    before = rows_of(copying)
    ran = copying.once_well()
    took = time.monotonic() - began
    brought = ran.counts.applied.get(("PUT", "SCAN"), 0)
    assert brought == size.items - before, "a page was brought twice, or not at all"
    assert met > 0
    copying.assert_equal(items=size.items)
    tell(
        f"first copy, {name}: {size.items:,} items, {met} kills, {brought:,} left for the last run, {took:.0f} s, "
        "differences = 0"
    )


def unlinked(make_copying: MakeCopying, size: Size, workers: int) -> Copying:
    copying = make_copying(capture="scan", segments=size.segments)
    copying.workers = workers
    return copying


def points_of(workers: int) -> tuple[str, ...]:
    return POINTS if workers > 1 else (*POINTS, SCAN_POINT)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_page_it_brings_each_page_once(make_copying: MakeCopying, workers: int, tell: Tell) -> None:
    check(unlinked(make_copying, SHORT, workers), SHORT, points_of(workers), f"short, {workers} workers", tell)


def test_killed_at_any_page_or_link_it_ends_linked(make_copying: MakeCopying, tell: Tell) -> None:
    check(make_copying(segments=SHORT.segments), SHORT, (*points_of(1), *LINK_POINTS), "short, linked", tell)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_large_table_killed_at_any_page(
    make_copying: MakeCopying, database: Database, workers: int, tell: Tell
) -> None:
    name = f"{database.flavour}, {workers} workers"
    check(unlinked(make_copying, LONG, workers), LONG, points_of(workers), name, tell)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_large_table_killed_at_any_page_or_link_ends_linked(
    make_copying: MakeCopying, database: Database, tell: Tell
) -> None:
    points = (*points_of(1), *LINK_POINTS)
    check(make_copying(segments=LONG.segments), LONG, points, f"{database.flavour}, linked", tell)
