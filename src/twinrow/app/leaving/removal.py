"""The attributes taken off an item: the id that equals its row's, and marks that the configuration names (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.change import AttributeValue, Item
from twinrow.link.update import ItemUpdate
from twinrow.table.settings import Settings, same_mark


@dataclass(frozen=True, slots=True)
class Removal:
    """The update that takes them off, None where there is nothing; and whether an id stays that is not the row's."""

    update: ItemUpdate | None
    takes_id: bool = False
    takes_mark: bool = False
    other_id: bool = False


def removal_of(settings: Settings, key: Item, item: Item, row_id: int | None, *, ids: bool, marks: bool) -> Removal:
    """The removal from this item. Its values as they were seen are the condition, so a newer write is not undone."""
    only_if: dict[str, AttributeValue] = {}
    link = settings.link_of(item) if ids else None
    takes_id = link is not None and row_id is not None and settings.is_linked(item, row_id)
    if takes_id and link is not None:
        only_if[settings.link_attribute] = link
    mark = _known_mark(settings, item) if marks else None
    if mark is not None and settings.pending is not None:
        only_if[settings.pending.attribute] = mark
    update = ItemUpdate(key, {}, frozenset(only_if), only_if, wants_old=False) if only_if else None
    return Removal(update, takes_id, mark is not None, other_id=link is not None and not takes_id)


def _known_mark(settings: Settings, item: Item) -> AttributeValue | None:
    """The item's mark where the configuration names it, pending or done; another value is the app's."""
    pending = settings.pending
    value = item.get(pending.attribute) if pending is not None else None
    if pending is None or value is None:
        return None
    known = (*pending.marks, *([pending.done] if pending.done is not None else []))
    return value if any(same_mark(value, mark) for mark in known) else None
