"""The name of a table's TTL attribute, which DynamoDB is asked for once."""

from __future__ import annotations

from twinrow.dynamodb import DynamoDB


class TtlAttribute:
    """Asks at the first use, and keeps the answer for the life of the process."""

    def __init__(self) -> None:
        self._known: tuple[str | None, ...] = ()

    def of(self, dynamodb: DynamoDB, table: str) -> str | None:
        """The attribute; None where the table has none."""
        if not self._known:
            self._known = (dynamodb.ttl_attribute(table),)
        return self._known[0]
