"""Logs and progress: a fixed set of keys, no repetition, plain lines off a terminal."""

from __future__ import annotations

import json

import pytest

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.progress import Bars
from twinrow.app.terminal import complain, out_json
from twinrow.errors import TwinrowError


def test_json_logs_have_a_fixed_set_of_keys(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(as_json=True, verbose=False)
    log.event("info", "started", "reviews", "two\nlines")
    log.event("debug", "hidden", "reviews", "only with --verbose")
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    record = json.loads(line)
    assert record.keys() == {"at", "level", "event", "table", "text"}
    assert record["text"] == "two lines"


def test_the_same_wait_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(as_json=False, verbose=False)
    for reason in ("MySQL is down", "MySQL is down", "MySQL is read-only"):
        log.waiting("reviews", reason)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("waiting: ")[2] for line in lines] == ["MySQL is down", "MySQL is read-only"]


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain(TwinrowError("broke\nbadly", where="table reviews", remedy="mend it"))
    assert capsys.readouterr().err == "twinrow: table reviews: broke badly (mend it)\n"


def test_lone_surrogates_pass_through_any_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out_json({"text": {"S": "\ud800é"}})
    told = capsys.readouterr().out
    assert told.isascii()
    assert json.loads(told) == {"text": {"S": "\ud800é"}}


def test_no_bars_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars("items") as bars:
        for done in range(0, 1000, 10):
            bars.tell("reviews", done, 1000)
    assert capsys.readouterr() == ("", "")


def test_each_of_several_tables_has_its_line_off_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    with Bars("items") as bars:
        for seconds in range(0, 22, 2):
            at[0] = 100.0 + seconds
            bars.tell("reviews", 500 + 20 * seconds, 1000, "SNAPSHOT")
            bars.tell("users", seconds, None)
    assert capsys.readouterr().err.splitlines() == [
        "reviews: SNAPSHOT 700 of about 1,000 (70%) items, 20/s, 15 s left",
        "users: 10 items, 1/s",
        "reviews: SNAPSHOT 900 of about 1,000 (90%) items, 20/s, 5 s left",
        "users: 20 items, 1/s",
    ]
