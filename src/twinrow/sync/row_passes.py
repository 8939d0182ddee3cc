"""The passes over the rows of a copy that changed settings ask for: a tighter `where`, other rules of a split."""

from __future__ import annotations

from typing import Protocol

from twinrow.sync.filter_pass import FilterPass
from twinrow.table.context import TableContext


class RowPass(Protocol):
    """A pass that goes on a piece at a time, and from where it was after an interruption."""

    @property
    def through(self) -> bool:
        """Whether no row is left to be looked at."""

    def step(self) -> bool:
        """Look at some rows; whether there was anything to do."""


class RowPasses:
    """All passes over a table; a table that has none to make costs no query."""

    def __init__(self, context: TableContext) -> None:
        self._passes: list[RowPass] = [FilterPass(context)]
        if context.settings.split is not None:
            from twinrow.sync.resplit import ResplitPass

            self._passes.append(ResplitPass(context))

    @property
    def through(self) -> bool:
        """Whether no row is left to be looked at."""
        return all(each.through for each in self._passes)

    def step(self) -> bool:
        """A piece of each pass; whether there was anything to do."""
        worked = [each.step() for each in self._passes]
        return any(worked)
