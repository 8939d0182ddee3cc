"""Takes the pictures of the page for README and docs: `make screenshots`, into docs/images.

The state is made up, written into a MySQL of its own, and shown by the page as it is; only the hour that the plots show
is told to the page instead of waited for.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from tests.app.page.conftest import CHROMIUM_FLAGS, Served, new_shown, serving
from tests.fixtures.shown import Shown
from tests.fixtures.waiting import wait_until

from twinrow.app.observe.history import SAMPLE_S, SAMPLES_MAX, History
from twinrow.clock import Stop
from twinrow.local_servers.servers import MySQLServer
from twinrow.state.counted import Rates

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SEED = 7
ROWS = 1_284_530
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PIXELS_A_POINT = 2
COUNT_EVERY_S = 0.5
SETTLE_MS = 2500
"""Until the page has heard of the writer here."""


def fill(shown: Shown) -> None:
    """Five tables as a team may have them: most in step, one in its first copy, one that needs somebody."""
    shown.add(["reviews"], "pending-index", rows=ROWS)
    shown.add(["orders", "sessions", "products", "price-history"], rows=48_211)
    live(shown, 0.0)
    shown.change("reviews", retention_left_s=None, items=ROWS + 12)
    shown.owe("reviews", 8)
    shown.verify("reviews", items=ROWS, rows=ROWS)
    shown.count("orders", applied={("PUT", "SCAN"): 48_000, ("PUT", "STREAM"): 2211, ("DELETE", "STREAM"): 14})
    shown.gap("orders", mended=True)
    shown.verify("orders", items=48_225, rows=48_211, dead_letters=14)
    shown.park("orders", 14)
    shown.change("sessions", phase="SNAPSHOT", snapshot_done_at=None, items=90_000, caught_up_at=0)
    shown.count("sessions", applied={("PUT", "SCAN"): 48_211}, read_units_max=500.0)


def live(shown: Shown, passed_s: float) -> None:
    """What the sync of the reviews has counted after so many seconds."""
    applied = {
        ("PUT", "SCAN"): 1_201_877,
        ("PUT", "PENDING"): 214_350 + int(23 * passed_s),
        ("PUT", "RECHECK"): 903,
        ("DELETE", "RECHECK"): 61 + int(1.4 * passed_s),
    }
    shown.count(
        "reviews",
        applied=applied,
        links_paid=1_284_522 + int(23 * passed_s),
        read_units=1_812_400.0 + 312 * passed_s,
        read_units_max=1000.0,
        write_units=1_290_010.0 + 46 * passed_s,
        write_units_max=400.0,
        rates=Rates(
            puts_per_s=23.0, deletes_per_s=1.4, links_per_s=23.0, read_units_per_s=312.0, write_units_per_s=46.0
        ),
    )
    shown.change("reviews", read_at=time.time(), caught_up_at=time.time(), oldest_at=time.time() - 0.4)


def follow(shown: Shown, stop: Stop) -> None:
    """Go on counting until `stop`."""
    began = time.monotonic()
    while not stop.wait(COUNT_EVERY_S):
        live(shown, time.monotonic() - began)


def hour_of(served: Served, table: str, puts_per_s: float, deletes_per_s: float) -> History:
    """What the last hour was like: changes that come in waves, and a minute of catching up."""
    wait_until(lambda: lag_s_of(served, table) < 1, what="a status without the lag of the start")
    status = served.shown.status()
    (one,) = [found for found in status.tables if found.table == table]
    history, made_up = History(), random.Random(SEED)  # noqa: S311 - a picture, no secret
    for step in range(SAMPLES_MAX):
        at = status.at - (SAMPLES_MAX - step) * SAMPLE_S
        wave = 1.2 + math.sin(step / 90) + 0.4 * made_up.random()
        burst = 6.0 * math.exp(-((step - 430) ** 2) / 260)
        lag_s = max(0.0, 0.25 + 0.35 * made_up.random() + 0.5 * burst + 0.1 * wave)
        busy = wave + burst
        history.add(at, replace(one, lag_s=lag_s, puts_per_s=puts_per_s * busy, deletes_per_s=deletes_per_s * busy))
    return history


def lag_s_of(served: Served, table: str) -> float:
    """The lag that the page would show now."""
    status = served.source.latest().status
    (one,) = [found for found in (status.tables if status else ()) if found.table == table]
    return one.lag_s or 0.0


@contextmanager
def tab(
    browser: Browser, served: Served, table: str, *, pixels_a_point: int = PIXELS_A_POINT, **options: Any
) -> Iterator[Page]:
    """A tab that shows a table, with everything there is."""
    with browser.new_context(device_scale_factor=pixels_a_point, **options) as context:
        page = context.new_page()
        page.goto(f"{served.url}#/table/{table}" if table else served.url)
        if table:
            page.locator("#columns tr").first.wait_for()
            page.locator("#lag-plot path.line").first.wait_for()
            page.wait_for_timeout(SETTLE_MS)
        else:
            page.locator("#table-rows li").first.wait_for()
        yield page


def take(browser: Browser, served: Served) -> None:
    """All pictures."""
    for scheme in ("light", "dark"):
        with tab(browser, served, "reviews", color_scheme=scheme, viewport=DESK) as page:
            page.screenshot(path=IMAGES / f"page-{scheme}.png")
        with tab(browser, served, "reviews", color_scheme=scheme, viewport=PHONE, is_mobile=True) as page:
            page.screenshot(path=IMAGES / f"page-phone-{scheme}.png")
    with tab(browser, served, "orders", pixels_a_point=1, color_scheme="light", viewport=DESK) as page:
        page.locator("#letter-rows button").first.wait_for()
        page.screenshot(path=IMAGES / "page-trouble.png", full_page=True)
    with tab(browser, served, "", color_scheme="light", viewport=PHONE, is_mobile=True) as page:
        page.screenshot(path=IMAGES / "page-phone-list.png")


def main() -> int:
    """Write the pictures; 1 without a browser."""
    program = shutil.which("chromium")
    if program is None:
        print("error: there is no chromium; run `make servers`", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with MySQLServer.start("mysql", password="shown") as server, new_shown(server) as shown:  # noqa: S106 - made up
        fill(shown)
        with serving(shown) as served, sync_playwright() as playwright:
            wait_until(lambda: served.source.latest().status is not None, what="a first status")
            stop = Stop()
            writer = threading.Thread(target=follow, args=(shown, stop))
            writer.start()
            reviews = hour_of(served, "reviews", 11.0, 0.8)
            orders = hour_of(served, "orders", 3.0, 0.2)
            served.source.histories.update(reviews=reviews, orders=orders)
            browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
            try:
                take(browser, served)
            finally:
                browser.close()
                stop.set()
                writer.join()
    print(f"pictures in {IMAGES.relative_to(Path.cwd())}, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
