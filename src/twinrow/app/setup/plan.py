"""The reads and writes of a sync, beforehand: capacity units, time within the budget, price (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from twinrow.app.wiring import dynamodb_settings_of
from twinrow.config import TableConfig
from twinrow.exports import price
from twinrow.sync.kind import kind_of
from twinrow.table_description import IndexDescription, TableDescription

SCAN_BYTES_A_UNIT = 8192
"""An eventually consistent read takes half a unit for 4 KB."""
WRITE_BYTES_A_UNIT = 1024
READ_PRICE = price.DOLLARS_A_MILLION_READS
WRITE_PRICE = 0.625
"""Dollars per million on-demand units in us-east-1; other Regions and provisioned tables pay other prices."""
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Work:
    """Units read and written, the seconds that takes within the budget (0: no bound), and its price in dollars."""

    read_units: float
    write_units: float
    seconds: float
    dollars: float


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table's plan: `first` copies what is there, `a_day` keeps it in step at `changes_a_day`.

    `export_gb` and `export_dollars` are those of a full export, None where no bucket is named for it; `by_export`
    says that the first copy is made from it, and then `first` has its price and no read unit. `where_sent`: whether
    DynamoDB itself leaves out what `where` leaves out, which saves bytes and no unit; None without `where`.
    """

    table: str
    capture: str
    items: int
    bytes: int
    first: Work
    a_day: Work
    changes_a_day: int
    read_limit: float | None
    write_limit: float | None
    indexes_written: tuple[str, ...]
    by_export: bool = False
    export_gb: float | None = None
    export_dollars: float | None = None
    where_sent: bool | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars per million units."""

    read: float = READ_PRICE
    write: float = WRITE_PRICE


def plan(
    table: TableConfig,
    description: TableDescription,
    limits: tuple[float | None, float | None],
    prices: Prices,
    changes_a_day: int,
) -> TablePlan:
    """Reckon with the table's own counts, which DynamoDB renews every six hours, and items of average size."""
    size = description.bytes / description.items if description.items else 0.0
    writes_an_item = max(1, math.ceil(size / WRITE_BYTES_A_UNIT))
    # The link attribute is a new value in every index that projects it, so that index is written, too.
    indexes = tuple(index.name for index in description.indexes if _holds_link(index, table))
    a_link = writes_an_item * (1 + len(indexes)) if table.linked else 0
    a_mark, marked = 0, 0
    pending = table.pending_index if table.traits.carries_marks else None
    if pending is not None:
        # Clearing the mark takes the item out of the pending index; another value puts it in again elsewhere.
        a_mark = writes_an_item * (1 if pending.done == "" else 2)
        if not table.linked:
            a_mark += writes_an_item
        index = description.index(pending.index)
        marked = index.items if index is not None else 0
    scan_units = description.bytes / SCAN_BYTES_A_UNIT
    first_read = 2 * scan_units if table.traits.consistent_scan else scan_units
    by_export, dollars = table.first_copy == "export", price.full_dollars(description.bytes)
    first = _work(0.0 if by_export else first_read, description.items * a_link + marked * a_mark, limits, prices)
    reading = _reads_a_day(table, description, scan_units, changes_a_day)
    if by_export:
        first = replace(first, dollars=first.dollars + dollars)
    a_day = _work(reading, changes_a_day * (a_link + a_mark), limits, prices)
    return TablePlan(
        table.name,
        table.capture,
        description.items,
        description.bytes,
        first,
        a_day,
        changes_a_day,
        limits[0],
        limits[1],
        indexes,
        by_export,
        round(description.bytes / price.GB, 3) if table.export is not None else None,
        dollars if table.export is not None else None,
        _where_sent(table),
    )


def _where_sent(table: TableConfig) -> bool | None:
    row_filter = dynamodb_settings_of(table, f"table {table.name}").row_filter
    return row_filter.expression is not None if row_filter is not None else None


def _holds_link(index: IndexDescription, table: TableConfig) -> bool:
    """Whether a link write changes the index; what the pending index costs is the mark's, which is cleared with it."""
    pending = table.pending_index
    if not table.linked or (pending is not None and pending.index == index.name):
        return False
    return index.projection == "ALL" or table.link_name in index.included


def _reads_a_day(table: TableConfig, description: TableDescription, scan_units: float, changes: int) -> float:
    passes = SECONDS_A_DAY / table.reconcile_s if table.reconcile_s else 0.0
    settings = dynamodb_settings_of(table, f"table {table.name}")
    return passes * scan_units + kind_of(settings).reads_a_day(settings, description, changes)


def _work(read: float, write: float, limits: tuple[float | None, float | None], prices: Prices) -> Work:
    seconds = max((units / limit for units, limit in zip((read, write), limits, strict=True) if limit), default=0.0)
    return Work(round(read, 1), write, round(seconds, 1), (read * prices.read + write * prices.write) / 1e6)
