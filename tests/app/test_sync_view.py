"""What a sync says while it runs: news once, how a table stands with --verbose, and how far long work is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from tests.fixtures.statuses import table_status

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.observe.status import Status, TableStatus
from twinrow.app.output import sync_view
from twinrow.app.output.progress import Bars
from twinrow.app.output.sync_view import SyncView
from twinrow.state.counted import AppliedCount
from twinrow.workers.run import TableRun

Look = Callable[[TableStatus], list[str]]


def viewed(capsys: pytest.CaptureFixture[str], *, once: bool = False, verbose: bool = False) -> Look:
    """Looks at one status after the other; what is said of each."""
    view = SyncView(Log(as_json=False, verbose=verbose), Bars("items", drawn=False), once=once)

    def look(one: TableStatus) -> list[str]:
        view.look(Status(clock.wall(), (one,)))
        return [line.partition("Z ")[2] for line in capsys.readouterr().err.splitlines()]

    return look


def test_news_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    look = viewed(capsys)
    assert look(table_status(schema_version=3, gaps=0)) == []
    assert look(table_status(schema_version=4)) == ["reviews: schema version 4 (twinrow schema reviews)"]
    assert look(table_status(schema_version=4)) == []
    (told,) = look(table_status(schema_version=4, reconciled_at=clock.wall() - 300))
    assert told == "reviews: a reconcile is through, begun 5 min ago"


def test_a_gap_that_is_mended_is_news(capsys: pytest.CaptureFixture[str]) -> None:
    look = viewed(capsys)
    assert look(table_status(gaps=2)) == []
    assert look(table_status(gaps=1)) == []
    assert look(table_status(gaps=0)) == ["reviews: all gaps are mended"]


def test_a_table_that_goes_on_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    look = viewed(capsys)
    assert look(table_status(reason="MySQL does not answer")) == []
    assert look(table_status(reason="MySQL does not answer")) == []
    assert look(table_status()) == ["reviews: goes on"]
    assert look(table_status()) == []


def test_once_ends_with_its_result_and_tells_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    look = viewed(capsys, once=True)
    assert look(table_status(schema_version=1)) == look(table_status(schema_version=2)) == []


def test_verbose_says_now_and_then_how_a_table_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_view, "PULSE_EVERY_S", 0.0)
    stands = table_status(rows=1234, lag_s=3.0, puts_per_s=12.5, unlinked=2)
    assert viewed(capsys)(stands) == []
    (told,) = viewed(capsys, verbose=True)(stands)
    assert told.startswith("reviews: LIVE, 1,234 rows, lag 3 s, 12.5 puts/s, 0.0 deletes/s")
    assert "2 pending links" in told


def test_a_reconcile_shows_how_far_it_is() -> None:
    told: list[tuple[str, int, int | None, str]] = []

    class Told(Bars):
        def tell(self, table: str, done: int, of: int | None, doing: str = "") -> None:
            told.append((table, done, of, doing))

    view = SyncView(Log(as_json=False, verbose=False), Told("items"), once=True)
    view.look(Status(clock.wall(), (table_status(rows=1000, reconcile_share=0.25),)))
    assert told == [("reviews", 250, 1000, "RECONCILE")]


def test_an_item_counts_once_in_the_progress() -> None:
    """A recheck brings an item that the index has brought; so does the index of one that a first copy has brought."""
    told: list[tuple[str, int, int | None, str]] = []

    class Told(Bars):
        def tell(self, table: str, done: int, of: int | None, doing: str = "") -> None:
            told.append((table, done, of, doing))

    def look(one: TableStatus) -> None:
        view.look(Status(1.0, (one,)))

    view = SyncView(Log(as_json=False, verbose=False), Told("items"), once=True)
    view.watch({name: cast(TableRun, SimpleNamespace(counted_since=1.0, waits="")) for name in ("reviews", "orders")})
    brought = (AppliedCount("PUT", "SCAN", 90), AppliedCount("PUT", "PENDING", 100), AppliedCount("PUT", "RECHECK", 7))
    look(table_status(counted_since=1.0, applied=brought))
    look(table_status(table="orders", phase="SNAPSHOT", rows=90, items=100, counted_since=1.0))
    look(table_status(table="orders", rows=100, items=100, counted_since=1.0, applied=brought))
    assert told == [
        ("reviews", 100, None, "LIVE"), ("orders", 90, 100, "SNAPSHOT"), ("orders", 100, 100, "LIVE"),
    ]  # fmt: skip


def test_many_tables_that_go_on_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    view = SyncView(Log(as_json=False, verbose=False), Bars("items", drawn=False), once=False)
    runs = {f"table{number}": SimpleNamespace(phase="", waits="MySQL h:1/d: refused") for number in range(30)}
    view.watch(cast("dict[str, TableRun]", runs))
    view.look(None)
    for run in runs.values():
        run.waits = ""
    view.look(None)
    view.look(None)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("Z 30 tables go on that waited for: MySQL h:1/d")
