"""Which entity an item belongs to, and the texts of its parts: rules compiled once, the first that matches wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from twinrow.change import Item
from twinrow.entities.condition import AnyOf, Clause, Read, careful, filter_of, parts_of, reader
from twinrow.entities.part import Part, read
from twinrow.entities.split import ByValue, Entity, Split
from twinrow.entities.template import Match, matcher
from twinrow.flavour import SqlValue

Fate = Literal["row", "ignored", "filtered", "unmatched", "letter", "new"]
"""Where an item goes: to a row; nowhere, by `ignore`, by `where` or by `unmatched`; to a dead letter, because nothing
matches it; to a table that is still to be made, for a text that `[tables.split]` meets for the first time."""

LEAF_MAX: Final = 2
"""With at most this many rules left it is quicker to try each of them."""
COPIES_MAX: Final = 2_000
"""A rule without a fixed text is copied into every branch of a look-up. Without a bound, a hundred rules on each of
three attributes would make a million branches."""

NO_MATCH: Final = "matches no entity"
"""The reason of a dead letter."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where items go. `entity` is "" for the rest, `into` the MySQL table of a row; `by_value`: made by the split."""

    fate: Fate
    entity: str = ""
    into: str | None = None
    parts: tuple[Part, ...] = ()
    by_value: bool = False


PartTexts = tuple[str | None, ...]
Routed = tuple[Target, PartTexts]
Route = Callable[[Item], Routed]
"""Takes an item; gives its target and the text of each of the target's parts, None where the item has none."""


def router(split: Split, tables: Mapping[str, str] | None = None) -> Route:
    """Compile the split into the function that routes its items. It never raises, however odd an item is.

    `tables` are the MySQL tables that `[tables.split]` has made until now, by the text that they are for. A text
    that is not among them is `new`: whoever makes its table routes with a new router from then on.
    """
    after = _after_rules(split, tables or {})
    rules = [rule for entity in split.entities for rule in _rules(entity, split.separator)]
    first = _node(rules, split.separator, after, COPIES_MAX)
    route = _filtered(first, filter_of(split.where, split.separator)) if split.where else first

    def guarded(item: Item) -> Routed:
        try:
            return route(item)
        except (AttributeError, TypeError):
            # Something in the item is no DynamoDB value; what is right in it still decides.
            return route(careful(item))

    return guarded


def part_values(target: Target, texts: PartTexts) -> tuple[tuple[SqlValue, ...], tuple[str, ...]]:
    """Return what the columns of the parts show, and the names of the parts whose text does not read as its type."""
    values: list[SqlValue] = []
    unread: list[str] = []
    for part, text in zip(target.parts, texts, strict=True):
        value = None if text is None else read(part.type, text)
        if value is None and text is not None:
            unread.append(part.name)
        values.append(value)
    return tuple(values), tuple(unread)


def _filtered(route: Route, keeps: Callable[[Item], bool]) -> Route:
    away = Target("filtered")
    return lambda item: route(item) if keeps(item) else (away, ())


@dataclass(frozen=True, slots=True)
class _Rule:
    """A clause of an entity, with the route of an item that it matches."""

    clause: Clause
    settle: Callable[[Item, tuple[str, ...]], Routed]


def _rules(entity: Entity, separator: str) -> Iterable[_Rule]:
    fate: Fate = "row" if entity.into is not None else "ignored"
    target = Target(fate, entity.name, entity.into, entity.parts if entity.into is not None else ())
    keeps = filter_of(entity.where, separator) if entity.where else None
    for clause in entity.when:
        settle = _settle(target, clause, _extractors(entity, separator))
        yield _Rule(clause, settle if keeps is None else _kept(settle, keeps, Target("filtered", entity.name)))


def _kept(
    settle: Callable[[Item, tuple[str, ...]], Routed], keeps: Callable[[Item], bool], away: Target
) -> Callable[[Item, tuple[str, ...]], Routed]:
    return lambda item, found: settle(item, found) if keeps(item) else (away, ())


_Extractor = tuple[str, Match, tuple[str, ...]]


def _extractors(entity: Entity, separator: str) -> list[_Extractor]:
    return [
        (attribute, matcher(template, separator), tuple(hole.part.name for hole in template.holes))
        for attribute, template in entity.extract
    ]


def _settle(
    target: Target, clause: Clause, extractors: Sequence[_Extractor]
) -> Callable[[Item, tuple[str, ...]], Routed]:
    """The texts that a clause found are put in the order of the target's parts."""
    found_names = tuple(part.name for part in parts_of(clause))
    names = tuple(part.name for part in target.parts)
    if not names:
        nothing: Routed = (target, ())
        return lambda item, found: nothing
    if found_names == names and not extractors:
        return lambda item, found: (target, found)

    def settle(item: Item, found: tuple[str, ...]) -> Routed:
        texts = dict(zip(found_names, found, strict=True))
        for attribute, match, parts in extractors:
            value = item.get(attribute)
            text = value.get("S") if value is not None else None
            taken = match(text) if text is not None else None
            # `when` has decided; `extract` adds what it left open.
            for name, part_text in zip(parts, taken or (), strict=False):
                texts.setdefault(name, part_text)
        return target, tuple(texts.get(name) for name in names)

    return settle


_Key = Callable[[Clause], frozenset[str] | None]
"""Which branches a clause can match in; None: in any."""


def _node(rules: Sequence[_Rule], separator: str, after: Route, copies_max: int) -> Route:
    """Separate as many rules as a look-up can, then again; the rules that are left are tried in turn."""
    chosen = _best_look_up(rules, separator, copies_max) if len(rules) > LEAF_MAX else None
    if chosen is None:
        return _leaf(rules, separator, after)
    attribute, whole, key = chosen
    keyed = [(rule, key(rule.clause)) for rule in rules]
    branches = {}
    every = sorted({text for _, texts in keyed if texts is not None for text in texts})
    others_max = copies_max // len(every) if any(texts is None for _, texts in keyed) else copies_max
    for text in every:
        here = [rule for rule, texts in keyed if texts is None or text in texts]
        known = [_without(rule, attribute, text) for rule in here] if whole else here
        branches[text] = _node(known, separator, after, others_max)
    others = _node([rule for rule, texts in keyed if texts is None], separator, after, others_max)
    look_up = branches.get

    def by_text(item: Item) -> Routed:
        value = item.get(attribute)
        text = value.get("S") if value is not None else None
        return others(item) if text is None else look_up(text, others)(item)

    def by_head(item: Item) -> Routed:
        value = item.get(attribute)
        text = value.get("S") if value is not None else None
        return others(item) if text is None else look_up(text.partition(separator)[0], others)(item)

    return by_text if whole else by_head


def _best_look_up(rules: Sequence[_Rule], separator: str, copies_max: int) -> tuple[str, bool, _Key] | None:
    """(attribute, whether its whole text is looked up, key) that leaves the fewest rules to try; None: none helps."""
    attributes = dict.fromkeys(test.attribute for rule in rules for test in rule.clause)
    best: tuple[str, bool, _Key] | None = None
    fewest = len(rules)
    for whole in (True, False):
        for attribute in attributes:
            key: _Key = partial(_texts, attribute) if whole else partial(_heads, attribute, separator)
            keys = [key(rule.clause) for rule in rules]
            left = _most_left(keys)
            if left < fewest and _copies(keys) <= copies_max:
                best, fewest = (attribute, whole, key), left
    return best


def _most_left(keys: Sequence[frozenset[str] | None]) -> int:
    anywhere = sum(matching is None for matching in keys)
    here: dict[str, int] = {}
    for texts in keys:
        for text in texts or ():
            here[text] = here.get(text, 0) + 1
    return anywhere + max(here.values(), default=0)


def _copies(keys: Sequence[frozenset[str] | None]) -> int:
    """How many rules a look-up copies: those that match in any branch, into each."""
    return sum(texts is None for texts in keys) * len({text for texts in keys for text in texts or ()})


def _texts(attribute: str, clause: Clause) -> frozenset[str] | None:
    """The whole texts that an attribute must have for a clause to match."""
    for test in clause:
        if test.attribute == attribute and isinstance(test, AnyOf) and test.literals is not None:
            return test.literals
    return None


def _heads(attribute: str, separator: str, clause: Clause) -> frozenset[str] | None:
    """The heads of the texts that a clause matches, up to the first separator; the whole text where there is none."""
    for test in clause:
        if test.attribute != attribute or not isinstance(test, AnyOf) or test.numbers or test.booleans:
            continue
        firsts = [(template.literals[0], bool(template.holes)) for template in test.texts]
        if all(separator in text or not open_end for text, open_end in firsts):
            return frozenset(text.partition(separator)[0] for text, _ in firsts)
    return None


def _without(rule: _Rule, attribute: str, text: str) -> _Rule:
    """The rule in a branch where the attribute is known to have this whole text."""
    kept = tuple(
        test for test in rule.clause
        if not (test.attribute == attribute and isinstance(test, AnyOf) and text in (test.literals or ()))
    )  # fmt: skip
    return _Rule(kept, rule.settle)


def _leaf(rules: Sequence[_Rule], separator: str, after: Route) -> Route:
    tries: list[tuple[Read, Callable[[Item, tuple[str, ...]], Routed]]] = []
    for rule in rules:
        tries.append((reader(rule.clause, separator), rule.settle))
        if not rule.clause:
            break
    if len(tries) == 1:
        ((only, settle_only),) = tries

        def routed_by_one_rule(item: Item) -> Routed:
            found = only(item)
            return after(item) if found is None else settle_only(item, found)

        return routed_by_one_rule

    def first_of(item: Item) -> Routed:
        for reads, settle in tries:
            found = reads(item)
            if found is not None:
                return settle(item, found)
        return after(item)

    return first_of


_UNMATCHED: Final[dict[str, Fate]] = {"keep": "row", "ignore": "unmatched", "dead-letter": "letter"}


def _after_rules(split: Split, tables: Mapping[str, str]) -> Route:
    """Where an item goes that no rule matches."""
    fate = _UNMATCHED[split.unmatched]
    rest: Routed = (Target(fate, "", split.into if fate == "row" else None), ())
    if split.by_value is None:
        return lambda item: rest
    # Beyond `tables_max` an item has its row in the rest table, whatever `unmatched` says: it does match the split.
    beyond: Routed = (Target("row", "", split.into), ())
    return _by_value(split.by_value, tables, rest, beyond)


def _by_value(split: ByValue, tables: Mapping[str, str], rest: Routed, beyond: Routed) -> Route:
    known: dict[str, Routed] = {
        value: (Target("row", value, into, by_value=True), ()) for value, into in tables.items()
    }  # fmt: skip
    attribute, room = split.attribute, len(known) < split.tables_max
    look_up = known.get

    def route(item: Item) -> Routed:
        value = item.get(attribute)
        text = value.get("S") if value is not None else None
        if not text:
            return rest
        found = look_up(text)
        if found is not None:
            return found
        if not isinstance(text, str):
            return rest
        return (Target("new", text, by_value=True), ()) if room else beyond

    return route
