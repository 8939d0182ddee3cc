"""One cause, one log line, with the number of tables in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.together import AGAIN_S, NEWS_S

AWAY = "MySQL 127.0.0.1:3306/analytics: MySQL does not answer: [Errno 111] Connection refused"
CUT = "MySQL 127.0.0.1:3306/analytics: the connection to MySQL was lost: 2013"
TABLES = [f"table{number}" for number in range(30)]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def many() -> Log:
    log = Log(as_json=True, verbose=False)
    log.many(30)
    return log


def test_thirty_tables_that_wait_for_one_server_are_a_line(at: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    log = many()
    for number, table in enumerate(TABLES):
        log.waiting(table, CUT if number % 2 else AWAY)
    log.flush()
    assert said(capsys) == [], "others may join it"
    at[0] += NEWS_S
    log.flush()
    (line,) = said(capsys)
    assert line["text"].startswith("30 tables (table0, table1, table2, …): waiting: MySQL 127.0.0.1:3306/analytics: ")
    assert (line["table"], line["event"], line["level"]) == ("", "waiting", "warning")
    log.flush()
    assert said(capsys) == []


def test_a_wait_that_lasts_is_a_line_a_minute_though_tables_try_again_apart(
    at: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    log = many()
    lines = []
    for _ in range(4 * 200):
        at[0] += 0.25
        for number, table in enumerate(TABLES):
            if round(at[0] * 4) % 40 == number:  # each every 10 s, one after the other
                log.waiting(table, AWAY)
        log.flush()
        lines += said(capsys)
    assert len(lines) <= 6
    assert sum("30 tables" in line["text"] for line in lines) >= 3


def test_other_causes_are_other_lines(at: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    log = many()
    log.waiting("table1", AWAY)
    log.waiting("table2", "table table2: DynamoDB does not answer: not within 5 s")
    log.waiting("table3", "table table3: DynamoDB does not answer: not within 4 s")
    log.trouble("table1", "3 items that no row can hold", ("twinrow dead-letters list table1",))
    log.trouble("table2", "4 items that no row can hold", ("twinrow dead-letters list table2",))
    log.flush(everything=True)
    assert [(line["table"], line["text"]) for line in said(capsys)] == [
        ("table1", f"waiting: {AWAY}"),
        ("", "2 tables (table2, table3): waiting: table TABLE: DynamoDB does not answer: not within 5 s"),
        ("", "2 tables (table1, table2): 3 items that no row can hold (twinrow dead-letters list TABLE)"),
    ]


def test_a_table_alone_is_said_at_once(at: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(as_json=True, verbose=False)
    log.waiting("reviews", AWAY)
    assert [line["table"] for line in said(capsys)] == ["reviews"]
    assert AGAIN_S > NEWS_S
