"""Columns changed on a copy of 100,000 rows beside a writer, killed in between: equal at the end, with its ids."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conftest import MakeCopying, Tell
from tests.fixtures.copying import Copying, Wire, put_all, review
from tests.fixtures.killing import lease_runs_out, seeded

ITEMS = 100_000
WRITTEN = 2_000
"""Items that the writer goes on changing."""
KILLS = 6
SECONDS_MAX = 6.0
CHANGES: list[dict[str, Any]] = [
    {"price": {"type": "VARCHAR(191)", "widen": True}},
    {"price": {"type": "DECIMAL(14,2)", "widen": True}, "at": {"type": "DATETIME(3)", "from": "epoch_ms"}},
    {"at": {"type": "DATETIME(3)", "from": "epoch_ms"}, "text": {"ignore": True}, "rating": {"column": "stars"}},
    {"zip": {"type": "MEDIUMTEXT"}},
]
"""One after the other; an override that is not in the next is taken away again, so `text` comes back by a reconcile."""


def item(number: int, turn: int = 0) -> Wire:
    code = {"S": f"z{number}"} if number % 3 else {"N": str(number)}
    return review(number, at={"N": str(1_700_000_000_000 + number)}, zip=code, turn={"N": str(turn)})


@contextmanager
def writing(copying: Copying) -> Iterator[None]:
    """An application that writes about 200 items a second."""
    over = threading.Event()

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            first = (turn * 25) % WRITTEN
            put_all(copying.client, copying.table, [item(number, turn) for number in range(first, first + 25)])
            over.wait(0.1)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ids(copying: Copying) -> dict[tuple[str, str], int]:
    return {(name, at): row_id for name, at, row_id in copying.rows("username, reviewed_at, row_id")}


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_changes_of_columns_of_a_large_copy_survive_kills(make_copying: MakeCopying, tell: Tell) -> None:
    chance = seeded("columns")
    copying = make_copying(capture="scan", reconcile_every="1h", segments=32)
    copying.lease_s = 6.0
    put_all(copying.client, copying.table, [item(number) for number in range(ITEMS)])
    copying.once_well()
    before = ids(copying)
    for columns in CHANGES:
        copying.change(columns=columns)
        began, kills = time.monotonic(), 0
        with writing(copying):
            for _ in range(KILLS):
                process = copying.process(once=False)
                time.sleep(chance.uniform(1.0, SECONDS_MAX))
                process.kill(signal.SIGKILL)
                kills += 1
                lease_runs_out(copying)
        copying.once_well()
        tell(f"{sorted(columns)}: {kills} kills, {time.monotonic() - began:.0f} s")
        assert ids(copying) == before
    copying.assert_equal(items=ITEMS)
