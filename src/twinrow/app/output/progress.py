"""How far a long work is: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twinrow import clock
from twinrow.app.observe.troubles import span
from twinrow.app.terminal import can_redraw, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DRAW_EVERY_S = 0.25
LINE_EVERY_S = 10.0


Line = Callable[[str, str], None]
"""Takes a table and what is said of it."""


def _say(table: str, text: str) -> None:
    say(f"{table}: {text}")


@dataclass
class _Told:
    """How far a table was when it was first told of, and when a line was said last (monotonic seconds)."""

    done: int
    at: float
    said_at: float


class Bars:
    """One bar a table where `drawn` and on a terminal, else a `line` now and then; any thread may `tell`.

    They are there from the first `tell` on, and go when the last table has none: what is logged meanwhile stands above.
    """

    def __init__(self, unit: str, *, drawn: bool = True, line: Line = _say) -> None:
        self._unit = unit
        self._drawn = drawn
        self._say_line = line
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, _Told] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._drawn = self._drawn and can_redraw()  # asked now: while bars are drawn, stderr is rich's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._erase()

    def _erase(self) -> None:
        progress, self._progress = self._progress, None
        self._tasks.clear()
        if progress is None:
            return
        try:
            progress.stop()
        except OSError:
            self._drawn = False  # the terminal is gone: nothing can be drawn on it, and the work must not end by that

    def tell(self, table: str, done: int, of: int | None, doing: str = "") -> None:
        """`done` of `of` (None or less than done: unknown) items of a table are through."""
        total = of if of and of >= done else None
        with self._lock:
            if not self._drawn:
                self._line(table, done, total, doing)
                return
            if self._progress is None:
                self._progress = _rich_progress(self._unit)
                self._progress.start()
            if table not in self._tasks:
                self._tasks[table] = self._progress.add_task(table, total=None, doing=doing)
            self._progress.update(self._tasks[table], completed=done, total=total, doing=doing)

    def end(self, table: str) -> None:
        """Nothing more is told of a table; its bar goes, if it has one."""
        with self._lock:
            self._told.pop(table, None)
            if self._progress is None or table not in self._tasks:
                return
            self._progress.remove_task(self._tasks.pop(table))
            if not self._tasks:
                self._erase()

    def _line(self, table: str, done: int, total: int | None, doing: str) -> None:
        now = clock.monotonic()
        told = self._told.setdefault(table, _Told(done, now, now))
        if now - told.said_at < LINE_EVERY_S:
            return
        told.said_at = now
        rate = (done - told.done) / (now - told.at)
        share = f" of about {total:,} ({done / total:.0%})" if total else ""
        left = f", {span((total - done) / rate)} left" if total and rate > 0 else ""
        self._say_line(table, f"{doing + ' ' if doing else ''}{done:,}{share} {self._unit}, {rate:,.0f}/s{left}")


def _rich_progress(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} {unit}/s", style="dim")

    return Progress(
        TextColumn("{task.description}"), TextColumn("{task.fields[doing]}", style="cyan"), BarColumn(),
        MofNCompleteColumn(), Rate(), TimeRemainingColumn(), console=Console(stderr=True), refresh_per_second=4,
    )  # fmt: skip


class Watcher:
    """Calls `look` every DRAW_EVERY_S on a thread of its own, while the work goes on in others."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._over = clock.Stop()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(DRAW_EVERY_S):
            self._look()
        self._look()
