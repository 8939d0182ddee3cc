"""A bounded sample of a table: pages of segments picked at random, since a scan's first pages show one customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twinrow.change import Item
    from twinrow.dynamodb import DynamoDB
    from twinrow.table_description import TableDescription

SEGMENTS_MIN: Final = 20
ITEMS_A_SEGMENT_MAX: Final = 100
SEGMENT_BYTES: Final = 1_000_000
"""A page has at most so many bytes, so a segment of this size is a page."""
SEGMENTS_MAX: Final = 1_000_000
"""AWS, Scan: the largest TotalSegments."""
EMPTY_SEGMENTS_MAX: Final = 20
"""Segments without an item that others are read for: a table of few partition keys has many."""
BYTES_A_UNIT: Final = 8192
"""An eventually consistent read takes half a unit for 4 KB."""

ReadPage = Callable[[int, int], "list[Item]"]
"""Takes a segment and the number of segments; gives at most ITEMS_A_SEGMENT_MAX items of it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a sample reads."""

    bytes: int
    units: int

    def __str__(self) -> str:
        return f"at most {self.bytes / 1e6:,.0f} MB = {self.units:,} read units"


def bound(tables: int, segments_read: int) -> Bound:
    """The most that the samples of so many tables read, whatever the tables hold."""
    pages = tables * segments_read
    units = pages * 1024 * 1024 // BYTES_A_UNIT
    return Bound(pages * SEGMENT_BYTES, units)


def segments_of(table_bytes: int, segments_read: int) -> int:
    """Into how many segments a table of that size is cut, so that a page of a segment is most of it."""
    return min(SEGMENTS_MAX, max(SEGMENTS_MIN, segments_read, table_bytes // SEGMENT_BYTES))


def sample(read: ReadPage, table_bytes: int, segments_read: int, chance: Random) -> list[Item]:
    """The items of so many segments picked at random; segments without items are made good for, within a bound."""
    total = segments_of(table_bytes, segments_read)
    picked = chance.sample(range(total), min(total, segments_read + EMPTY_SEGMENTS_MAX))
    items: list[Item] = []
    pages = 0
    for segment in picked:
        if pages >= segments_read:
            break
        page = read(segment, total)
        items += page
        pages += bool(page)
    return items


def of_table(dynamodb: DynamoDB, description: TableDescription, segments_read: int) -> list[Item]:
    """The sample of a table. Raises Transient, DynamoDBError."""

    def read(segment: int, total: int) -> list[Item]:
        return dynamodb.scan_page(description.name, segment, total, None, limit=ITEMS_A_SEGMENT_MAX).items

    return sample(read, description.bytes, segments_read, Random())  # noqa: S311 - no secret hangs on it
