"""`status` after each kind of end, as a process leaves it: what is not known is not shown, and is no health."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.waiting import wait_until

from twinrow.app.observe import standing
from twinrow.app.observe.status import TableStatus, collect
from twinrow.config import parse
from twinrow.kinds.pending_index.poll import Poll
from twinrow.mysql import MySQL
from twinrow.state import lease, overview
from twinrow.state.overview import Counts
from twinrow.table.context import TableContext
from twinrow.write.batch import Applied

WAIT_S = 60.0
ENDED = {"phase": "LIVE", "running": False, "lag_s": 0.0, "backlog": 0, "in_step": True, "reason": ""}
UNKNOWN = {"running": False, "lag_s": None, "backlog": None, "in_step": None, "as_of": None, "puts_per_s": None}


def copied(make_copying: MakeCopying) -> tuple[Copying, CommandLine]:
    copying = make_copying(reconcile_every="1h")
    put_all(copying.client, copying.table, [marked(1)])
    copying.once_well()
    copying.config_file()
    return copying, CommandLine(copying.folder)


def told(command: CommandLine, code: int, *options: str) -> dict[str, Any]:
    done = command.run("status", "--json", *options)
    assert done.code == code, done
    (one,) = done.document["tables"]
    return dict(one)


def now(copying: Copying) -> TableStatus:
    """The status as it is read in this process."""
    config = parse(copying.text())
    session = MySQL(config.mysql).connect()
    try:
        return collect(session, config.chosen([])).tables[0]
    finally:
        session.close()


def test_a_good_end_keeps_its_figures_and_a_kill_leaves_none(make_copying: MakeCopying) -> None:
    copying, command = copied(make_copying)
    ended = told(command, 0, "--check")
    assert ended.items() >= ENDED.items()
    assert ended["as_of"] >= ended["read_at"] > 0
    late = command.run("status", "--check", "--lag-max", "0.001s")
    assert (late.code, "the last good end" in late.err) == (3, True), late

    process = copying.process(once=False)
    try:
        wait_until(lambda: now(copying).running and now(copying).in_step, WAIT_S, what="a sync that has read")
        assert now(copying).as_of is None
    finally:
        process.kill(signal.SIGKILL)
    wait_until(lambda: not now(copying).running, WAIT_S, what="the end of its lease")
    killed = told(command, 3)
    assert killed.items() >= {**UNKNOWN, "phase": "STOPPED"}.items()
    assert f"twinrow sync {copying.table}" in killed["remedies"]
    shown = command.run("status")
    assert (shown.code, "STOPPED" in shown.out, "\N{EN DASH}" in shown.out) == (3, True, True), shown.out

    process = copying.process(once=False)
    try:
        wait_until(lambda: now(copying).in_step, WAIT_S, what="a sync that has read")
    finally:
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended()[0] == 0
    assert told(command, 0, "--check").items() >= ENDED.items()


def test_a_status_is_of_one_moment(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor that begins between two of its queries is not shown with the notes of the run that was killed."""
    copying, _ = copied(make_copying)
    copying.database.query("UPDATE _twinrow_table SET ended_at = NULL")
    counts = overview.counts

    def a_run_begins(*given: Any, **named: Any) -> dict[str, Counts]:
        session = MySQL(parse(copying.text()).mysql).connect()
        assert lease.acquire(session, copying.table, "successor", WAIT_S, for_run=True) is not None
        session.close()
        return counts(*given, **named)

    monkeypatch.setattr(overview, "counts", a_run_begins)
    one = now(copying)
    assert (one.phase, one.running, one.in_step) == ("STOPPED", False, None)
    monkeypatch.undo()
    one = now(copying)
    assert (one.phase, one.running, one.in_step) == ("LIVE", True, None)


def test_a_refused_start_leaves_nothing_known(make_copying: MakeCopying) -> None:
    copying, command = copied(make_copying)
    copying.change(pending_index={**copying.tables[copying.table]["pending_index"], "index": "not-there"})
    copying.config_file()

    assert command.run("sync", "--once").code == 2
    refused = told(command, 3)

    assert refused.items() >= {**UNKNOWN, "phase": "STOPPED"}.items()
    assert "not-there" in refused["reason"]


def test_a_broken_table_keeps_phase_and_reason_and_shows_nothing_else(make_copying: MakeCopying, database: Any) -> None:
    copying, command = copied(make_copying)
    database.query(f"DROP TABLE `{copying.table}`")

    assert command.run("sync", "--once").code != 0
    one = told(command, 1)
    assert (one["phase"], one["lag_s"], one["backlog"], one["in_step"]) == ("BROKEN", None, None, False)
    assert one["reason"]


def test_a_sync_stopped_before_it_has_read_takes_nothing_over_from_the_last_one(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, _ = copied(make_copying)
    contexts: list[TableContext] = []

    def stopped(_self: Poll) -> tuple[bool, Applied | None]:
        contexts[0].table.stop.set()
        return False, None

    monkeypatch.setattr(Poll, "step", stopped)
    with copying.running(contexts.append):
        wait_until(lambda: bool(contexts and contexts[0].table.stop), WAIT_S, what="the stop")
    one = now(copying)
    assert (one.phase, one.running, one.lag_s, one.in_step) == ("LIVE", False, None, None)
    assert one.as_of is not None


def test_a_table_whose_thread_hangs_is_not_in_step(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat has a thread of its own, so the lease lives on."""
    copying, _ = copied(make_copying)
    hangs, goes_on, step = threading.Event(), threading.Event(), Poll.step

    def stuck(self: Poll) -> tuple[bool, Applied | None]:
        if hangs.is_set():
            goes_on.wait(WAIT_S)
        return step(self)

    monkeypatch.setattr(Poll, "step", stuck)
    monkeypatch.setattr(standing, "SILENT_S_MAX", 1.0)
    with copying.running():
        wait_until(lambda: now(copying).in_step, WAIT_S, what="a sync that has read")
        hangs.set()
        wait_until(lambda: now(copying).in_step is None, WAIT_S, what="a sync that is not believed")
        one = now(copying)
        assert (one.phase, one.running, one.backlog, one.puts_per_s) == ("LIVE", True, None, None)
        goes_on.set()
        hangs.clear()
        wait_until(lambda: now(copying).in_step, WAIT_S, what="a sync that reads again")
