"""The door to DynamoDB of a table with protection: raw items go no further than this file.

What comes in (pages, records, items, images of link answers) is protected, and what goes out (keys, positions) is made
real again. Everything else in Twinrow sees protected items only, so no log, state, page or error can hold a raw value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twinrow.budget import Budget
from twinrow.change import PATH_DOT, Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_wire import ItemsPage, RecordsPage, Statement, StatementAnswer
from twinrow.protect.elsewhere import also_in
from twinrow.protect.guard import Guard, TableProtection
from twinrow.table_description import TableDescription

if TYPE_CHECKING:
    from twinrow.entities.filter_expression import FilterExpression


@dataclass(frozen=True, slots=True)
class Sample:
    """How many items were looked at, the names of their attributes, rules that cover none, and `also_in` of them."""

    items: int
    names: frozenset[str]
    nowhere: tuple[str, ...]
    also_in: Mapping[str, frozenset[str]]


class GuardedDynamoDB(DynamoDB):
    """Another door for one table; clients, clock and counts are those of `door`."""

    may_be_shared = False

    def __init__(self, door: DynamoDB, protection: TableProtection) -> None:
        self.__dict__.update(door.__dict__)
        self._protection = protection
        self._guard: Guard | None = None

    def guard(self) -> Guard:
        """The table's guard; its keys are asked for once. Raises StartRefused for rules that its keys cannot have."""
        if self._guard is None:
            self._guard = self._protection.guard(super().describe(self._protection.table).keys)
        return self._guard

    def describe(self, table: str) -> TableDescription:
        """The description with the keys as rows have them."""
        described = super().describe(table)
        self._guard = guard = self._protection.guard(described.keys)
        return replace(described, keys=guard.seen_keys, sealed=bool(guard.hidden_keys))

    def real_key(self, key: Item) -> Item:
        return self.guard().real_key(key)

    def seen_key(self, key: Item) -> Item:
        return self.guard().item(key)

    def seen_page(self, raw: bytes) -> bytes:
        return self.guard().page(raw)

    def scan_page(
        self,
        table: str,
        segment: int,
        segments: int,
        start_key: Item | None,
        *,
        limit: int | None = None,
        consistent: bool = False,
        where: FilterExpression | None = None,
    ) -> ItemsPage:
        start = self.guard().real_position(start_key)
        page = super().scan_page(
            table, segment, segments, start, limit=limit, consistent=consistent,
            # a `where` on protected attributes is asked here, of the raw items
            where=where if self._protection.where is None else None,
        )  # fmt: skip
        return self._page(page)

    def query_page(
        self, table: str, index: str, attribute: str, value: dict[str, Any], start_key: Item | None, limit: int | None
    ) -> ItemsPage:
        start = self.guard().real_position(start_key)
        return self._page(super().query_page(table, index, attribute, value, start, limit))

    def _page(self, page: ItemsPage) -> ItemsPage:
        guard = self.guard()
        return ItemsPage(guard.page(page.raw), guard.position(page.next_key), page.units, page.left_out)

    def records(self, iterator: str, where: str = "") -> RecordsPage:
        page = super().records(iterator, where)
        return RecordsPage(self.guard().records(page.raw), page.next_iterator)

    def get_some_items(
        self, table: str, keys: Sequence[Item], budget: Budget, stop: Stop
    ) -> tuple[list[Item], list[Item]]:
        guard = self.guard()
        found, left = super().get_some_items(table, [guard.real_key(key) for key in keys], budget, stop)
        return [guard.item(item) for item in found], [guard.item(key) for key in left]

    def execute_statements(
        self, table: str, statements: Sequence[Statement], may_send: Callable[[], bool] | None = None
    ) -> tuple[list[StatementAnswer], float]:
        answers, units = super().execute_statements(table, statements, may_send)
        return [self._answer(answer) for answer in answers], units

    def update_item(
        self, table: str, key: Item, may_send: Callable[[], bool] | None = None, **parameters: Any
    ) -> tuple[StatementAnswer, float]:
        answer, units = super().update_item(table, key, may_send, **parameters)
        return self._answer(answer), units

    def sample(self, table: str, limit: int) -> Sample:
        """What a page of raw items tells about the rules; the items themselves stay here."""
        protection = self.guard().protection
        items = super().scan_page(table, 0, 1, None, limit=limit).items
        names = frozenset(name for item in items for name in item)
        tops = {path.partition(PATH_DOT)[0] if path not in names else path for path in protection.branches}
        nowhere = tuple(sorted(tops - names)) if items else ()
        return Sample(len(items), names, nowhere, also_in(protection, items))

    def _answer(self, answer: StatementAnswer) -> StatementAnswer:
        return answer if answer.old is None else replace(answer, old=self.guard().item(answer.old))


def guarded(door: DynamoDB, protection: TableProtection) -> DynamoDB:
    """The door for a table with protection."""
    return GuardedDynamoDB(door, protection)
