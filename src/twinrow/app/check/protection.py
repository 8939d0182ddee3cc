"""Pre-flight of protection: where protected values also stand, what no rule can reach, and rules that cover nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from twinrow.app.check.finding import Finding
from twinrow.app.wiring import connect, few_tries
from twinrow.errors import TwinrowError
from twinrow.schema.naming import quote
from twinrow.state import lease
from twinrow.state.tables import Registered
from twinrow.table.table import Table

if TYPE_CHECKING:
    from twinrow.protect.guard import TableProtection

NAME: Final = "protection"
ROWS_A_S: Final = 1_000
"""Rows that a pass protects in a second (measured: 4,000 in 3.6 s, on two cores that did other work, too)."""
SAMPLE_ITEMS: Final = 1_000
"""At most 1 MB is read of them: 128 read units."""


def look(table: Table, protection: TableProtection, registered: Registered | None) -> Iterator[Finding]:
    """What concerns the rules of a table. One page of its items is read."""
    from twinrow.protect.door import GuardedDynamoDB

    door = table.dynamodb
    if not isinstance(door, GuardedDynamoDB):
        return
    try:
        found = few_tries(lambda: door.sample(table.name, SAMPLE_ITEMS))
    except TwinrowError as error:
        yield Finding(table.name, NAME, "error", error.what, error.remedy)
        return
    places = {name: sorted(others) for name, others in sorted(found.also_in.items())}
    for name, others in places.items():
        listed = ", ".join(others)
        yield Finding(
            table.name, NAME, "warning", f"values of {name!r} stand in {listed} of the same items, too",
            f"protect {listed} as well, if that is no chance",
        )  # fmt: skip
    for name in found.nowhere:
        near = get_close_matches(name, sorted(found.names), n=1)
        yield Finding(
            table.name, NAME, "warning",
            f"no item of {found.items:,} has the protected attribute {name!r}",
            f"did you mean {near[0]!r}?" if near else "look for a slip in the name",
        )  # fmt: skip
    if registered is not None and registered.settings.get("protection") != protection.summary:
        yield from _later(table, protection, registered)
    if table.settings.export is not None:
        yield Finding(
            table.name, NAME, "warning", "exports in S3 hold raw items", "protect the bucket as you protect the table"
        )
    if not places and not found.nowhere:
        yield Finding(table.name, NAME, "ok", f"no protected value stands elsewhere in {found.items:,} items")


def _later(table: Table, protection: TableProtection, registered: Registered) -> Iterator[Finding]:
    """Rules that are others than those that the rows were made by: what the next start does, and what it cannot do."""
    from twinrow.sync.changed_protection import change_between

    change = change_between(registered.settings.get("protection"), protection.summary)
    ways = []
    if change.has_pass:
        with closing(connect(table.mysql)) as session:
            rows = lease.row_count(session, table.name)
        ways.append(f"rewrites {rows:,} rows inside MySQL in about {rows / ROWS_A_S:,.0f} s, before all else")
    if change.reread:
        ways.append("reads the whole table again (a reconcile)")
    if ways:
        yield Finding(table.name, NAME, "ok", f"the rules are changed: the next start {', and '.join(ways)}")
    yield Finding(
        table.name, NAME, "warning",
        "MySQL has seen values that the rules of today hide: old pages, binary logs and backups still hold them",
        f"OPTIMIZE TABLE {quote(table.settings.into)}, purge the binary logs, delete the backups, where that matters",
    )  # fmt: skip
