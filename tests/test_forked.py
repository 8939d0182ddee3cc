"""A forked command is a process of its own; tests of commands rest on that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import REPOSITORY
from tests.fixtures.forked import fork, is_possible
from tests.fixtures.waiting import is_running, wait_until

pytestmark = pytest.mark.slow

CONFIG = '[mysql]\nurl = "mysql://${WHO}:p@127.0.0.1:1/d"\n[[tables]]\nname = "abc"\ncapture = "scan"\n'
WAITS_S = 60.0


def _started(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "twinrow", *arguments], cwd=folder, env={**os.environ, **(env or {})},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=WAITS_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--version",), {}),
        (("status",), {}),
        (("status",), {"WHO": "u", "NO_COLOR": "1"}),
        (("schema", "--help"), {"COLUMNS": "60"}),
        (("nothing",), {}),
        (("status", "--json-logs"), {}),
    ],
)
def test_it_says_and_ends_as_a_started_process_does(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    """Its arguments, folder, environment, both outputs and exit code are its own."""
    command = CommandLine(tmp_path)
    command.write_config(CONFIG)
    done = command.run(*arguments, env=env)
    assert (done.code, done.out, done.err) == _started(tmp_path, *arguments, env=env)
    assert "WHO" not in os.environ


def test_a_signal_reaches_it_and_its_end_is_known(tmp_path: Path) -> None:
    CommandLine(tmp_path).write_config(CONFIG)
    env = {**os.environ, "WHO": "u"}
    with Path(os.devnull).open("w+") as nothing:
        one, other = (
            fork(["sync"], cwd=tmp_path, env=env, stdin=nothing, stdout=nothing, stderr=nothing) for _ in range(2)
        )
    assert one.poll() is None
    one.kill()
    assert one.wait(WAITS_S) == -signal.SIGKILL
    assert other.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0.01)
    other.send_signal(signal.SIGTERM)
    assert other.wait(WAITS_S) in (0, -signal.SIGTERM), "a sync stops cleanly, also before it could begin"
    one.kill()


def test_what_python_reads_at_its_start_wants_a_start() -> None:
    assert is_possible({"TWINROW_FAIL_POINT": "after-rows:1", "MYSQL_PASSWORD": "p"}) == (sys.platform == "linux")
    assert not is_possible({"PYTHONUTF8": "1"})
    assert not is_possible({"LC_ALL": "C"})


def test_none_outlives_the_process_that_began_it(tmp_path: Path) -> None:
    CommandLine(tmp_path).write_config(CONFIG)
    program = (
        "import os, sys; from pathlib import Path; from tests.fixtures.forked import fork\n"
        f"nothing = open(os.devnull, 'r+'); folder = Path({str(tmp_path)!r})\n"
        "env = {**os.environ, 'WHO': 'u'}\n"
        "made = fork(['sync'], cwd=folder, env=env, stdin=nothing, stdout=nothing, stderr=nothing)\n"
        "print(made.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as began:
        assert began.stdout is not None
        pid = int(began.stdout.readline())
        assert is_running(pid)
        began.kill()
    wait_until(lambda: not is_running(pid), WAITS_S, what="the forked process ended")
