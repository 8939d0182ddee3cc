"""The log of a running command on stderr: plain lines, or JSON with a fixed set of keys; never an item's values."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from twinrow import clock
from twinrow.app.many import NUMBERS, alike, cause_of
from twinrow.app.terminal import say
from twinrow.app.together import LogLevel, Together
from twinrow.app.typed import in_text

REPEAT_S = 60.0
"""A table that waits says why at once, and again after so long, not at every try."""
TROUBLE_REPEAT_S = 3600.0
SAID_MAX = 4096
"""Texts remembered, so that none is said too often."""


class Log:
    """Events of a command, one line each: `at`, `level`, `event`, `table`, `text`.

    Events of several tables with the same cause become a line with "30 tables" in it, once `many` was called; `flush`
    writes it.
    """

    def __init__(self, *, as_json: bool, verbose: bool) -> None:
        self.as_json = as_json
        self._verbose = verbose
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], float] = {}
        self._together = Together(self.event)

    def many(self, tables: int) -> None:
        """From now on this many tables write events."""
        self._together.alone = tables == 1

    def flush(self, *, everything: bool = False) -> None:
        """Say what was held back so that other tables could join it: what is due, or `everything`."""
        self._together.flush(everything=everything)

    def of_table(self, level: LogLevel, event: str, table: str, text: str) -> None:
        """Say it, in a line with the other tables that say the same but for names and numbers."""
        self._together.add(level, event, table, text, alike(text, table))

    def event(self, level: LogLevel, event: str, table: str, text: str) -> None:
        """Say it. `debug` is only said with --verbose."""
        if level == "debug" and not self._verbose:
            return
        at = datetime.fromtimestamp(clock.wall(), UTC)
        line = " ".join(text.split())
        with self._lock:
            if self.as_json:
                stamp = at.isoformat(timespec="milliseconds")
                say(json.dumps({"at": stamp, "level": level, "event": event, "table": table, "text": line}))
            else:
                say(f"{at:%H:%M:%S}Z {table + ': ' if table else ''}{line}")

    def waiting(self, table: str, reason: str) -> None:
        """A table waits, and why; the same reason is repeated every REPEAT_S only."""
        if self._is_news(table, reason, REPEAT_S):
            text = f"waiting: {in_text(reason)}"
            self._together.add("warning", "waiting", table, text, cause_of(reason, table))

    def trouble(self, table: str, text: str, commands: Sequence[str]) -> None:
        """Something is wrong with a table.

        Repeated every TROUBLE_REPEAT_S, a message with other numbers is the same trouble.
        """
        if self._is_news(table, NUMBERS.sub("#", text), TROUBLE_REPEAT_S):
            self.of_table("warning", "trouble", table, f"{text} ({'; '.join(commands)})" if commands else text)

    def _is_news(self, table: str, text: str, repeat_s: float) -> bool:
        now = clock.monotonic()
        with self._lock:
            if now - self._said.get((table, text), -repeat_s) < repeat_s:
                return False
            if len(self._said) >= SAID_MAX:
                self._said.clear()
            self._said[(table, text)] = now
            return True
