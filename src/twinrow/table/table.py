"""One DynamoDB table as it is given to this process: settings, doors, budgets and the request to stop (frozen)."""

from __future__ import annotations

from dataclasses import dataclass, field

from twinrow import capture_kind
from twinrow.bell import Bell
from twinrow.budget import Budget
from twinrow.capacity import limits
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.mysql import MySQL
from twinrow.table.settings import Settings
from twinrow.table.ttl import TtlAttribute
from twinrow.table_description import TableDescription


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be copied. Its budgets let no request through until `describe` has set them.

    Whoever has news for the work on it rings its `bell`.
    """

    settings: Settings
    dynamodb: DynamoDB
    mysql: MySQL
    stop: Stop
    read_budget: Budget = field(default_factory=Budget.unset)
    write_budget: Budget = field(default_factory=Budget.unset)
    ttl: TtlAttribute = field(default_factory=TtlAttribute)
    bell: Bell = field(default_factory=Bell)

    @property
    def name(self) -> str:
        """The DynamoDB table's name."""
        return self.settings.table

    def describe(self) -> TableDescription:
        """DynamoDB's description of the table; sets both budgets by it."""
        description: TableDescription = capture_kind.load(self.settings.capture).describe(self.settings, self.dynamodb)
        read, write = limits(self.settings.capacity, description)
        self.read_budget.limit(read)
        self.write_budget.limit(write)
        return description

    def ttl_attribute(self) -> str | None:
        """The table's TTL attribute, asked for only where TTL deletes differ from others."""
        if self.settings.soft_deletes == self.settings.soft_ttl_deletes:
            return None
        return self.ttl.of(self.dynamodb, self.name)
