"""The rules by which a batch is decided: the table's settings, and what this run knows of the copy."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.capture_kind import Traits
from twinrow.table.settings import Settings


@dataclass(frozen=True, slots=True)
class WriteRules:
    """Settings of a table, and facts that hold during one transaction. `upserts`: a UNIQUE index finds known rows."""

    settings: Settings
    first_copy: bool = False
    upserts: bool = True

    @property
    def traits(self) -> Traits:
        """The facts of the capture."""
        return self.settings.traits

    @property
    def adopts(self) -> bool:
        """Whether the rows of a first copy take the ids that their items carry."""
        return self.first_copy and self.settings.adopt_links

    @property
    def may_take_links(self) -> bool:
        """Whether a new row may take the id that its item carries: the row may have been lost, and the item not."""
        return self.settings.linked and (self.settings.adopt_links or not self.first_copy)

    @property
    def meets_foreign_ids(self) -> bool:
        """Whether an id that is not the row's is news: while ids are adopted, items carry ids of a former copy."""
        return self.settings.linked and not self.adopts
