"""Parallel scan as a source of pages: segments of the table, each resumable at its LastEvaluatedKey."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from twinrow import clock
from twinrow.budget import Spending
from twinrow.capture.pages import Page, SourceSpec
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB, budgeted
from twinrow.dynamodb_access import Access

if TYPE_CHECKING:
    from twinrow.entities.row_filter import RowFilter

FIRST_AT_ONCE_MAX = 4
SEGMENT_BYTES = 4_000_000
SEGMENTS_MIN = 4
SEGMENTS_MAX = 256
FIRST_ITEMS_MAX = 20_000
"""The first table is made from at most this many items; their pages are held until they are applied."""


class _ScanText(msgspec.Struct):
    """A scan as another process is told of it."""

    region: str
    endpoint_url: str | None
    table: str
    segments: int
    consistent: bool
    access: Access
    where: str | None


def segments_for(table_bytes: int, wanted: int | None = None) -> int:
    """Returns how many segments a table of that size is cut into, unless the settings want a number of their own."""
    return wanted or max(SEGMENTS_MIN, min(SEGMENTS_MAX, table_bytes // SEGMENT_BYTES))


class TableScan:
    """Scans a table in segments: a `PageSource`.

    A part is `SEGMENT/SEGMENTS`, a position the LastEvaluatedKey as JSON in ASCII (msgpack has no form for a lone
    surrogate). `consistent`: what was written before a page was asked for is in it.
    `row_filter`: DynamoDB leaves out what has no row, where it has an expression that says the same; else it stays in.
    """

    def __init__(
        self,
        dynamodb: DynamoDB,
        table: str,
        segments: int,
        budget: Spending,
        *,
        consistent: bool = False,
        row_filter: RowFilter | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._segments = segments
        self._budget = budget
        self._consistent = consistent
        self._filter = row_filter
        self._where = row_filter.expression if row_filter is not None else None

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The segments."""
        return tuple(f"{segment}/{self._segments}" for segment in range(self._segments))

    @property
    def plan(self) -> str:
        """The number of segments: a position in a segment says nothing once the table is cut otherwise."""
        return str(self._segments)

    @property
    def spec(self) -> SourceSpec | None:
        """The same scan for another process, which has DynamoDB's door and a budget of its own.

        None where items are protected: the secret stays in this process.
        """
        here, where = self._dynamodb, self._filter.source if self._filter is not None else None
        if not here.may_be_shared:
            return None
        text = _ScanText(
            here.region, here.endpoint_url, self._table, self._segments, self._consistent, here.access, where
        )  # fmt: skip
        return SourceSpec(__name__, msgspec.json.encode(text).decode())

    def pages(self, part: str, position: str | None, stop: Stop) -> Iterator[Page]:
        """The pages of a segment; each is a request within the budget. Raises Transient, also at `stop`."""
        key: Item | None = None if position is None else json.loads(position)
        while True:
            page = self._page(part, key, stop)
            yield page
            if page.position is None:
                return
            key = json.loads(page.position)

    def first(self, stop: Stop) -> list[Page]:
        """The first items of every segment."""
        limit = FIRST_ITEMS_MAX // self._segments
        at_once = min(FIRST_AT_ONCE_MAX, self._segments)
        with ThreadPoolExecutor(at_once, thread_name_prefix=f"first-{self._table}") as pool:
            return list(pool.map(lambda part: self._page(part, None, stop, limit), self.parts))

    def _page(self, part: str, key: Item | None, stop: Stop, limit: int | None = None) -> Page:
        dynamodb, segment, asked = self._dynamodb, int(part.partition("/")[0]), clock.boot_time()
        answer = budgeted(
            lambda: dynamodb.scan_page(
                self._table, segment, self._segments, key, limit=limit, consistent=self._consistent, where=self._where
            ),
            self._budget,
            stop,
        )
        position = None if answer.next_key is None else json.dumps(answer.next_key)
        return Page(part, answer.raw, position, dynamodb.clock.now(asked), answer.left_out)


def opened(text: str, budget: Spending) -> TableScan:
    """The scan of a `SourceSpec`."""
    scan = msgspec.json.decode(text, type=_ScanText)
    dynamodb = DynamoDB(scan.region, scan.endpoint_url, scan.access)
    row_filter = None
    if scan.where is not None:
        from twinrow.entities import row_filter as filters

        row_filter = filters.opened(scan.where)
    return TableScan(dynamodb, scan.table, scan.segments, budget, consistent=scan.consistent, row_filter=row_filter)
