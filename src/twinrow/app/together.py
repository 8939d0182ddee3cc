"""Log lines of many tables, held back for a moment: events with one cause become a line with "30 tables" in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from twinrow import clock
from twinrow.app.many import named, without_name

LogLevel = Literal["debug", "info", "warning", "error"]
NEWS_S = 2.0
"""A line waits so long for other tables with the same cause; nobody reads faster."""
AGAIN_S = 12.0
"""Tables that wait try again 10 s apart at most: after so long each has said once more that it waits."""
KNOWN_S = 120.0
"""A cause that was said so lately is no news: its line waits AGAIN_S."""
CAUSES_MAX = 1024
"""Causes held back; beyond, all of them are said at once."""

Key = tuple[LogLevel, str, str]


@dataclass
class _Held:
    """Tables with one cause that were not said yet: the text of the first, and until when it is held (monotonic)."""

    text: str
    due_at: float
    tables: dict[str, None] = field(default_factory=dict)


class Together:
    """Events of tables, by cause. Any thread may `add`; somebody calls `flush` now and then.

    Where there is only one table (`alone`), nothing is held back.
    """

    def __init__(self, say: Callable[[LogLevel, str, str, str], None]) -> None:
        self._say = say
        self._held: dict[Key, _Held] = {}
        self._said: dict[Key, float] = {}
        self._lock = threading.Lock()
        self.alone = True

    def add(self, level: LogLevel, event: str, table: str, text: str, cause: str) -> None:
        """Say `text` of the table, in a line with the other tables that have the same `cause`."""
        if self.alone or not table:
            self._say(level, event, table, text)
            return
        key, now = (level, event, cause), clock.monotonic()
        with self._lock:
            if key not in self._held:
                known = key in self._said and now - self._said[key] < KNOWN_S
                self._held[key] = _Held(text, now + (AGAIN_S if known else NEWS_S))
            self._held[key].tables[table] = None
            full = len(self._held) > CAUSES_MAX
        if full:
            self.flush(everything=True)

    def flush(self, *, everything: bool = False) -> None:
        """Say what was held back long enough, or `everything`."""
        now = clock.monotonic()
        with self._lock:
            due = [key for key, held in self._held.items() if everything or now >= held.due_at]
            lines = [(key, self._held.pop(key)) for key in due]
            self._said = {key: at for key, at in self._said.items() if now - at < KNOWN_S} | dict.fromkeys(due, now)
        for (level, event, _), held in lines:
            first, *others = held.tables
            if others:
                self._say(level, event, "", f"{named(list(held.tables))}: {without_name(held.text, first)}")
            else:
                self._say(level, event, first, held.text)
