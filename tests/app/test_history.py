"""The last hour of a table, in bounded memory."""

from __future__ import annotations

from tests.fixtures.statuses import table_status

from twinrow.app.observe.history import SAMPLE_S, SAMPLES_MAX, History
from twinrow.app.observe.status import TableStatus

BEGAN_AT = 1_700_000_000.0


def status(lag_s: float | None = 0.0, puts_per_s: float | None = 0.0, deletes_per_s: float = 0.0) -> TableStatus:
    return table_status(lag_s=lag_s, puts_per_s=puts_per_s, deletes_per_s=deletes_per_s)


def test_the_worst_of_a_sample_counts() -> None:
    history = History()
    for second, (lag_s, puts, deletes) in enumerate(
        ((0.5, 10.0, 0.0), (7.25, 99.5, 1.0), (None, 0.0, 3.5), (1.0, 2.0, 0))
    ):
        history.add(BEGAN_AT + second, status(lag_s, puts, deletes))

    told = history.document()
    assert told["lag_s"] == [7.25]
    assert told["per_s"] == {"PUT": [99.5], "DELETE": [3.5]}


def test_an_unknown_lag_stays_unknown() -> None:
    history = History()
    history.add(BEGAN_AT, status(None, None))
    history.add(BEGAN_AT + SAMPLE_S, status(0.0))

    assert history.document()["lag_s"] == [None, 0.0]
    assert history.document()["per_s"]["PUT"] == [None, 0.0]


def test_the_lag_of_the_last_sync_is_no_lag_of_now() -> None:
    history = History()
    history.add(BEGAN_AT, table_status(lag_s=0.0, running=False, as_of=BEGAN_AT - 60))

    assert history.document()["lag_s"] == [None]


def test_what_could_not_be_read_is_a_hole() -> None:
    history = History()
    history.add(BEGAN_AT, status(0.5, 10.0))
    for second in range(1, 13):
        history.skip(BEGAN_AT + second)
    history.add(BEGAN_AT + 15, status(0.25, 4.0))

    told = history.document()
    assert told["lag_s"] == [0.5, None, None, 0.25]
    assert told["per_s"]["PUT"] == [10.0, None, None, 4.0]


def test_it_forgets_what_is_older_than_an_hour() -> None:
    history = History()
    for step in range(2 * SAMPLES_MAX):
        history.add(BEGAN_AT + step * SAMPLE_S, status(float(step), float(step)))

    told = history.document()
    assert len(told["at"]) == len(told["lag_s"]) == len(told["per_s"]["PUT"]) == len(told["per_s"]["DELETE"])
    assert len(told["at"]) == SAMPLES_MAX
    assert told["at"][0] == BEGAN_AT + SAMPLES_MAX * SAMPLE_S
    assert told["lag_s"][-1] == told["per_s"]["PUT"][-1] == 2 * SAMPLES_MAX - 1
