"""The attribute that tells which entity an item is, found by its name and by what it and the keys have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from math import log2
from typing import Final

from twinrow.change import Item

KNOWN: Final = frozenset({
    "__edb_e__", "_type", "_et", "entity", "__en", "__typename", "EntityType", "entityType", "entity_type", "_entity",
    "__entity__", "Type", "type", "cls", "_cls", "kind", "_kind", "itemType", "item_type", "recordType", "objectType",
    "model", "_model", "_t", "docType", "@type", "class",
})  # fmt: skip
"""Names that libraries and people give to it."""
COVER_MIN: Final = 0.3
VALUES_MAX: Final = 64
VALUE_CHARACTERS_MAX: Final = 64
ITEMS_A_VALUE_MIN: Final = 5.0
ITEMS_A_VALUE_KNOWN_MIN: Final = 1.5
ITEMS_UNKNOWN_MIN: Final = 50
"""In fewer items an attribute with few values tells the key's shape by accident."""
SCORE_MIN: Final = 0.9
IN_KEY_MIN: Final = 0.95
EXPLAINED_BY_ATTRIBUTES_MAX: Final = 0.5
"""Its attributes show which entity an item is; they do not show its state or country."""


def find_discriminator(items: Sequence[Item], key_shapes: Sequence[Hashable], without: Collection[str]) -> str | None:
    """Return the attribute that tells the items' entities best, or None where none does; `without` never does."""
    names = Counter(name for item in items for name, value in item.items() if "S" in value and name not in without)
    scores = {name: score(name, items, key_shapes) for name in sorted(names)}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] >= SCORE_MIN else None


def score(name: str, items: Sequence[Item], key_shapes: Sequence[Hashable]) -> float:
    """Return how well an attribute tells the entity; 0 where it cannot, at most 1.3."""
    with_it = [(item[name]["S"], n) for n, item in enumerate(items) if "S" in item.get(name, ())]
    values = [value for value, _ in with_it]
    different = set(values)
    known = name in KNOWN
    least = ITEMS_A_VALUE_KNOWN_MIN if known else ITEMS_A_VALUE_MIN
    cover = len(with_it) / len(items)
    if (
        cover < COVER_MIN
        or not 2 <= len(different) <= VALUES_MAX
        or len(values) < least * len(different)
        or any(len(value) > VALUE_CHARACTERS_MAX for value in different)
        or (not known and len(items) < ITEMS_UNKNOWN_MIN)
    ):
        return 0.0
    key_shape = [key_shapes[n] for _, n in with_it]
    attributes = [frozenset(items[n]) for _, n in with_it]
    tells = max(share_explained(values, key_shape), share_explained(values, attributes))
    return 0.5 * tells + 0.3 * share_explained(attributes, values) + 0.2 * cover + (0.3 if known else 0.0)


def share_explained(what: Sequence[Hashable], by: Sequence[Hashable]) -> float:
    """Return the share of the entropy of `what` that `by` takes away, 0 to 1; 0 where there is nothing to tell."""
    whole = _entropy(Counter(what).values())
    if whole == 0:
        return 0.0
    groups: dict[Hashable, Counter[Hashable]] = {}
    for value, group in zip(what, by, strict=True):
        groups.setdefault(group, Counter())[value] += 1
    left = sum(group.total() * _entropy(group.values()) for group in groups.values()) / len(what)
    return 1 - left / whole


def _entropy(counts: Iterable[int]) -> float:
    every = list(counts)
    whole = sum(every)
    return -sum(count / whole * log2(count / whole) for count in every)


def values_in_keys(
    items: Sequence[Item], tokens: Sequence[Collection[str]], without: Collection[str]
) -> frozenset[str]:
    """Return the attributes whose texts stand in the keys as values: a state, a country, a tenant, but no kind of item.

    `tokens` are the pieces of each item's key.
    """
    rows: dict[str, list[int]] = {}
    for n, item in enumerate(items):
        for name, value in item.items():
            if name not in without and name not in KNOWN and value.get("S") in tokens[n]:
                rows.setdefault(name, []).append(n)
    found = set()
    for name, here in rows.items():
        if len(here) < IN_KEY_MIN * sum(name in item for item in items):
            continue
        texts = [items[n][name]["S"] for n in here]
        if share_explained(texts, [frozenset(items[n]) for n in here]) < EXPLAINED_BY_ATTRIBUTES_MAX:
            found.add(name)
    return frozenset(found)
