"""Somebody is told of each trouble once, and of its end once; what is not known is neither."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.statuses import table_status

from twinrow.app.notify.message import lines
from twinrow.app.observe.alarms import CALM_S, KINDS, Alarm, Alarms, SeenTable

IN_STEP = {"in_step": True}
DIFFERS = {"in_step": False, "missing": 2}


def seen(now: float = 0.0, *, ended: bool = False, lag_alert_s: float | None = None, **values: Any) -> SeenTable:
    return SeenTable("reviews", table_status(**values), ended, lag_alert_s, now)


def unreadable(now: float, lag_alert_s: float | None = None) -> SeenTable:
    return SeenTable("reviews", None, False, lag_alert_s, now)


def looked(alarms: Alarms, *looks: SeenTable) -> list[tuple[str, str]]:
    """What is told at these looks: the kind, and whether it begins or is over."""
    told = []
    for look in looks:
        begun, over = alarms.look([look])
        told += [(alarm.kind, "begins") for alarm in begun] + [(alarm.kind, "is over") for alarm in over]
    return told


@pytest.mark.parametrize(
    ("kind", "bad", "well"),
    [
        ("broken", {"phase": "BROKEN"}, {"phase": "LIVE"}),
        ("dead_letters", {"dead_letters": 3}, {"dead_letters": 0}),
        ("gap", {"gaps": 1}, {"gaps": 0}),
        ("verify", {"verified": DIFFERS}, {"verified": IN_STEP}),
    ],
)
def test_each_trouble_is_told_once_and_its_end_once(kind: str, bad: dict[str, Any], well: dict[str, Any]) -> None:
    told = looked(
        Alarms(), seen(**well), seen(**bad), seen(**bad), unreadable(1.0), seen(**bad), seen(**well), seen(**well)
    )
    assert told == [(kind, "begins"), (kind, "is over")]
    assert looked(Alarms([("reviews", kind)]), seen(**bad), seen(**well)) == [(kind, "is over")], (
        "told by the process before"
    )


def test_more_dead_letters_are_the_same_trouble() -> None:
    assert looked(Alarms(), *(seen(dead_letters=count) for count in (1, 5, 2, 900))) == [("dead_letters", "begins")]


def test_a_refused_start_is_told_though_nobody_holds_the_table() -> None:
    refused = seen(ended=True, phase="STOPPED", running=False, known=False)
    assert looked(Alarms(), refused, replace(refused, ended=False), seen()) == [
        ("broken", "begins"),
        ("broken", "is over"),
    ]


def test_a_lag_that_swings_is_one_trouble() -> None:
    swings = [
        seen(now, lag_s=lag, lag_alert_s=300.0) for now, lag in ((0.0, 10.0), (5.0, 301.0), (10.0, 10.0), (20.0, 400.0))
    ]
    calm = [seen(30.0 + after, lag_s=1.0, lag_alert_s=300.0) for after in (0.0, CALM_S - 1, CALM_S, CALM_S + 9)]
    assert looked(Alarms(), *swings, *calm) == [("lag", "begins"), ("lag", "is over")]
    assert looked(Alarms(), *(replace(each, lag_alert_s=None) for each in swings)) == []


def test_a_lag_that_is_not_known_for_so_long_is_told() -> None:
    alarms = Alarms()
    known = seen(0.0, lag_s=0.0, lag_alert_s=300.0)
    assert looked(alarms, known, unreadable(10.0, 300.0), unreadable(299.0, 300.0)) == []
    begun, _ = alarms.look([unreadable(311.0, 300.0)])
    assert [alarm.text for alarm in begun] == ["how far it is behind is not known for 5 min"]
    back = [seen(400.0 + after, lag_s=0.0, lag_alert_s=300.0) for after in (0.0, CALM_S)]
    assert looked(alarms, *back) == [("lag", "is over")]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 2), st.one_of(st.none(), st.floats(0, 600))),
        max_size=30,
    )
)
def test_begins_and_ends_take_turns(looks: list[tuple[bool, int, int, float | None]]) -> None:
    alarms, open_now = Alarms(), set()
    for number, (readable, letters, gaps, lag_s) in enumerate(looks):
        status = table_status(dead_letters=letters, gaps=gaps, lag_s=lag_s) if readable else None
        begun, over = alarms.look([SeenTable("reviews", status, False, 300.0, 40.0 * number)])
        for alarm in begun:
            assert alarm.kind not in open_now
            open_now.add(alarm.kind)
        for alarm in over:
            open_now.remove(alarm.kind)
        if status is None:
            assert not over, "what is not known is no end"


def test_thirty_tables_with_one_trouble_are_a_line_with_a_command() -> None:
    alarms = [
        Alarm(f"table{n}", "gap", f"{n + 1} gaps in what was read", f"twinrow status table{n}") for n in range(30)
    ]
    ((text, same),) = lines(alarms, over=False)
    assert text == (
        "Twinrow trouble: 30 tables (table0, table1, table2, …): 1 gaps in what was read -> twinrow status TABLE"
    )
    assert same == alarms
    assert set(KINDS) == {"broken", "gone", "dead_letters", "gap", "verify"}
