"""Pending-index capture: the app marks each write, an index shows what is marked, the copy clears the mark.

In: pages of the index. Out: batches of marked items; the link write clears each mark.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import SUITED, UNFIT, ConfigLines, Remark, Right, TableChange, Traits, Try
from twinrow.kinds.pending_index.index import add_index, check_index, mark_index, wait_for_index

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.sync.kind import Source, SourceNeeds
    from twinrow.table.context import TableContext
    from twinrow.table.settings import Settings
    from twinrow.table_description import TableDescription

IDLE_POLLS_A_DAY = 86_400 / 0.4
"""An idle poll of one pending value comes every 0.4 s, and costs half a unit."""
QUERY_BYTES_A_UNIT = 8192
"""An eventually consistent read takes half a unit for 4 KB."""
GET_BYTES_A_UNIT = 4096


class MarkedItems:
    """The kind `pending-index`."""

    traits: Final = Traits(
        label="pending index", origin="PENDING", carries_marks=True, waits_for_adoption=True, links_by_default=True,
        part="pending_index", unseen="writes without the mark and hard deletes",
    )  # fmt: skip

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable says all."""
        return dynamodb.describe(settings.table)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused where the index is not there, is not ready, or cannot be asked for the marks."""
        if settings.pending is not None:
            check_index(settings.pending, description, f"table {settings.table}")

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """The index itself is the position."""

    def source(self, needs: SourceNeeds) -> Source | None:
        """Rounds over the index."""
        from twinrow.kinds.pending_index.poll import Poll

        pending = needs.context.settings.pending
        if pending is None:
            return None
        index = needs.description.index(pending.index)
        whole = index is not None and index.projection == "ALL"
        return Poll(needs.context, needs.linker, pending, whole, once=needs.once)

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """Index and mark."""
        pending = settings.pending
        return f"{pending.index} on {pending.attribute}, ACTIVE" if pending is not None else ""

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:
        """A projection that lacks attributes, and a sort key that not every item has."""
        index = description.index(settings.pending.index) if settings.pending is not None else None
        if index is None:
            return ()
        found = []
        if index.projection != "ALL":
            text = f"{index.projection}: each marked item costs a consistent read more"
            found.append(Remark("projection", text, "an index with projection ALL"))
        keys = {name for name, _ in description.keys}
        sort = next((name for name, _ in index.keys[index.hashes :] if name not in keys), None)
        if sort is not None:
            text = (
                f"items without {sort!r} are not in the index: their marked writes are seen at the next reconcile only"
            )
            found.append(Remark("sort key", text, "an index with a hash key alone, or reconcile_every"))
        return tuple(found)

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """Add the index, or wait until it is built."""
        pending = settings.pending
        if pending is None:
            return None
        index = description.index(pending.index)
        if index is None:
            return add_index(description, pending)
        return wait_for_index(index.name) if index.status == "CREATING" else None

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:
        """To query the index."""
        pending = settings.pending
        return (Right(("dynamodb:Query",), f"{arn}/index/{pending.index}"),) if pending is not None else ()

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:  # noqa: ARG002
        """Query the index for the first mark."""
        pending = settings.pending
        if pending is None:
            return ()

        def query() -> None:
            dynamodb.query_page(settings.table, pending.index, pending.attribute, pending.marks[0], None, 1)

        return (Try("dynamodb:Query", query),)

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:
        """Idle polls, and each change once; where the index does not hold whole items a consistent read more."""
        pending = settings.pending
        if pending is None:
            return 0.0
        size = description.bytes / description.items if description.items else 0.0
        reads = len(pending.marks) * IDLE_POLLS_A_DAY * 0.5 + changes * size / QUERY_BYTES_A_UNIT
        index = description.index(pending.index)
        if index is not None and index.projection != "ALL":
            reads += changes * max(1, math.ceil(size / GET_BYTES_A_UNIT))
        return reads

    def suits(self, description: TableDescription) -> int:
        """A table whose index has a key that is named as marks are."""
        return SUITED if mark_index(description) is not None else UNFIT

    def template(self, description: TableDescription) -> ConfigLines:
        """The index that is there, or the index that `check --fix` adds."""
        index = mark_index(description)
        name, (attribute, kind) = (
            (index.name, index.keys[0]) if index is not None else ("migrated-index", ("migrated", "S"))
        )
        missing = "" if index is not None else "   # `twinrow check --fix` adds it"
        return ConfigLines(
            "      # the app marks every write; the copy reads what is marked",
            ('# reconcile_every = "24h"      # sees unmarked writes and hard deletes, too; reads the whole table',),
            (
                "",
                "[tables.pending_index]",
                f"index = {_text(name)}{missing}",
                f"attribute = {_text(attribute)}       # the app writes a value of `pending` here on every write",
                f"pending = [{'0' if kind == 'N' else _text('false')}]",
                'done = ""                      # the mark is removed; or the value to set in its place',
                '# deleted = "deleted"          # items in which this attribute is true count as deleted',
            ),
        )


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are its escapes, but for surrogate pairs."""
    return json.dumps(text, ensure_ascii=False)


KIND: Final = MarkedItems()
