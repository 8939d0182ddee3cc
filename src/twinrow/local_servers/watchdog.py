"""Keeps one server on a leash: when whoever started it is gone, the server goes too, and its folder with it.

Runs as a program of its own, in its own session (so that Ctrl-C in a terminal reaches only Twinrow), with the standard
library alone and no site packages (so that it is up in 20 ms). It takes one-letter commands on stdin and answers each
with one line on stdout. A closed stdin, which is what even `kill -9` of the parent leaves, ends everything.
PR_SET_PDEATHSIG in the parent would not do: it fires when the *thread* that forked ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from types import FrameType
from typing import Any

START, TERMINATE, KILL, ASK = b"S", b"T", b"K", b"?"

# A clean shutdown of MySQL takes 1 to 2 s here; after this the server is killed.
TERMINATE_TIMEOUT_S = 30.0
# A child that the parent forked without exec holds the pipe open too: so the parent's pid is looked at as well.
PARENT_CHECK_INTERVAL_S = 0.5

_PR_SET_PDEATHSIG = 1


def _die_with_the_watchdog() -> None:
    # Safe here, unlike in the parent: the watchdog has one thread only.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Leash:
    def __init__(self, command: list[str], log: str) -> None:
        self._command = command
        self._log = log
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        if self._server is not None and self._server.poll() is None:
            return f"running {self._server.pid}"
        with open(self._log, "ab") as log:  # noqa: PTH123 - importing pathlib would double the start-up time
            self._server = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_die_with_the_watchdog,
            )
        return f"running {self._server.pid}"

    def state(self) -> str:
        code = None if self._server is None else self._server.poll()
        if self._server is None or code is not None:
            return f"exited {code}"
        return f"running {self._server.pid}"

    def end(self, *, politely: bool) -> str:
        server = self._server
        if server is not None and server.poll() is None:
            if politely:
                server.terminate()
                try:
                    server.wait(TERMINATE_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    politely = False
            if not politely:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
        return self.state()


def _answer(leash: _Leash, command: bytes) -> str:
    try:
        if command == START:
            return leash.start()
        if command in (TERMINATE, KILL):
            return leash.end(politely=command == TERMINATE)
        return leash.state()
    except OSError as error:
        return f"failed {error}"


def _serve(leash: _Leash, parent: int) -> None:
    while os.getppid() == parent:
        ready, _, _ = select.select([0], [], [], PARENT_CHECK_INTERVAL_S)
        if ready:
            command = os.read(0, 1)
            if not command:
                return
            os.write(1, f"{_answer(leash, command)}\n".encode())


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(settings: dict[str, Any]) -> None:
    """Serves until stdin closes or the process `parent` is gone; then kills the server, removes the folder `remove`."""
    signal.signal(signal.SIGTERM, _leave)
    leash = _Leash(settings["command"], settings["log"])
    try:
        _serve(leash, settings["parent"])
    except BrokenPipeError:
        pass
    finally:
        leash.end(politely=False)
        if settings["remove"]:
            shutil.rmtree(settings["remove"], ignore_errors=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
