"""Parallel scan: segments read by a few threads into a bounded queue, each resumable at its LastEvaluatedKey."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from twinrow import clock
from twinrow.budget import Spending
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB, budgeted
from twinrow.dynamodb_wire import Page
from twinrow.errors import Transient
from twinrow.failpoint import fail_point
from twinrow.retry import back_off_s
from twinrow.schema.load_text import LoadText

READERS_MAX = 4
PAGES_QUEUED_MAX = 6
"""A page is at most 1 MB on the wire, and stays so in the queue; decoded it is some 5 MB of Python objects."""
PUT_WAIT_S = 0.5
SEGMENT_BYTES = 4_000_000
SEGMENTS_MIN = 4
SEGMENTS_MAX = 256
FIRST_ITEMS_MAX = 20_000
"""So many items in all make the first table; the pages that they come in are held until they are applied."""


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A page of one segment, asked for at `at` (epoch seconds, DynamoDB's clock); `next_key` None ends the segment.

    `text`: its rows, ready to be loaded, where they were made beside the reading.
    """

    segment: int
    page: Page
    at: float
    text: LoadText | None = None

    @property
    def items(self) -> list[Item]:
        """The items in wire form, decoded anew each time."""
        return self.page.items

    @property
    def next_key(self) -> Item | None:
        """The position after it."""
        return self.page.next_key


def segments_for(table_bytes: int, wanted: int | None = None) -> int:
    """Returns how many segments a table of that size is cut into, unless the settings want a number of their own."""
    return wanted or max(SEGMENTS_MIN, min(SEGMENTS_MAX, table_bytes // SEGMENT_BYTES))


MakeText = Callable[[bytes], LoadText | None]


class PageSource(Protocol):
    """Where the pages of a table's segments come from."""

    @property
    def done(self) -> bool:
        """Whether every segment's last page was taken."""

    @property
    def trouble(self) -> str:
        """Why it waits, when it does."""

    def take(self, wait_s: float) -> ScannedPage | None:
        """The next page of any segment, in order within a segment; None when none came in `wait_s` or all is read."""

    def close(self) -> None:
        """Stop reading; pages not taken are dropped (their positions were never made durable)."""


class ParallelScan:
    """Reads the segments from their positions (None: the beginning). What passes is retried and shown in `trouble`.

    `make_text` makes rows of a page in the thread that has read it, while those before it are being loaded.
    `consistent`: what was written before a page was asked for is in it.
    """

    def __init__(
        self,
        dynamodb: DynamoDB,
        table: str,
        segments: int,
        positions: Mapping[int, Item | None],
        budget: Spending,
        stop: Stop,
        make_text: MakeText = lambda raw: None,
        *,
        consistent: bool = False,
    ) -> None:
        self._consistent = consistent
        self._make_text = make_text
        self._dynamodb = dynamodb
        self._table = table
        self._segments = segments
        self._budget = budget
        self._stop = stop
        self._over = Stop()
        self._todo: queue.SimpleQueue[tuple[int, Item | None]] = queue.SimpleQueue()
        for segment, position in positions.items():
            self._todo.put((segment, position))
        self._pages: queue.Queue[ScannedPage | Exception] = queue.Queue(PAGES_QUEUED_MAX)
        self._left = len(positions)
        self.trouble = ""
        self._threads = [
            threading.Thread(target=self._read, name=f"scan-{table}-{n}", daemon=True)
            for n in range(min(READERS_MAX, len(positions)))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether every segment's last page was taken."""
        return self._left == 0

    def take(self, wait_s: float) -> ScannedPage | None:
        """The next page of any segment, in order within a segment; None when none came in `wait_s` or all is read."""
        if self.done:
            return None
        try:
            page = self._pages.get(timeout=wait_s) if wait_s > 0 else self._pages.get_nowait()
        except queue.Empty:
            return None
        if isinstance(page, Exception):
            raise page
        if page.next_key is None:
            self._left -= 1
        return page

    def close(self) -> None:
        """Stop reading; pages not taken are dropped (their positions were never made durable)."""
        self._over.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._pages.get(timeout=0.05)
            except queue.Empty:
                continue

    def _read(self) -> None:
        try:
            while not (self._stop or self._over):
                try:
                    segment, position = self._todo.get_nowait()
                except queue.Empty:
                    return
                self._read_segment(segment, position)
        except Exception as error:  # noqa: BLE001 - handed to the thread that takes pages, which raises it
            self._put(error)

    def _read_segment(self, segment: int, start_key: Item | None) -> None:
        attempt = 0
        while not (self._stop or self._over):
            asked = clock.boot_time()
            try:
                page = self._page(segment, start_key)
            except Transient as trouble:
                attempt += 1
                self.trouble = str(trouble)
                self._over.wait(back_off_s(attempt))
                continue
            if self._stop:
                return
            attempt, self.trouble = 0, ""
            fail_point("after-scan-page")
            self._put(ScannedPage(segment, page, self._dynamodb.clock.now(asked), self._make_text(page.raw)))
            start_key = page.next_key
            if start_key is None:
                return

    def _page(self, segment: int, start_key: Item | None) -> Page:
        # waits for the budget until this scan is closed, be it by a stop or by trouble elsewhere
        return budgeted(
            lambda: self._dynamodb.scan_page(
                self._table, segment, self._segments, start_key, consistent=self._consistent
            ),
            self._budget,
            self._over,
        )

    def _put(self, page: ScannedPage | Exception) -> None:
        while not (self._stop or self._over):
            try:
                self._pages.put(page, timeout=PUT_WAIT_S)
            except queue.Full:
                continue
            return


def first_pages(
    dynamodb: DynamoDB, table: str, segments: int, budget: Spending, stop: Stop, *, consistent: bool = False
) -> list[ScannedPage]:
    """One page of every segment: what the first table is made from, and what shows ids that were there before."""
    limit = FIRST_ITEMS_MAX // segments

    def first(segment: int) -> ScannedPage:
        asked = clock.boot_time()
        page = budgeted(
            lambda: dynamodb.scan_page(table, segment, segments, None, limit=limit, consistent=consistent), budget, stop
        )
        return ScannedPage(segment, page, dynamodb.clock.now(asked))

    with ThreadPoolExecutor(min(READERS_MAX, segments), thread_name_prefix=f"first-{table}") as pool:
        return list(pool.map(first, range(segments)))
