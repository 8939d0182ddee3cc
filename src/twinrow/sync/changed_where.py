"""A changed `where`: may rows have to go, which MySQL tells, and may items be wanted now that only DynamoDB tells?"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinrow.entities.row_filter import RowFilter


def needs_dynamodb(before: str | None, now: RowFilter | None, lacking: Collection[str]) -> bool:
    """Whether items without a row may have to get one, or rows cannot be asked: a gap, which a reconcile closes.

    `before` is the source of the filter that the rows obey (None: they are all items). `lacking` are attributes that
    no row holds, or none of before. In doubt DynamoDB is read: a pass in vain costs units, and a missing row breaks
    the promise.
    """
    if before == (now.source if now is not None else None):
        return False
    if now is None:
        return True
    if not now.attributes.isdisjoint(lacking):
        return True
    if before is None:
        return False
    old = _opened(before)
    return old is None or not _is_tighter(now, old)


def rows_may_go(before: str | None, now: RowFilter | None, lacking: Collection[str]) -> bool:
    """Whether rows may be left out now, and each of them can be asked inside MySQL."""
    if now is None or before == now.source or not now.attributes.isdisjoint(lacking):
        return False
    old = _opened(before) if before is not None else None
    return old is None or not _is_tighter(old, now)


def _opened(source: str) -> RowFilter | None:
    """The filter of a source; None for that of a `where` on protected attributes, which is kept as a hash."""
    from twinrow.entities.row_filter import opened

    try:
        return opened(source)
    except ValueError:
        return None


def _is_tighter(narrow: RowFilter, wide: RowFilter) -> bool:
    """Whether all that one filter takes is surely taken by the other."""
    from twinrow.entities.changed import tighter

    return narrow.separator == wide.separator and tighter(narrow.condition, wide.condition, wide.separator)
