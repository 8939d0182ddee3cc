"""Scan capture: the whole table is read again and again (`sync.reconcile`). For small tables.

In: the pace. Out: no source of its own: whole-table passes are the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import PREFERRED, UNFIT, ConfigLines, Remark, Right, TableChange, Traits, Try

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.sync.kind import SourceNeeds
    from twinrow.table.context import TableContext
    from twinrow.table.settings import Settings
    from twinrow.table_description import TableDescription

SCAN_ITEMS_MAX = 20_000
"""Up to so many items a pass over the whole table is cheap enough to be the capture."""


class Scan:
    """The kind `scan`."""

    traits: Final = Traits(label="capture", passes_only=True, reconcile_every="15m", changes_table=False)

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable says all."""
        return dynamodb.describe(settings.table)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Any table can be scanned."""

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """A pass begins at no position."""

    def source(self, needs: SourceNeeds) -> None:
        """Whole-table passes are the source."""

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """The pace."""
        return f"the whole table is read every {settings.reconcile_s or 0:g} s"

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:  # noqa: ARG002 - as above
        """None."""
        return ()

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """Nothing to be made."""

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:  # noqa: ARG002 - of the protocol
        """None but those that every table needs."""
        return ()

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:  # noqa: ARG002
        """None but those that every table needs."""
        return ()

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:  # noqa: ARG002
        """None besides the passes."""
        return 0.0

    def suits(self, description: TableDescription) -> int:
        """A small table without a stream."""
        return PREFERRED if description.stream_arn is None and description.items <= SCAN_ITEMS_MAX else UNFIT

    def template(self, description: TableDescription) -> ConfigLines:  # noqa: ARG002 - of the protocol
        """The pace, to be changed."""
        return ConfigLines(
            "               # small tables: the whole table, again and again",
            ('reconcile_every = "15m"        # a pass over the whole table reads bytes / 8192 units',),
        )


KIND: Final = Scan()
