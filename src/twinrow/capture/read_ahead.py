"""Pages read by a few threads of this process into a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from twinrow.capture.pages import Page, PageSource
from twinrow.clock import Stop
from twinrow.errors import Transient
from twinrow.failpoint import fail_point
from twinrow.retry import back_off_s

READING_THREADS_MAX = 4
PAGES_QUEUED_MAX = 6
"""A page is at most 1 MB on the wire, and stays so in the queue; decoded it is some 5 MB of Python objects."""
PUT_WAIT_S = 0.5

Made = TypeVar("Made")


class ReadAhead(Generic[Made]):
    """Reads parts of a source from their positions (None: the beginning); see `Pages` for what it does.

    What passes is tried again and shown in `trouble`. `make` works in the thread that has read the page, while those
    before it are being taken.
    """

    def __init__(
        self, source: PageSource, positions: Mapping[str, str | None], stop: Stop, make: Callable[[Page], Made]
    ) -> None:
        self._source = source
        self._make = make
        self._stop = stop
        self._over = Stop()
        self._todo: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        for part, position in positions.items():
            self._todo.put((part, position))
        self._made: queue.Queue[tuple[bool, Made] | Exception] = queue.Queue(PAGES_QUEUED_MAX)
        self._left = len(positions)
        self.trouble = ""
        self._threads = [
            threading.Thread(target=self._read, name=f"pages-{n}", daemon=True)
            for n in range(min(READING_THREADS_MAX, len(positions)))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether every part's last page was taken."""
        return self._left == 0

    def take(self, wait_s: float) -> Made | None:
        """The next page of any part, in order within a part; None when none came in `wait_s` or all is read."""
        if self.done:
            return None
        try:
            found = self._made.get(timeout=wait_s) if wait_s > 0 else self._made.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise found
        is_last, made = found
        self._left -= is_last
        return made

    def close(self) -> None:
        """Stop reading; pages not taken are dropped (their positions were never made durable)."""
        self._over.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._made.get(timeout=0.05)
            except queue.Empty:
                continue

    def _read(self) -> None:
        try:
            while not (self._stop or self._over):
                try:
                    part, position = self._todo.get_nowait()
                except queue.Empty:
                    return
                self._read_part(part, position)
        except Exception as error:  # noqa: BLE001 - handed to the thread that takes pages, which raises it
            self._put(error)

    def _read_part(self, part: str, position: str | None) -> None:
        attempt, pages = 0, self._source.pages(part, position, self._over)
        while not (self._stop or self._over):
            try:
                page = next(pages, None)
            except Transient as trouble:
                attempt += 1
                self.trouble = str(trouble)
                self._over.wait(back_off_s(attempt))
                pages = self._source.pages(part, position, self._over)
                continue
            if page is None or self._stop:
                return
            attempt, self.trouble, position = 0, "", page.position
            fail_point("after-scan-page")
            self._put((position is None, self._make(page)))

    def _put(self, found: tuple[bool, Made] | Exception) -> None:
        while not (self._stop or self._over):
            try:
                self._made.put(found, timeout=PUT_WAIT_S)
            except queue.Full:
                continue
            return
