"""What an item of a page becomes in MySQL, beside whatever a live capture has written there meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from twinrow.capture.pages import Page
from twinrow.capture_kind import SCANNED
from twinrow.change import Change
from twinrow.schema.row import key_of
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch
from twinrow.write.load import Loader, ReadPage

if TYPE_CHECKING:
    from twinrow.write.load import Text


class Landing(Protocol):
    """How pages are brought into MySQL, always in one transaction with the positions after them."""

    def rows_of(self, read: ReadPage) -> Text | None:
        """The page's rows where they can be loaded as they are; None where its items must be looked at."""

    def load(self, rows: Sequence[Text], positions: Mapping[str, Checkpoint]) -> Applied | None:
        """Load the rows of some pages in one commit; None, and nothing is written, when some must be looked at."""

    def apply(self, page: Page, positions: Mapping[str, Checkpoint]) -> Applied:
        """Bring a page item by item."""


class OlderThanCapture:
    """Everything that a live capture has written or deleted is newer than these items: they become absent rows only."""

    def __init__(self, context: TableContext, loader: Loader) -> None:
        self._context = context
        self._loader = loader

    def rows_of(self, read: ReadPage) -> Text | None:
        """The page's rows by the schema as it is now, made anew where it has moved on."""
        return self._loader.text_of(read)

    def load(self, rows: Sequence[Text], positions: Mapping[str, Checkpoint]) -> Applied | None:
        """Load rows; that they were absent, and have no tombstone, is proved in the same transaction."""
        return self._loader.load(rows, positions)

    def apply(self, page: Page, positions: Mapping[str, Checkpoint]) -> Applied:
        """Insert rows that are absent, learn what the items teach, and owe their links."""
        keys, items = self._context.live.keys, self._context.settings.wanted_of(page).items
        changes = [Change("PUT", SCANNED, key_of(keys, item), item, at=page.image_at) for item in items]
        applied = apply(self._context, Batch(changes, positions, if_absent=True))
        self._loader.taught(items)
        return applied
