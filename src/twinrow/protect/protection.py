"""Rules over whole items: which attributes a rule covers, also inside maps and lists, and what is left of an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twinrow.change import PATH_DOT, AttributeValue, Item
from twinrow.decode.kind import LEVELS_MAX
from twinrow.protect.rules import Hash, HashParts, Hiding, hide
from twinrow.protect.secret import Secret

Path = tuple[str, ...]
"""The names from the attribute inwards; lists on the way are passed through, all of their members."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The rules for a value: a rule for the whole of it, or branches for entries of a map."""

    rule: Hiding | None
    inner: Mapping[str, Branch]

    @property
    def nearest(self) -> Hiding:
        """The rule for a value that is no map where a map was expected: that of the first path through it."""
        branch = self
        while branch.rule is None:
            branch = next(iter(branch.inner.values()))
        return branch.rule


@dataclass(frozen=True, slots=True)
class Protection:
    """The rules of a table or entity. `kept`: the allow-list, with the key attributes; None where there is none."""

    secret: bytes = field(repr=False)
    branches: Mapping[str, Branch]
    kept: frozenset[str] | None = None

    def protect(self, item: Item) -> Item:
        """Return the item as MySQL may see it; the same object where no rule touches it."""
        if self.kept is not None and not item.keys() <= self.kept:
            item = {name: value for name, value in item.items() if name in self.kept}
        touched = item.keys() & self.branches.keys()
        if not touched:
            return item
        hidden = dict(item)
        for name in touched:
            value = _protected(self.branches[name], self.secret, item[name], LEVELS_MAX)
            if value is None:
                del hidden[name]
            else:
                hidden[name] = value
        return hidden


def _protected(branch: Branch, secret: bytes, value: AttributeValue, levels: int) -> AttributeValue | None:
    if branch.rule is not None:
        return hide(branch.rule, secret, value)
    if len(value) == 1 and levels:
        ((kind, payload),) = value.items()
        if kind == "M" and isinstance(payload, dict):
            return {"M": _protected_entries(branch, secret, payload, levels - 1)}
        if kind == "L" and isinstance(payload, list):
            members = [_protected(branch, secret, member, levels - 1) for member in payload]
            return {"L": [member for member in members if member is not None]}
    # A path that ends too early: the text "1 Main Street" where a map with a street was expected is the street, too.
    return hide(branch.nearest, secret, value)


def _protected_entries(branch: Branch, secret: bytes, entries: dict[str, Any], levels: int) -> dict[str, Any]:
    hidden = {}
    for name, value in entries.items():
        inner = branch.inner.get(name)
        left = value if inner is None else _protected(inner, secret, value, levels)
        if left is not None:
            hidden[name] = left
    return hidden


def protection(
    secret: Secret | None, rules: Mapping[str, Hiding], keys: Sequence[str], attributes: Sequence[str] | None = None
) -> Protection:
    """Compile rules by the names of the settings. `keys`: the table's key attributes. Raises ValueError.

    A name with dots covers the path into maps and also an attribute of exactly that name, since both exist.
    """
    if secret is None and any(isinstance(rule, Hash | HashParts) for rule in rules.values()):
        raise ValueError("rules that hash need `[protect] secret`")
    for name in keys:
        if name in rules and not isinstance(rules[name], Hash | HashParts):
            raise ValueError(f"{name!r} is a key attribute: it can be hashed, or parts of it, and nothing else")
        if any(path.startswith(name + PATH_DOT) for path in rules):
            raise ValueError(f"{name!r} is a key attribute and has nothing inside")
    tree: dict[str, Any] = {}
    for name, rule in rules.items():
        _plant(tree, tuple(name.split(PATH_DOT)), rule, name)
    branches = {name: _branch(found) for name, found in tree.items()}
    for name, rule in rules.items():
        if PATH_DOT in name:
            branches[name] = Branch(rule, {})
    kept = None if attributes is None else frozenset((*attributes, *keys))
    return Protection(secret.raw if secret is not None else b"", branches, kept)


def _plant(tree: dict[str, Any], path: Path, rule: Hiding, name: str) -> None:
    if not all(path):
        raise ValueError(f"{name!r} is no path: write the names with single dots between them")
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{name!r} lies inside an attribute that has a rule of its own: remove one of the two")
    if path[-1] in tree:
        raise ValueError(f"{name!r} has a rule, and something inside it has another: remove one of the two")
    tree[path[-1]] = rule


def _branch(found: Any) -> Branch:
    if isinstance(found, dict):
        return Branch(None, {name: _branch(inner) for name, inner in found.items()})
    return Branch(found, {})
