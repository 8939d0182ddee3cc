"""Logs and progress: a fixed set of keys, no repetition, plain lines off a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.fixtures.waiting import wait_until

from twinrow import clock
from twinrow.app import typed
from twinrow.app.logs import Log
from twinrow.app.output import progress
from twinrow.app.output.progress import Bars
from twinrow.app.terminal import complain, out_json, say
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


def test_waits_that_take_turns_are_told_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(as_json=False, verbose=False)
    for _ in range(5):
        log.waiting("reviews", "shard 1 is throttled")
        log.waiting("reviews", "shard 2 is throttled")
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_trouble_is_told_with_its_commands_and_not_again_for_another_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Log(as_json=False, verbose=False)
    for count in (3, 4, 1_234):
        log.trouble("reviews", f"{count:,} items that no row can hold", ("twinrow dead-letters list reviews",))
    log.trouble("orders", "3 items that no row can hold", ())
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("reviews: 3 items that no row can hold (twinrow dead-letters list reviews)")
    assert second.endswith("orders: 3 items that no row can hold")


def test_commands_are_told_with_the_configuration_that_was_given() -> None:
    try:
        assert typed.as_typed("twinrow check --fix") == "twinrow check --fix"
        typed.note(Path("/etc/my tables.toml"))
        assert typed.as_typed("twinrow check --fix") == "twinrow check --fix -c '/etc/my tables.toml'"
    finally:
        typed.note(typed.CONFIG_DEFAULT)


@pytest.mark.parametrize(
    ("said", "typed_as"),
    [
        ("twinrow check --fix adds it", "twinrow check -c my.toml --fix adds it"),
        ("see twinrow dead-letters list reviews", "see twinrow dead-letters list -c my.toml reviews"),
        (
            "a and `twinrow sync`, then twinrow reset a --yes",
            "a and `twinrow sync -c my.toml`, then twinrow reset -c my.toml a --yes",
        ),
        ("twinrow sync -c my.toml once", "twinrow sync -c my.toml once"),
        ("twinrow demo", "twinrow demo"),
        ("the state of a newer twinrow checks nothing", "the state of a newer twinrow checks nothing"),
    ],
)
def test_commands_in_an_error_are_for_the_configuration_that_was_given(
    said: str, typed_as: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert typed.in_text(said) == said
        typed.note(Path("my.toml"))
        assert typed.in_text(said) == typed_as
        complain(TwinrowError("broke", remedy=said))
        assert capsys.readouterr().err == f"twinrow: broke ({typed_as})\n"
        Log(as_json=False, verbose=False).waiting("reviews", said)
        assert typed_as in capsys.readouterr().err
    finally:
        typed.note(typed.CONFIG_DEFAULT)


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


def test_what_is_said_and_drawn_on_a_terminal_that_is_gone_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed window: a table thread that tells why it waits would else be BROKEN by its own words."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    terminal = os.fdopen(theirs, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", terminal)
    with Bars("items") as bars:
        bars.tell("reviews", 1, 10)
        os.close(ours)
        say("waiting: MySQL does not answer")
        bars.tell("reviews", 2, 10)
        bars.end("reviews")
        bars.tell("orders", 1, 10)
    say("stopped")
    with suppress(OSError):
        terminal.close()


def test_many_tables_are_one_line_off_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    with Bars("items") as bars:
        for seconds in range(0, 12, 2):
            at[0] = 100.0 + seconds
            for table in range(30):
                if table < 10 and seconds == 10:
                    bars.end(f"table{table}")
                else:
                    bars.tell(f"table{table}", 20 * seconds, 1000, "SNAPSHOT")
    assert capsys.readouterr().err.splitlines() == [
        "30 tables, 10 through: 4,840 of about 30,000 (16%) items, 484/s, 52 s left"
    ]


def test_many_tables_are_one_picture_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "can_redraw", lambda: True)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Bars("items") as bars:
        for table in range(30):
            bars.tell(f"table{table}", 10 * table, 1000, "SNAPSHOT")
        bars.end("table0")
        expected = ["30 tables", *(f"table{n}" for n in range(1, 7))]
        wait_until(lambda: drawn(bars) == expected, what="a bar of all, and of those with the most left")


def drawn(bars: Bars) -> list[str]:
    """What each bar that is seen is called."""
    bars.tell("table29", 300, 1000, "SNAPSHOT")
    assert bars._progress is not None
    return [task.description for task in bars._progress.tasks if task.visible]
