"""Where a protected value also stands in the same item, so that a rule alone does not keep it out of MySQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from twinrow.change import Item
from twinrow.decode.kind import LEVELS_MAX
from twinrow.protect.protection import Branch, Protection

TEXT_CHARACTERS_MIN: Final = 4
"""A shorter text stands in others by chance."""
TEXTS_MAX: Final = 100
"""Protected texts of one item that are looked for; the work grows with their number times the item's texts."""


def also_in(protection: Protection, items: Iterable[Item]) -> dict[str, frozenset[str]]:
    """Return, for each attribute with a rule, the attributes in whose raw text a protected text of it also stands."""
    found: dict[str, set[str]] = {}
    for item in items:
        hidden = [
            (name, text) for name, branch in protection.branches.items() if name in item
            for text in _covered(branch, item[name], LEVELS_MAX) if len(text) >= TEXT_CHARACTERS_MIN
        ][:TEXTS_MAX]  # fmt: skip
        shown = [(name, text) for name, value in protection.protect(item).items() for text in _texts(value, LEVELS_MAX)]
        for name, text in hidden:
            places = {place for place, other in shown if text in other}
            if places:
                found.setdefault(name, set()).update(places)
    return {name: frozenset(places) for name, places in found.items()}


def _covered(branch: Branch, value: Any, levels: int) -> Iterator[str]:
    """The texts of a value that a rule covers."""
    payload = next(iter(value.values()), None) if isinstance(value, dict) else None
    if branch.rule is None and levels:
        if isinstance(payload, dict):
            for name, inner in branch.inner.items():
                if name in payload:
                    yield from _covered(inner, payload[name], levels - 1)
            return
        if isinstance(payload, list):
            for member in payload:
                yield from _covered(branch, member, levels - 1)
            return
    yield from _texts(value, levels)


def _texts(value: Any, levels: int) -> Iterator[str]:
    """All texts and numbers of a value, at every depth."""
    if isinstance(value, str):
        yield value
    elif levels and isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner, levels - 1)
    elif levels and isinstance(value, list):
        for member in value:
            yield from _texts(member, levels - 1)
