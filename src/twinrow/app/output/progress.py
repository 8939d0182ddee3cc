"""How far a long work is, as one picture: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twinrow import clock
from twinrow.app.many import cut
from twinrow.app.observe.troubles import span
from twinrow.app.terminal import can_redraw, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DRAW_EVERY_S = 0.25
LINE_EVERY_S = 10.0


TABLES_DRAWN_MAX = 6
"""Up to this many tables have a bar or a line each; more share a picture, with bars for the tables most behind."""
NAME_COLUMNS_MAX = 28
Line = Callable[[str, str], None]
"""Takes a table (empty: all of them) and what is said of it."""


def _say(table: str, text: str) -> None:
    say(f"{table}: {text}" if table else text)


@dataclass
class _Work:
    """How far a table is: items through and in all (None: unknown), and how far it was `since` (monotonic seconds)."""

    done: int
    total: int | None
    doing: str
    first: int
    since: float

    @property
    def left(self) -> float:
        """Items that are left; of an unknown number more than of any known."""
        return float("inf") if self.total is None else self.total - self.done


class Bars:
    """How far tables are, as one picture: bars where `drawn` and on a terminal, else a `line` now and then.

    Many tables share a bar or a line, with own bars for those that have the most left. Any thread may call `tell`.
    Bars are there from the first `tell` on, and go when no table is at work: what is logged meanwhile stands above.
    """

    def __init__(self, unit: str, *, drawn: bool = True, line: Line = _say) -> None:
        self._unit = unit
        self._drawn = drawn
        self._say_line = line
        self._progress: Progress | None = None
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._works: dict[str, _Work] = {}
        self._through: dict[str, _Work] = {}
        self._said: dict[str, float] = {}
        self._chosen_at = 0.0
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
        self._works.clear()
        self._through.clear()
        self._said.clear()
        if progress is None:
            return
        try:
            progress.stop()
        except OSError:
            self._drawn = False  # the terminal is gone: nothing can be drawn on it, and the work must not end by that

    def tell(self, table: str, done: int, of: int | None, doing: str = "") -> None:
        """`done` of `of` (None or less than done: unknown) items of a table are through."""
        total, now = of if of and of >= done else None, clock.monotonic()
        with self._lock:
            work = self._works.setdefault(table, _Work(done, total, doing, done, now))
            work.done, work.total, work.doing = done, total, doing
            self._through.pop(table, None)
            if self._drawn:
                self._draw(table, work, now)
                return
            about = "" if len(self._works) + len(self._through) > TABLES_DRAWN_MAX else table
            if now - self._said.setdefault(about, now) >= LINE_EVERY_S:
                self._said[about] = now
                self._line(about, now)

    def end(self, table: str) -> None:
        """A table makes no more progress; its bar goes, if it has a bar."""
        with self._lock:
            if table not in self._works:
                return
            self._through[table] = self._works.pop(table)
            if self._progress is not None and table in self._tasks:
                self._progress.remove_task(self._tasks.pop(table))
            if not self._works:
                self._erase()

    def _sum(self) -> _Work:
        """All tables of the picture, with those that are through."""
        works = [*self._works.values(), *self._through.values()]
        totals = [work.total for work in works if work.total is not None]
        return _Work(
            sum(work.done for work in works), sum(totals) if len(totals) == len(works) else None, "",
            sum(work.first for work in works), min(work.since for work in works),
        )  # fmt: skip

    def _line(self, table: str, now: float) -> None:
        work = self._works[table] if table else self._sum()
        if not table:
            work.doing = f"{len(self._works) + len(self._through)} tables, {len(self._through)} through:"
        rate = (work.done - work.first) / max(now - work.since, DRAW_EVERY_S)
        share = f" of about {work.total:,} ({work.done / work.total:.0%})" if work.total else ""
        left = f", {span(work.left / rate)} left" if work.total and rate > 0 else ""
        doing = f"{work.doing} " if work.doing else ""
        self._say_line(table, f"{doing}{work.done:,}{share} {self._unit}, {rate:,.0f}/s{left}")

    def _draw(self, table: str, work: _Work, now: float) -> None:
        if self._progress is None:
            self._progress = _rich_progress(self._unit)
            self._all = self._progress.add_task("", total=None, doing="", visible=False)
            self._progress.start()
        if table not in self._tasks:
            name = cut(table, NAME_COLUMNS_MAX)
            self._tasks[table] = self._progress.add_task(name, total=None, doing=work.doing)
            self._chosen_at = 0.0
        self._progress.update(self._tasks[table], completed=work.done, total=work.total, doing=work.doing)
        if now - self._chosen_at >= DRAW_EVERY_S:
            self._chosen_at = now
            self._choose(self._progress)

    def _choose(self, progress: Progress) -> None:
        """Draw the tables that have the most left, and the bar of all above them."""
        tables = len(self._works) + len(self._through)
        if self._all is not None and tables > 1:
            work = self._sum()
            what, through = f"{tables} tables", f"{len(self._through)} through" if self._through else ""
            progress.update(
                self._all, description=what, doing=through, completed=work.done, total=work.total, visible=True
            )
        most = sorted(self._works, key=lambda table: -self._works[table].left)[:TABLES_DRAWN_MAX]
        for table, task in self._tasks.items():
            progress.update(task, visible=table in most)


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
