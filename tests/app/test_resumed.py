"""Tables that go on are told once for each cause."""

from __future__ import annotations

import pytest

from twinrow.app.many import cause_of
from twinrow.app.output.resumed import TOGETHER_S_MAX, Resumed

AWAY = "MySQL 127.0.0.1:3306/analytics: the server does not answer: [Errno 111] Connection refused"
CUT = "MySQL 127.0.0.1:3306/analytics: connection lost (2013)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AWAY, CUT),
        ("table a: DynamoDB does not answer: not within 5.0 s", "table b: DynamoDB does not answer: not within 4 s"),
        ("index m of table a: DynamoDB does not answer: x", "table b: DynamoDB does not answer: x"),
        ("table a: values wait in extra", "table b: values wait in extra"),
    ],
)  # fmt: skip
def test_tables_that_wait_for_one_server_have_one_cause(one: str, other: str) -> None:
    assert cause_of(one, "a") == cause_of(other, "b")


def test_other_servers_are_other_causes() -> None:
    assert (
        len({cause_of(AWAY, "a"), cause_of(AWAY.replace("analytics", "other"), "a"), cause_of("DynamoDB x", "a")}) == 3
    )


def test_thirty_tables_are_told_together_when_the_last_goes_on() -> None:
    resumed = Resumed()
    names = [f"table{number}" for number in range(30)]
    told: list[tuple[str, list[str]]] = []
    for second in range(60):
        # cut at the beginning, then refused; they go on one after the other within some seconds
        reasons = {name: CUT if second == 0 else AWAY if second < 20 + n // 5 else "" for n, name in enumerate(names)}
        told += resumed.look(reasons, float(second))
    assert told == [("MySQL 127.0.0.1:3306/analytics", names)]


def test_who_goes_on_waiting_does_not_hold_up_the_news_for_ever() -> None:
    resumed = Resumed()
    assert list(resumed.look({"a": AWAY, "b": AWAY}, 0.0)) == []
    assert list(resumed.look({"a": "", "b": AWAY}, 1.0)) == []
    assert list(resumed.look({"a": "", "b": AWAY}, 1.0 + TOGETHER_S_MAX)) == [(cause_of(AWAY, "a"), ["a"])]
    assert list(resumed.look({"a": "", "b": ""}, 30.0)) == [(cause_of(AWAY, "b"), ["b"])]


def test_one_that_waits_again_has_not_gone_on() -> None:
    resumed = Resumed()
    list(resumed.look({"a": AWAY, "b": AWAY}, 0.0))
    list(resumed.look({"a": "", "b": AWAY}, 1.0))
    list(resumed.look({"a": CUT, "b": AWAY}, 2.0))
    assert list(resumed.look({"a": "", "b": ""}, 3.0)) == [(cause_of(AWAY, "a"), ["a", "b"])]
