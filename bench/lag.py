"""Lag: from PutItem's answer to the row that another MySQL session sees, while a `twinrow sync` follows."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from bench.ground import CREDENTIALS, ROOT, Ground, NotEqual, ground
from bench.results import Figure
from bench.reviews import TABLE, create, put, review
from bench.scale import Scale

P50_S_MAX: Final = 0.25
P99_S_MAX: Final = 1.0
JUDGED_RATE: Final = 200
"""The targets are for 200 writes a second."""
WARM_ITEMS: Final = 2_000
"""Copied before the clock runs: DynamoDB Local is a JVM, and its first thousand calls take several times as long."""
READY_S_MAX: Final = 30.0
LATE_S_MAX: Final = 60.0
LOOK_S: Final = 0.004
WRITERS: Final = 8


def lags(scale: Scale) -> list[Figure]:
    """p50 and p99 at each rate, for the pending index and for the stream."""
    found = []
    for capture in ("pending-index", "stream"):
        for rate in scale.lag_rates:
            with ground() as here:
                seen = _measure(here, capture, rate, scale.lag_s)
            cuts = statistics.quantiles(seen, n=100)
            judged = rate == JUDGED_RATE
            for name, value, limit in (("p50", cuts[49], P50_S_MAX), ("p99", cuts[98], P99_S_MAX)):
                found.append(
                    Figure(
                        "lag", f"{capture}, {rate} writes/s: {name}", value * 1000, "ms", "", None, None,
                        f"under {limit * 1000:g} ms" if judged else "", value < limit if judged else None,
                    )
                )  # fmt: skip
    return found


def _measure(here: Ground, capture: str, rate: int, seconds: float) -> list[float]:
    create(here.client, index=capture == "pending-index", stream=capture == "stream")
    put(here.dynamodb.port, range(WARM_ITEMS), marked=capture == "pending-index")
    config = here.config(capture)
    with (here.folder / "sync.txt").open("wb") as output:
        sync = subprocess.Popen(
            [sys.executable, "-m", "twinrow", "-c", str(config), "sync"], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, **CREDENTIALS},
        )  # fmt: skip
        try:
            watch = _Watch(here)
            watch.until(WARM_ITEMS, READY_S_MAX, here.folder / "sync.txt")
            _nothing_owed(here)
            count = int(rate * seconds)
            written = _write(here, capture, rate, count)
            watch.until(WARM_ITEMS + count, LATE_S_MAX, here.folder / "sync.txt")
            watch.close()
        finally:
            sync.send_signal(signal.SIGTERM)
            sync.wait(LATE_S_MAX)
    here.verify(config, WARM_ITEMS + count)
    return [watch.seen_at[number] - at for number, at in written.items()]


def _nothing_owed(here: Ground) -> None:
    """Wait until the marks of what was copied before are cleared: while many are owed, the index is not asked."""
    until = time.monotonic() + READY_S_MAX
    while here.query("SELECT 1 FROM _twinrow_link LIMIT 1"):
        if time.monotonic() > until:
            raise NotEqual("marks are still to be cleared")
        time.sleep(LOOK_S)


class _Watch:
    """Notes when each row first shows to a session of its own."""

    def __init__(self, here: Ground) -> None:
        self.seen_at: dict[int, float] = {}
        self._here = here
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        connection, last = self._here.connect(), 0
        cursor = connection.cursor()
        while not self._over.wait(LOOK_S):
            if not last and not self._exists(cursor):
                continue
            cursor.execute(f"SELECT row_id, visits FROM {TABLE} WHERE row_id > %s", (last,))
            at = time.perf_counter()
            for row_id, number in cursor.fetchall():
                last = max(last, row_id)
                self.seen_at.setdefault(int(number), at)
        connection.close()

    @staticmethod
    def _exists(cursor: object) -> bool:
        return bool(cursor.execute(f"SHOW TABLES LIKE '{TABLE}'"))  # type: ignore[attr-defined]

    def until(self, count: int, seconds: float, output: Path) -> None:
        """Wait until so many rows were seen. Raises NotEqual after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.seen_at) < count:
            if time.monotonic() > until:
                raise NotEqual(f"{len(self.seen_at)} of {count} rows came: {output.read_text(errors='replace')[-500:]}")
            self._over.wait(LOOK_S)

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()


def _write(here: Ground, capture: str, rate: int, count: int) -> dict[int, float]:
    """PutItem at a steady rate from a few threads; when each was answered."""
    written: dict[int, float] = {}
    begin = time.perf_counter()

    def work(mine: int) -> None:
        for step in range(mine, count, WRITERS):
            wait_s = begin + step / rate - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            number = WARM_ITEMS + step
            here.client.put_item(TableName=TABLE, Item=review(number, marked=capture == "pending-index"))
            written[number] = time.perf_counter()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return written
