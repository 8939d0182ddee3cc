"""The protocol of a capture kind, for the engine and for the commands. The kinds themselves are in `twinrow.kinds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twinrow import capture_kind
from twinrow.capture_kind import ConfigLines, Remark, Right, TableChange, Traits, Try
from twinrow.dynamodb import DynamoDB
from twinrow.link.threads import Linker
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.table_description import TableDescription
from twinrow.write.batch import Applied


class Source(Protocol):
    """A source follows a table; the loop of the table's run calls it, and submits its pending links.

    `caught_up_at`: every change before this moment is in MySQL; 0 until the moment is later than the making of the
    source. `oldest_at`: the moment of the oldest change that is not in MySQL (None: there is none). Both are on
    DynamoDB's clock. `backlog`: changes seen and not yet copied (None: not known).
    `retention_left_s`: seconds until changes that wait are lost (None: never). `trouble`: why it waits, else "".
    """

    @property
    def caught_up_at(self) -> float:
        """See above."""

    @property
    def oldest_at(self) -> float | None:
        """See above."""

    @property
    def backlog(self) -> int | None:
        """See above."""

    @property
    def retention_left_s(self) -> float | None:
        """See above."""

    @property
    def trouble(self) -> str:
        """See above."""

    def step(self) -> tuple[bool, Applied | None]:
        """Do a piece of work; whether there was any, and what was applied. A step applies at most a single batch."""

    def prove(self, moment: float) -> None:
        """Somebody waits until `caught_up_at` has reached a moment that has passed: show it as soon as can be."""

    def close(self) -> None:
        """End threads and drop what was read ahead."""


@dataclass(frozen=True, slots=True)
class SourceNeeds:
    """The parts that a source may be made from.

    With `once` the run ends when all from before its beginning is copied.
    """

    context: TableContext
    linker: Linker
    description: TableDescription
    once: bool


class CaptureKind(Protocol):
    """A way to find changes: all that is special about it."""

    @property
    def traits(self) -> Traits:
        """The facts on which the engine depends."""

    def describe(self, settings: Settings, dynamodb: DynamoDB) -> TableDescription:
        """DescribeTable, and what else the kind has to know of the table. Raises as DynamoDB does."""

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused for what must be mended in DynamoDB first."""

    def begin(self, context: TableContext, description: TableDescription) -> None:
        """Make durable where changes are followed from, before the first page of a new copy is scanned."""

    def source(self, needs: SourceNeeds) -> Source | None:
        """The source that follows the table from its durable position on.

        None where whole-table passes are the source.
        """

    def state(self, settings: Settings, description: TableDescription) -> str:
        """For `check`, where nothing is refused: how the table stands."""

    def remarks(self, settings: Settings, description: TableDescription) -> tuple[Remark, ...]:
        """For `check`: warnings."""

    def fix(self, settings: Settings, description: TableDescription) -> TableChange | None:
        """The fix of `check --fix` where `refuse` raises; None where only a person can mend it."""

    def rights(self, settings: Settings, arn: str) -> tuple[Right, ...]:
        """The rights that it needs besides those of every table; `arn` is the table's."""

    def tries(self, settings: Settings, description: TableDescription, dynamodb: DynamoDB) -> tuple[Try, ...]:
        """Requests of `check` that prove its rights, for a table that is not refused."""

    def reads_a_day(self, settings: Settings, description: TableDescription, changes: int) -> float:
        """Read units a day at so many changes a day, without whole-table passes."""

    def suits(self, description: TableDescription) -> int:
        """How well it suits a table for which nobody has chosen: from UNFIT to SUITED."""

    def template(self, description: TableDescription) -> ConfigLines:
        """The lines that `init` writes for a table with this capture."""


def kind_of(settings: Settings) -> CaptureKind:
    """The kind by which a table is captured."""
    kind: CaptureKind = capture_kind.load(settings.capture)
    return kind
