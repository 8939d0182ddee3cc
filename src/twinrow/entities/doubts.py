"""Warnings about a split: an entity that can have no item, an entity that has none in a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

from twinrow.change import Item
from twinrow.entities.condition import AnyOf, Clause, Exists, Test, Within, parts_of
from twinrow.entities.route import Route
from twinrow.entities.split import Entity, Split
from twinrow.entities.template import Hole, Template

CASES_MAX: Final = 256
"""Lists in a condition are looked at value by value up to so many cases; beyond, a hidden entity may go untold."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """An entity all of whose items go to entities that stand before it."""

    entity: str
    by: tuple[str, ...]

    def __str__(self) -> str:
        return f"entity {self.entity!r}: it has no items: all that match it match {' or '.join(self.by)} first"


def hidden(split: Split) -> tuple[Hidden, ...]:
    """Return the entities that are surely hidden; there may be others, of which that cannot be proved."""
    found = []
    for n, entity in enumerate(split.entities):
        by = _hiding(entity, split.entities[:n], split.separator)
        if by:
            found.append(Hidden(entity.name, by))
    return tuple(found)


def without_items(split: Split, route: Route, sample: Iterable[Item]) -> tuple[str, ...]:
    """Return the names of the entities to which no item of a sample goes."""
    met = {route(item)[0].entity for item in sample}
    return tuple(entity.name for entity in split.entities if entity.name not in met)


def _hiding(entity: Entity, earlier: Sequence[Entity], separator: str) -> tuple[str, ...]:
    """The earlier entities that together take all items of this entity, or none."""
    by: dict[str, None] = {}
    for clause in entity.when:
        for case in _cases(clause):
            taker = next((entity.name for entity in earlier if _takes(entity, case, separator)), None)
            if taker is None:
                return ()
            by[taker] = None
    return tuple(by)


def _cases(clause: Clause) -> Iterator[Clause]:
    """The clause for each single value of its lists: several entities may share what one list names."""
    singles = [list(_single(test)) for test in clause]
    if prod(map(len, singles)) > CASES_MAX:
        yield clause
        return
    yield from product(*singles)


def _single(test: Test) -> Iterator[Test]:
    if not isinstance(test, AnyOf):
        yield test
        return
    yield from (AnyOf(test.attribute, texts=(template,)) for template in test.texts)
    yield from (AnyOf(test.attribute, numbers=frozenset({number})) for number in sorted(test.numbers))
    yield from (AnyOf(test.attribute, booleans=frozenset({boolean})) for boolean in sorted(test.booleans))


def _takes(entity: Entity, case: Clause, separator: str) -> bool:
    return any(implies(case, clause, separator) for clause in entity.when)


def implies(strong: Clause, weak: Clause, separator: str) -> bool:
    """Return whether every item that matches `strong` surely matches `weak`; False where that cannot be proved."""
    parts = [part.name for part in parts_of(weak)]
    if len(set(parts)) < len(parts):
        # Texts that must be the same: proved only where `strong` asks for the very same.
        return all(test in strong for test in weak)
    return all(
        any(_narrower(other, test, separator) for other in strong if other.attribute == test.attribute) for test in weak
    )


def _narrower(strong: Test, weak: Test, separator: str) -> bool:
    """The same for one attribute."""
    if isinstance(weak, Exists):
        return strong == weak or (weak.wanted and not isinstance(strong, Exists))
    if isinstance(weak, Within) and isinstance(strong, Within):
        return _inside(strong, weak)
    if not isinstance(weak, AnyOf) or not isinstance(strong, AnyOf):
        return strong == weak
    return (
        strong.numbers <= weak.numbers
        and strong.booleans <= weak.booleans
        and all(any(_covers(other, template, separator) for other in weak.texts) for template in strong.texts)
    )


def _inside(strong: Within, weak: Within) -> bool:
    """Whether one range lies in another of the same type."""
    kinds = {type(bound) for bound in (strong.low, strong.high, weak.low, weak.high) if bound is not None}
    if len(kinds) != 1:
        return False
    if weak.low is not None and (strong.low is None or strong.low < weak.low):  # type: ignore[operator]  # one type
        return False
    return weak.high is None or (strong.high is not None and strong.high <= weak.high)  # type: ignore[operator]


def _covers(weak: Template, strong: Template, separator: str) -> bool:
    """Whether every text that matches `strong` surely matches `weak`: its holes stand for any text they may have."""
    symbols = _symbols(strong)
    reached = {0}
    for wanted in _symbols(weak):
        if isinstance(wanted, str):
            reached = {at + 1 for at in reached if at < len(symbols) and symbols[at] == wanted}
        else:
            reached = {
                end
                for at in reached
                for end in range(at + 1, len(symbols) + 1)
                if wanted.any_text or _never_separated(symbols[at:end], separator)
            }
        if not reached:
            return False
    return len(symbols) in reached


def _symbols(template: Template) -> list[str | Hole]:
    symbols: list[str | Hole] = [*template.literals[0]]
    for hole, literal in zip(template.holes, template.literals[1:], strict=True):
        symbols += [hole, *literal]
    return symbols


def _never_separated(symbols: Sequence[str | Hole], separator: str) -> bool:
    """Whether no text that these symbols stand for holds the separator."""
    holes = [symbol for symbol in symbols if isinstance(symbol, Hole)]
    if any(hole.any_text for hole in holes):
        return False
    if holes and len(separator) > 1:
        # A separator may come about where a hole meets a text.
        return len(symbols) == 1
    return separator not in "".join(symbol for symbol in symbols if isinstance(symbol, str))
