"""Scan capture: the whole table is read again and again (`sync.reconcile`). For small tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import Traits

if TYPE_CHECKING:
    from twinrow.sync.copy import Copy
    from twinrow.sync.kind import SourceNeeds
    from twinrow.sync.settings import Settings
    from twinrow.table_description import TableDescription


class Scan:
    """The kind `scan`."""

    traits: Final = Traits(passes_only=True, reconcile_every="15m")

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Any table can be scanned."""

    def begin(self, copy: Copy, description: TableDescription) -> None:
        """A pass begins at no position."""

    def source(self, needs: SourceNeeds) -> None:
        """Whole-table passes are the source."""


KIND: Final = Scan()
