"""The parts of one table that is being copied, each with an owner of its own."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.table.consent import Consent
from twinrow.table.copy_state import CopyState
from twinrow.table.counters import Counters
from twinrow.table.id_memory import IdMemory
from twinrow.table.live_schema import LiveSchema
from twinrow.table.settings import Settings
from twinrow.table.table import Table
from twinrow.table.tenure import Tenure


@dataclass(frozen=True, slots=True)
class TableContext:
    """All parts of one table. It is for functions that use most of them; others take the parts that they use."""

    table: Table
    tenure: Tenure
    live: LiveSchema
    ids: IdMemory
    state: CopyState
    counters: Counters
    consent: Consent

    @property
    def name(self) -> str:
        """The DynamoDB table's name."""
        return self.table.name

    @property
    def settings(self) -> Settings:
        """The table's settings."""
        return self.table.settings


def context_of(table: Table, consent: Consent | None = None) -> TableContext:
    """The parts of a table of which nothing is known yet."""
    tenure = Tenure(table.name, table.mysql)
    return TableContext(
        table, tenure, LiveSchema(table, tenure), IdMemory(), CopyState(), Counters(), consent or Consent()
    )
