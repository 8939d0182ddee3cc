"""Signals: the first asks for a clean stop after the batch in hand, a second Ctrl-C ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from twinrow import clock
from twinrow.clock import Stop

AGAIN_AFTER_S = 0.5
"""A terminal and `timeout` may both pass one Ctrl-C on; no person presses it twice within so short a time."""
EXIT_AT_ONCE = 130
"""The exit code that shells report for a program that SIGINT ended."""
ASKING: Final = (signal.SIGINT, signal.SIGTERM)
READ_BYTES_MAX = 64

Handler = Callable[[int, FrameType | None], Any] | int | None


class _Early:
    """The signal that came before the command could take it, and the earlier handler (None: no command is awaited)."""

    numbers: Final[list[int]] = []
    before: Final[dict[int, Handler]] = {}


def keep_early() -> None:
    """From the first moment of the program on: a signal that comes while it imports is kept for its command.

    SIGHUP is kept at a terminal only; without one it is ignored until the command says otherwise.
    """

    def keep(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in _Early.numbers:
            os._exit(EXIT_AT_ONCE)
        _Early.numbers.append(number)

    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        _Early.before[signal.SIGHUP] = signal.signal(signal.SIGHUP, keep if at_terminal() else signal.SIG_IGN)
    _Early.before.update({number: signal.signal(number, keep) for number in ASKING})


def as_usual() -> None:
    """For commands that end by themselves: signals do what they did before `keep_early`, also those that were kept."""
    for number, handler in _Early.before.items():
        signal.signal(number, handler)
    _Early.before.clear()
    while _Early.numbers:
        signal.raise_signal(_Early.numbers.pop(0))


def stop_on_signals(*, at_hang_up: bool = False, on_hang_up: Callable[[], None] | None = None) -> Stop:
    """A Stop that SIGINT and SIGTERM set, also where they were ignored when the process was started (`&` in a script).

    `at_hang_up`: and SIGHUP, where the process was started at a terminal, which was closed then. Elsewhere SIGHUP calls
    `on_hang_up`, in a thread, where that is given; else it is ignored. Where it was ignored at the start it stays so,
    as `nohup` asks.

    The interpreter writes each signal's number into a pipe, in whichever thread the system interrupts, and a thread
    here waits for it. A handler in Python would not do: it runs in the main thread only, which waits for the other
    threads; and of a process that is woken (SIGCONT) the system gives a waiting signal to any thread.
    """
    stop = Stop()
    numbers, woken = os.pipe()
    os.set_blocking(woken, False)

    def asked(_number: int, _frame: FrameType | None) -> None:
        """The signal is in the pipe by now."""

    hang_up = on_hang_up if at_hang_up and not at_terminal() else None
    threading.Thread(target=_pass_on, args=(numbers, stop, asked, hang_up), name="signals", daemon=True).start()
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in ASKING:
        signal.signal(number, asked)
    before = _Early.before.get(signal.SIGHUP, signal.getsignal(signal.SIGHUP))
    if not at_hang_up:
        signal.signal(signal.SIGHUP, before)
    elif before != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, asked if hang_up is not None or at_terminal() else signal.SIG_IGN)
    if _Early.numbers:
        stop.set()
    _Early.numbers.clear()
    _Early.before.clear()
    return stop


def _pass_on(numbers: int, stop: Stop, asked: Handler, hang_up: Callable[[], None] | None) -> None:
    """Set the stop; in a thread, because setting wants a lock that the main thread may hold when it is interrupted."""
    asked_at = 0.0
    while signal_numbers := os.read(numbers, READ_BYTES_MAX):
        for number in signal_numbers:
            if signal.getsignal(number) is not asked:
                continue  # somebody else takes it now: a question to a person, a test
            if number == signal.SIGHUP and hang_up is not None:
                hang_up()
                continue
            if asked_at and number == signal.SIGINT and clock.monotonic() - asked_at > AGAIN_AFTER_S:
                os._exit(EXIT_AT_ONCE)
            asked_at = asked_at or clock.monotonic()
            stop.set()


def at_terminal() -> bool:
    """Whether the process was started at a terminal, whatever its input and output are now."""
    if any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


@contextmanager
def asking() -> Iterator[None]:
    """While a person is asked something: one Ctrl-C is the answer that ends the command, not a stop to wait for.

    Also where SIGINT was ignored when the process was started, as a script's `&` does for all its children: who is
    asked can press it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
