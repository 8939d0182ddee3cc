"""A toy capture: the app keeps a journal of its writes. It is made of public protocols only, and of its line in KINDS.

The journal is worse than any real source: it tells each write twice, and in any order, with images that may be old.
"""

from __future__ import annotations

from typing import Final

from twinrow.capture_kind import UNFIT, ConfigLines, Remark, Right, TableChange, Traits, Try
from twinrow.change import Change, Item
from twinrow.dynamodb import DynamoDB
from twinrow.state import checkpoint
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync.kind import SourceNeeds
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.table_description import TableDescription
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch

JOURNAL: Final[list[tuple[Item, Item | None]]] = []
"""(key, image or None for a delete), as the app has told its writes."""
PART = "journal"
ENTRIES_A_STEP_MAX = 3


class Journal:
    """The journal from its durable position on."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        known = checkpoint.load(context.tenure.open_writer(), context.name, PART)
        self._read = int(known[PART].position or 0) if known else 0
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.retention_left_s: float | None = None
        self.trouble = ""

    def step(self) -> tuple[bool, Applied | None]:
        """Apply some entries, together with the position behind them."""
        context = self._context
        at, found = context.table.dynamodb.clock.now(), JOURNAL[self._read : self._read + ENTRIES_A_STEP_MAX]
        self.backlog = len(JOURNAL) - self._read - len(found)
        if not found:
            self.caught_up_at = at
            return False, None
        changes = [Change("DELETE" if item is None else "PUT", "JOURNAL", key, item) for key, item in found]
        position = {PART: Checkpoint(str(self._read + len(found)))}
        applied = apply(context, Batch(changes, position))
        self._read += len(found)
        return True, applied

    def prove(self, moment: float) -> None:
        """Each step that finds nothing proves it."""

    def close(self) -> None:
        """Nothing is held."""


class JournalKind:
    """The kind `toy`."""

    traits: Final = Traits(
        label="journal", origin="JOURNAL", tells_every_change=True, tells_deletes=True, in_order=False,
        changes_table=False,
    )  # fmt: skip

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable says all."""
        return dynamodb.describe(settings.table)

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Any table."""

    def begin(self, context: TableContext, description: TableDescription) -> None:  # noqa: ARG002 - of the protocol
        """Entries from before the first copy are in what it scans."""
        checkpoint.save(context.tenure.open_writer(), context.name, {PART: Checkpoint(str(len(JOURNAL)))})

    def source(self, needs: SourceNeeds) -> Journal:
        """The journal."""
        return Journal(needs.context)

    def state(self, settings: Settings, description: TableDescription) -> str:  # noqa: ARG002 - of the protocol
        """Its length."""
        return f"{len(JOURNAL)} entries"

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:  # noqa: ARG002
        """None."""
        return ()

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """Nothing to be made."""

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:  # noqa: ARG002 - of the protocol
        """None."""
        return ()

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:  # noqa: ARG002
        """None."""
        return ()

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:  # noqa: ARG002
        """A consistent read for each change."""
        return float(changes)

    def suits(self, description: TableDescription) -> int:  # noqa: ARG002 - of the protocol
        """No table by itself."""
        return UNFIT

    def template(self, description: TableDescription) -> ConfigLines:  # noqa: ARG002 - of the protocol
        """Nothing to be set."""
        return ConfigLines("   # the app tells its writes")


KIND: Final = JournalKind()
