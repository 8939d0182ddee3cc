"""What a running command says on stderr: plain lines, or JSON with a fixed set of keys; never an item's values."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Literal

from twinrow import clock
from twinrow.app.terminal import say

Level = Literal["debug", "info", "warning", "error"]
REPEAT_S = 60.0
"""A table that waits says why at once, and again after so long, not at every try."""


class Log:
    """Events of a command, one line each: `at`, `level`, `event`, `table`, `text`."""

    def __init__(self, *, as_json: bool, verbose: bool) -> None:
        self.as_json = as_json
        self._verbose = verbose
        self._lock = threading.Lock()
        self._waits: dict[str, tuple[str, float]] = {}

    def event(self, level: Level, event: str, table: str, text: str) -> None:
        """Say it. `debug` is only said with --verbose."""
        if level == "debug" and not self._verbose:
            return
        at = datetime.fromtimestamp(clock.now(), UTC)
        line = " ".join(text.split())
        with self._lock:
            if self.as_json:
                stamp = at.isoformat(timespec="milliseconds")
                say(json.dumps({"at": stamp, "level": level, "event": event, "table": table, "text": line}))
            else:
                say(f"{at:%H:%M:%S}Z {table + ': ' if table else ''}{line}")

    def waiting(self, table: str, reason: str) -> None:
        """A table waits, and why; the same reason is repeated every REPEAT_S only."""
        said, at = self._waits.get(table, ("", 0.0))
        if said == reason and clock.monotonic() - at < REPEAT_S:
            return
        self._waits[table] = (reason, clock.monotonic())
        self.event("warning", "waiting", table, f"waiting: {reason}")
