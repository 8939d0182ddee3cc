"""Events capture: AWS Lambda is invoked with the table's changes, and its function enters their keys to be rechecked.

In: keys in `_twinrow_recheck`, entered by `twinrow.aws_lambda`. Out: their rows, like those of any recheck.
Not to be touched: the images in the events, which come twice and out of order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import UNFIT, ConfigLines, Remark, Right, TableChange, Traits, Try

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.sync.kind import SourceNeeds
    from twinrow.table.context import TableContext
    from twinrow.table.settings import Settings
    from twinrow.table_description import TableDescription


class Events:
    """The kind `events`."""

    traits: Final = Traits(
        label="events", origin="EVENTS", tells_deletes=True, in_order=False, consistent_scan=True, changes_table=False,
        runs_by_invocations=True,
        unpriced="the invocations of AWS Lambda are not in it",
    )  # fmt: skip

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable says all."""
        return dynamodb.describe(settings.table)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Any table: an event source mapping is Lambda's, and is not seen from here."""

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """Events have no position; the mapping has to exist before the first page is scanned."""

    def source(self, needs: SourceNeeds) -> None:
        """Keys are entered from outside, and worked off as every recheck is."""

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """Nothing is to be seen from here."""
        return "AWS Lambda hands changes over: its mapping must exist before the first copy begins"

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:  # noqa: ARG002 - as above
        """None."""
        return ()

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """The mapping is made with the function: see docs/lambda.md."""

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:  # noqa: ARG002 - of the protocol
        """None but those that every table needs; the mapping's are the function's."""
        return ()

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:  # noqa: ARG002
        """None but those that every table needs."""
        return ()

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:  # noqa: ARG002
        """A consistent read for each change at most: those of a key that come together are read once."""
        size = description.bytes / description.items if description.items else 0.0
        return changes * max(1.0, size / 4096)

    def suits(self, description: TableDescription) -> int:  # noqa: ARG002 - of the protocol
        """Only by choice: a function has to be made."""
        return UNFIT

    def template(self, description: TableDescription) -> ConfigLines:  # noqa: ARG002 - of the protocol
        """Nothing to be set."""
        return ConfigLines("             # AWS Lambda hands changes over")


KIND: Final = Events()
