"""Pre-flight of a table's split: entities that can have no item, or have none in a sample."""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.app.wiring import few_tries
from twinrow.entities.doubts import hidden, without_items
from twinrow.entities.route import router
from twinrow.entities.table import SplitSettings
from twinrow.errors import TwinrowError
from twinrow.table.table import Table

NAME = "split"
SAMPLE_ITEMS = 1_000
"""Read to see which entities occur: at most 1 MB, in a single request."""


def look(table: Table, split: SplitSettings) -> Iterator[Finding]:
    """The warnings about a split, or that there are none."""
    warnings = [str(found) for found in hidden(split.split)]
    yield from (Finding(table.name, NAME, "warning", text, "change their order, or `when`") for text in warnings)
    try:
        page = few_tries(lambda: table.dynamodb.scan_page(table.name, 0, 1, None, limit=SAMPLE_ITEMS))
    except TwinrowError:
        return  # reported under "rights to read"
    absent = without_items(split.split, router(split.split), page.items) if page.items else ()
    for name in absent:
        yield Finding(
            table.name, NAME, "warning", f"entity {name!r}: none of {len(page.items):,} items matches it",
            "look at its `when`, unless such items are rare",
        )  # fmt: skip
    if not warnings and not absent:
        yield Finding(table.name, NAME, "ok", f"each entity has items among the first {len(page.items):,}")
