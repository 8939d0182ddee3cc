"""A sync ends cleanly by a signal, whenever it comes and however the process was started."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.pseudo_terminal import PseudoTerminal
from tests.fixtures.waiting import is_paused, wait_until

pytestmark = pytest.mark.either_server
"""Signals are between the system and the process."""

WAIT_S = 90.0
LEASE_S = 6.0
ALL_IGNORED = 'trap "" INT HUP; exec "$@"'
"""What `nohup` and a script's `&` leave to the program that they start."""


@contextmanager
def sync(copying: Copying, *options: str, through: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """A `twinrow sync` without a terminal; it is killed where a test has not ended it."""
    command = [*through, sys.executable, "-m", "twinrow", "-c", str(copying.config_file()), "sync", *options]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ends_well(process: subprocess.Popen[str], code: int = 0) -> str:
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def mask(pid: int, name: str) -> int:
    """A signal mask of a process, as Linux tells it: SigCgt of those that it takes, SigIgn of those that it ignores."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")), 16)


def takes(process: subprocess.Popen[str] | PseudoTerminal, number: int) -> bool:
    return bool(mask(process.pid, "SigCgt") >> (number - 1) & 1)


def copied(make_copying: MakeCopying) -> Copying:
    copying = make_copying(reconcile_every="1h")
    copying.lease_s = LEASE_S
    put_all(copying.client, copying.table, [marked(1)])
    return copying


def is_held(database: Database) -> bool:
    there = database.query("SHOW TABLES LIKE '_twinrow_meta'")  # made last
    return bool(there and database.query("SELECT 1 FROM _twinrow_lease WHERE holder <> ''"))


def has_read(database: Database) -> bool:
    return is_held(database) and bool(
        database.query("SELECT 1 FROM _twinrow_table WHERE phase = 'LIVE' AND read_at > 0")
    )


def until_it_takes_signals(process: subprocess.Popen[str] | PseudoTerminal) -> None:
    """SIGTERM is the last that it takes, and it does so before it has imported anything that takes time."""
    mapped: list[str] = []

    def takes_sigterm() -> bool:
        mapped.append(Path(f"/proc/{process.pid}/maps").read_text())
        return takes(process, signal.SIGTERM)

    wait_until(takes_sigterm, WAIT_S, every_s=0.001, what="it takes signals")
    assert "msgspec" not in mapped[-1], "a signal during the imports would have killed it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_first_moment(make_copying: MakeCopying, database: Database, number: signal.Signals) -> None:
    copying = copied(make_copying)
    with sync(copying) as process:
        until_it_takes_signals(process)
        process.send_signal(number)
        assert "stopped after" in ends_well(process)
    with sync(copying, "--once") as process:
        until_it_takes_signals(process)
        process.send_signal(number)
        assert "stopped before the end" in ends_well(process, 1)
    assert not database.query("SHOW TABLES LIKE '_twinrow_meta'"), "it began all the same"


def test_a_hang_up_at_the_first_moment(make_copying: MakeCopying, database: Database) -> None:
    """Without a terminal it is no end, with one it ends the sync, though the sync still imports."""
    copying = copied(make_copying)
    with sync(copying) as process:
        until_it_takes_signals(process)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: has_read(database), WAIT_S, what="a sync that has read")
        process.send_signal(signal.SIGTERM)
        ends_well(process)
    with PseudoTerminal(copying.folder, "-c", str(copying.config_file()), "sync") as terminal:
        until_it_takes_signals(terminal)
        assert terminal.closed() == 0


def test_a_signal_in_the_first_seconds(make_copying: MakeCopying, database: Database) -> None:
    copying = copied(make_copying)
    for has_come in (lambda: is_held(database), lambda: has_read(database)):
        with sync(copying) as process:
            wait_until(has_come, WAIT_S, every_s=0.005, what="the moment")
            process.send_signal(signal.SIGTERM)
            ends_well(process)
        database.query("UPDATE _twinrow_heartbeat SET deadline = '2000-01-01'")
    copying.once_well()
    copying.assert_equal(items=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_while_the_process_is_stopped(
    make_copying: MakeCopying, database: Database, number: signal.Signals
) -> None:
    """When it is woken, the system gives the signal to any of its threads; its lease may be lost by then."""
    copying = copied(make_copying)
    with sync(copying) as process:
        wait_until(lambda: has_read(database), WAIT_S, what="a sync that has read")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: is_paused(process.pid), WAIT_S, what="it is stopped")
        wait_until(
            lambda: database.query("SELECT 1 FROM _twinrow_heartbeat WHERE deadline < UTC_TIMESTAMP(6)"), WAIT_S,
            what="the end of its lease",
        )  # fmt: skip
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        ends_well(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_started_with_signals_ignored(
    make_copying: MakeCopying, database: Database, number: signal.Signals
) -> None:
    copying = copied(make_copying)
    with sync(copying, through=("sh", "-c", ALL_IGNORED, "sh")) as process:
        wait_until(lambda: has_read(database), WAIT_S, what="a sync that has read")
        assert mask(process.pid, "SigIgn") >> (signal.SIGHUP - 1) & 1, "nohup asks for that"
        process.send_signal(number)
        ends_well(process)


def test_a_closed_terminal_ends_it_and_without_one_a_hang_up_reads_the_configuration(
    make_copying: MakeCopying, database: Database
) -> None:
    copying = copied(make_copying)
    config = str(copying.config_file())
    with PseudoTerminal(copying.folder, "-c", config, "sync") as terminal:
        wait_until(lambda: has_read(database), WAIT_S, what="a sync that has read")
        assert terminal.closed() == 0
    with sync(copying) as process:
        wait_until(lambda: has_read(database), WAIT_S, what="a sync that has read")
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert any("the configuration was read again: no table changes" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        ends_well(process)
    with sync(copying, "--once") as process:
        until_it_takes_signals(process)
        process.send_signal(signal.SIGHUP)
        ends_well(process)
