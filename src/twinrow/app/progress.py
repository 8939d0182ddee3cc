"""How far a long work is: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twinrow import clock
from twinrow.app.terminal import is_terminal, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DRAW_EVERY_S = 0.25
LINE_EVERY_S = 10.0


class Bars:
    """One bar a table. `tell` may be called from any thread, as often as it likes."""

    def __init__(self, unit: str, *, shown: bool = True) -> None:
        self._unit = unit
        self._shown = shown
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began = clock.monotonic()
        self._said_at = self._began
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._shown and is_terminal():
            self._progress = _rich_progress(self._unit)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def tell(self, table: str, done: int, of: int | None, doing: str = "") -> None:
        """`done` of `of` (None or less than done: unknown) items of a table are through."""
        if not self._shown:
            return
        total = of if of and of >= done else None
        with self._lock:
            if self._progress is None:
                self._line(table, done, total, doing)
                return
            if table not in self._tasks:
                self._tasks[table] = self._progress.add_task(table, total=None, doing=doing)
            self._progress.update(self._tasks[table], completed=done, total=total, doing=doing)

    def _line(self, table: str, done: int, total: int | None, doing: str) -> None:
        if clock.monotonic() - self._said_at < LINE_EVERY_S:
            return
        self._said_at = clock.monotonic()
        share = f" of about {total:,} ({done / total:.0%})" if total else ""
        rate = done / max(0.001, self._said_at - self._began)
        say(f"{table}: {doing + ' ' if doing else ''}{done:,}{share} {self._unit}, {rate:,.0f}/s")


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


def total(counted: Mapping[tuple[str, str], int]) -> int:
    """All changes that a copy's counters name."""
    return sum(dict(counted).values())
