"""Several consistent batch reads side by side, for a transaction that waits for them with the table's lock in hand."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from twinrow.budget import Budget
from twinrow.change import Item
from twinrow.dynamodb import GET_ITEMS_MAX, UNANSWERED
from twinrow.errors import Throttled
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute
from twinrow.table.table import Table

REQUESTS_AT_ONCE_MAX = 4
"""A transaction waits for the slowest of them; more make it longer, and each copy may have as many under way."""
POOL_THREADS_MAX = 16
"""For all tables of the process: BatchGetItem takes most of its time in DynamoDB."""


def keys_at_once(budget: Budget) -> int:
    """How many keys a transaction may read: many, unless a burst of so many units would overdraw the budget by far."""
    if budget.units_per_s is None:
        return REQUESTS_AT_ONCE_MAX * GET_ITEMS_MAX
    affordable = int(budget.units_per_s * budget.share) // GET_ITEMS_MAX
    return max(1, min(REQUESTS_AT_ONCE_MAX, affordable)) * GET_ITEMS_MAX


def read(
    table: Table, schema_keys: tuple[KeyAttribute, ...], keys: Mapping[bytes, Item]
) -> tuple[list[Item], set[bytes]]:
    """Read keys (by fingerprint) consistently: the items that are there, and the keys that DynamoDB left unanswered.

    Call it with the table's lock held: an item that is read before it may be older than the row. Each request is sent
    once, as a new try would hold up lock and stream. Raises Throttled when no key at all was answered.
    """
    ordered = list(keys.values())
    parts = [ordered[first : first + GET_ITEMS_MAX] for first in range(0, len(ordered), GET_ITEMS_MAX)]
    if len(parts) == 1:
        answers = [_answer(table, parts[0])]
    else:
        answers = list(_pool().map(lambda part: _answer(table, part), parts))
    found, unanswered = list[Item](), set[bytes]()
    for items, left in answers:
        found += items
        unanswered |= {fingerprint(schema_keys, key) for key in left}
    if unanswered and unanswered >= keys.keys():
        raise Throttled(UNANSWERED, where=f"table {table.name}")
    return found, unanswered


def _answer(table: Table, keys: list[Item]) -> tuple[list[Item], list[Item]]:
    try:
        return table.dynamodb.get_some_items(table.name, keys, table.read_budget, table.stop)
    except Throttled:
        return [], keys


@cache
def _pool() -> ThreadPoolExecutor:
    """Made by the first transaction with more keys than a request takes."""
    return ThreadPoolExecutor(POOL_THREADS_MAX, thread_name_prefix="wide-read")
