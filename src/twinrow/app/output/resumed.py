"""Tables that waited and go on, reported once for each cause: thirty tables may wait for the same server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from twinrow.app.many import cause_of

TOGETHER_S_MAX = 10.0
"""The first table to go on is reported after this time, together with the others: each retries after its own pause."""


@dataclass
class _Through:
    """The tables that wait for a cause no more, since the first of them went on (monotonic seconds)."""

    at: float
    tables: list[str] = field(default_factory=list)


class Resumed:
    """The tables that wait, between two looks."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._through: dict[str, _Through] = {}

    def look(self, reasons: Mapping[str, str], now: float) -> Iterator[tuple[str, list[str]]]:
        """Causes that are over, with the tables that go on; `reasons` by table, empty where it waits for nothing."""
        for table, reason in reasons.items():
            before, cause = self._waiting.pop(table, ""), cause_of(reason, table) if reason else ""
            if cause:
                self._waiting[table] = cause
            elif before:
                self._through.setdefault(before, _Through(now)).tables.append(table)
        for cause, through in list(self._through.items()):
            if cause not in self._waiting.values() or now - through.at >= TOGETHER_S_MAX:
                del self._through[cause]
                yield cause, [table for table in dict.fromkeys(through.tables) if table not in self._waiting]
