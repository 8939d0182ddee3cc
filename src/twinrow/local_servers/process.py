"""A server program under a watchdog, a port of its own, and the wait until it answers."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from twinrow.errors import TwinrowError
from twinrow.local_servers import watchdog

LOOPBACK: Final = "127.0.0.1"

# Starting takes 0.5 to 3 s here; a busy machine, or crash recovery of a full data folder, takes longer.
START_TIMEOUT_S: Final = 90.0
PROBE_TIMEOUT_S: Final = 1.0
_POLL_INTERVAL_S: Final = 0.02
# Must outlast the watchdog's own patience with a polite end.
_ANSWER_TIMEOUT_S: Final = watchdog.TERMINATE_TIMEOUT_S + 15.0
_LOG_LINES_SHOWN: Final = 3

# Below the range from which the system takes ports for outgoing connections (32768 up on Linux): else such a connection
# could sit on a server's port while that server restarts.
_PORT_RANGE: Final = range(20_000, 32_000)
_PORT_ATTEMPTS_MAX: Final = 200


class ServerError(TwinrowError):
    """A server of demo and tests is missing or does not start; the remedy says what to do about it."""


def answers_http(port: int) -> bool:
    """Whether a server on this machine answers a request, with whatever status."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class ReservedPort:
    """A free port on the loopback interface that no other process using this class will take meanwhile."""

    def __init__(self) -> None:
        for number in random.sample(_PORT_RANGE, _PORT_ATTEMPTS_MAX):
            mark = _mark(number)
            if mark is not None and _is_free(number):
                self.number = number
                self._mark = mark
                return
            if mark is not None:
                mark.close()
        raise ServerError(
            f"no free port between {_PORT_RANGE.start} and {_PORT_RANGE.stop}", remedy="end what holds them"
        )

    def release(self) -> None:
        """Lets others have the port again."""
        self._mark.close()


def _mark(number: int) -> socket.socket | None:
    """Returns a socket that holds the number for this process, None if another holds it.

    Between choosing a port and the server's bind a second or more goes by (a JVM starts), in which a parallel test
    worker could choose the same. A name in Linux' abstract socket space is a lock that no crash leaves behind.
    """
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if sys.platform == "linux":
        try:
            mark.bind(f"\0twinrow-port-{number}")
        except OSError:
            mark.close()
            return None
    return mark


def _is_free(number: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, number))
        except OSError:
            return False
    return True


class ServerProcess:
    """One server program. It ends with this process, however that ends.

    `command` is what to run, `folder` holds its log; with `remove_folder` the folder goes when the server is closed, or
    when this process dies.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, *, remove_folder: bool) -> None:
        self.name: Final = name
        self.removes_folder: Final = remove_folder
        self.log: Final = folder / "server.log"
        self._lock = threading.Lock()
        settings = {
            "command": list(command),
            "log": str(self.log),
            "remove": str(folder) if remove_folder else None,
            "parent": os.getpid(),
        }
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )

    def start(self, answers: Callable[[], bool]) -> int:
        """Starts the program; returns its pid once `answers()` is true. Raises ServerError with what its log says."""
        state = self._ask(watchdog.START)
        deadline = time.monotonic() + START_TIMEOUT_S
        while state.startswith("running"):
            # Asked again after the answer: it could have come from a stranger on the port.
            if answers() and self.pid() is not None:
                return int(state.split()[1])
            if time.monotonic() > deadline:
                self.kill()
                state = f"did not answer within {START_TIMEOUT_S:.0f} s"
                break
            time.sleep(_POLL_INTERVAL_S)
            state = self._ask(watchdog.ASK)
        raise ServerError(f"{self.name} did not start ({state}): {self._complaint()}")

    def pid(self) -> int | None:
        """Returns the pid of the running server, None when it does not run."""
        word, value = self._ask(watchdog.ASK).split(maxsplit=1)
        return int(value) if word == "running" else None

    def terminate(self) -> None:
        """Asks the server to shut down, as its operator would, and returns when it has."""
        self._ask(watchdog.TERMINATE)

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        self._ask(watchdog.KILL)

    def close(self) -> None:
        """Kills what still runs, removes the folder if that was agreed, and returns when both is done."""
        with self._lock:
            if self._watchdog.stdin is not None and self._watchdog.stdout is not None:
                self._watchdog.stdin.close()
                self._watchdog.wait(_ANSWER_TIMEOUT_S)
                self._watchdog.stdout.close()
        if self.removes_folder:
            # The watchdog has done it, unless it was itself killed.
            shutil.rmtree(self.log.parent, ignore_errors=True)

    def _ask(self, command: bytes) -> str:
        with self._lock:
            stdin, stdout = self._watchdog.stdin, self._watchdog.stdout
            if stdin is None or stdout is None or stdin.closed:
                return "exited None"
            try:
                stdin.write(command)
                stdin.flush()
                answer = stdout.readline().decode().strip()
            except BrokenPipeError:
                answer = ""
        return answer or "exited with its watchdog"

    def _complaint(self) -> str:
        """The fault that the log names, else its last line, in a single line."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        errors = [line for line in lines if "ERROR" in line]
        return " | ".join((errors or lines)[-_LOG_LINES_SHOWN:]) or "its log is empty"
