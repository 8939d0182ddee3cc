"""What a run has noted is shown as the state of its table only while it is known to hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.app.test_troubles import AT, HELD, STREAM, WELL

from twinrow.app.observe.standing import SILENT_S_MAX
from twinrow.app.observe.status import Status, TableStatus, table_status_of
from twinrow.errors import Reason
from twinrow.state import counted
from twinrow.state.counted import Counted, Rates
from twinrow.state.overview import Counts
from twinrow.state.tables import Registered

NOBODY = replace(HELD, holder="")
ENDED = replace(WELL, ended_at=AT - 3600, read_at=AT - 3600, caught_up_at=AT - 3600)
BUSY = counted.to_json(Counted(AT - 100, rates=Rates(puts_per_s=12.5)))


def of(known: Registered | None, counts: Counts = NOBODY) -> TableStatus:
    return table_status_of(STREAM, known, counts, AT)


def told(one: TableStatus) -> tuple[Any, ...]:
    return (one.phase, one.lag_s, one.backlog, one.in_step, one.as_of, Status(AT, (one,)).exit_code)


@pytest.mark.parametrize(
    ("known", "counts", "expected"),
    [
        (WELL, HELD, ("LIVE", 0.0, 0, True, None, 0)),
        (ENDED, NOBODY, ("LIVE", 0.0, 0, True, AT - 3600, 0)),
        (replace(ENDED, oldest_at=AT - 3660), NOBODY, ("LIVE", 60.0, 0, True, AT - 3600, 0)),
        (replace(ENDED, read_at=AT - 3700), NOBODY, ("LIVE", 100.0, None, None, AT - 3600, 3)),
        (replace(ENDED, begun_at=AT - 3610), NOBODY, ("LIVE", None, None, None, AT - 3600, 3)),
        (replace(ENDED, phase="SNAPSHOT", snapshot_done_at=None), NOBODY, ("SNAPSHOT", 0.0, None, None, AT - 3600, 3)),
        (WELL, NOBODY, ("STOPPED", None, None, None, None, 3)),
        (replace(WELL, reason="has no stream"), NOBODY, ("STOPPED", None, None, None, None, 3)),
        (replace(WELL, phase="BROKEN", reason="who knows"), NOBODY, ("BROKEN", None, None, False, None, 1)),
        (replace(WELL, begun_at=AT - 1), HELD, ("LIVE", None, None, None, None, 3)),
        (None, NOBODY, ("NEW", None, None, None, None, 3)),
        (None, replace(NOBODY, refusal=Reason("has no index")), ("STOPPED", None, None, None, None, 3)),
        (WELL, replace(NOBODY, dead_letters=1), ("STOPPED", None, None, False, None, 3)),
    ],
    ids=[
        "running", "ended", "ended-behind", "ended-while-it-waited", "ended-before-it-read", "ended-in-first-copy",
        "killed", "refused", "broken", "begins", "new", "first-start-refused", "killed-with-dead-letters",
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_shown(known: Registered | None, counts: Counts, expected: tuple[Any, ...]) -> None:
    assert told(of(known, counts)) == expected


def test_a_sync_that_hangs_is_no_health() -> None:
    """Its heartbeat lives on in a thread of its own."""
    hangs = replace(WELL, read_at=AT - SILENT_S_MAX - 1, counters=BUSY)

    assert told(of(hangs, HELD)) == ("LIVE", SILENT_S_MAX + 1, None, None, None, 3)
    assert of(hangs, HELD).puts_per_s is None
    assert of(replace(hangs, read_at=AT - SILENT_S_MAX), HELD).puts_per_s == 12.5


@pytest.mark.parametrize(("known", "rate"), [(ENDED, 0.0), (WELL, None), (replace(WELL, phase="BROKEN"), 0.0)])
def test_nobody_copies_nothing_and_the_dead_are_not_asked(known: Registered, rate: float | None) -> None:
    assert of(replace(known, counters=BUSY)).puts_per_s == rate


@pytest.mark.parametrize(
    ("known", "counts", "why"),
    [
        (WELL, HELD, ""),
        (replace(WELL, oldest_at=AT - 901), HELD, "its lag is 15 min"),
        (replace(ENDED, ended_at=AT - 899, read_at=AT - 899), NOBODY, ""),
        (replace(ENDED, ended_at=AT - 901, read_at=AT - 901), NOBODY, "the last good end of a sync was 15 min ago"),
        (WELL, NOBODY, "its lag is not known"),
        (None, NOBODY, "its lag is not known"),
    ],
)
def test_a_check_asks_for_a_bound(known: Registered | None, counts: Counts, why: str) -> None:
    assert of(known, counts).late(900.0, AT) == why
