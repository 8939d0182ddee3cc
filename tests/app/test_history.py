"""The last hour of a table, in bounded memory, and its rates."""

from __future__ import annotations

import pytest

from twinrow.app.history import RATE_WINDOW_S, SAMPLE_S, SAMPLES_MAX, History
from twinrow.app.status import TableStatus
from twinrow.state.counted import Applied

BEGAN_AT = 1_700_000_000.0


def status(
    lag_s: float | None = 0.0, puts: int = 0, deletes: int = 0, since: float = 1.0, read_units: float = 0.0
) -> TableStatus:
    return TableStatus(
        table="reviews", into="reviews", capture="stream", phase="LIVE", rows=1, backlog=0, lag_s=lag_s, unlinked=0,
        links_refused=0, dead_letters=0, gaps=0, rechecks=0, reason="", running=True, items=1, snapshot_share=1.0,
        read_at=1.0, caught_up_at=1.0, snapshot_done_at=1.0, reconciled_at=None, retention_left_s=None, verified=None,
        counted_since=since, applied=(Applied("PUT", "SCAN", puts), Applied("DELETE", "STREAM", deletes)),
        read_units=read_units,
    )  # fmt: skip


def test_a_rate_looks_back_over_some_seconds() -> None:
    history = History()
    for second in range(20):
        history.add(BEGAN_AT + second, status(puts=30 * second, deletes=2 * second, read_units=12.5 * second))

    assert history.rates["PUT"] == pytest.approx(30)
    assert history.rates["DELETE"] == pytest.approx(2)
    assert history.rates["read_units"] == pytest.approx(12.5)


def test_a_rate_falls_to_nothing_when_nothing_happens() -> None:
    history = History()
    history.add(BEGAN_AT, status(puts=0))
    history.add(BEGAN_AT + 1, status(puts=100))
    assert history.rates["PUT"] == pytest.approx(100)

    for second in range(2, 3 + int(RATE_WINDOW_S)):
        history.add(BEGAN_AT + second, status(puts=100))

    assert history.rates["PUT"] == 0


def test_the_next_process_begins_its_rates_anew() -> None:
    history = History()
    history.add(BEGAN_AT, status(puts=1_000_000))
    history.add(BEGAN_AT + 1, status(puts=5, since=2.0))
    assert history.rates["PUT"] == 0

    history.add(BEGAN_AT + 2, status(puts=15, since=2.0))
    assert history.rates["PUT"] == pytest.approx(10)


def test_the_worst_lag_of_a_sample_counts() -> None:
    history = History()
    for second, lag_s in enumerate((0.5, 7.25, None, 1.0)):
        history.add(BEGAN_AT + second, status(lag_s))

    assert history.document()["lag_s"] == [7.25]


def test_an_unknown_lag_stays_unknown() -> None:
    history = History()
    history.add(BEGAN_AT, status(None))
    history.add(BEGAN_AT + SAMPLE_S, status(0.0))

    assert history.document()["lag_s"] == [None, 0.0]


def test_it_forgets_what_is_older_than_an_hour() -> None:
    history = History()
    for step in range(2 * SAMPLES_MAX):
        history.add(BEGAN_AT + step * SAMPLE_S, status(float(step)))

    told = history.document()
    assert len(told["at"]) == len(told["lag_s"]) == len(told["per_s"]["PUT"]) == len(told["per_s"]["DELETE"])
    assert len(told["at"]) == SAMPLES_MAX
    assert told["at"][0] == BEGAN_AT + SAMPLES_MAX * SAMPLE_S
    assert told["lag_s"][-1] == 2 * SAMPLES_MAX - 1
