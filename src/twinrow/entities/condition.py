"""Conditions as data: what the attributes of an item must be, read from the configuration and compiled to functions.

Types do not mix: a text is a template for an S value, a number equals an N value by value, true and false are BOOL. A
missing attribute matches nothing but `exists = false`. Only top-level attributes are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Final

from twinrow.change import AttributeValue, Item
from twinrow.decode.number import canonical_number, exact_decimal
from twinrow.entities.part import Part
from twinrow.entities.template import Template, Texts, matcher, parse_template
from twinrow.wanted import Scalar, WantedConfig, WantedValue, When

CLAUSES_MAX: Final = 500
"""Alternatives of one condition, lists of templates multiplied out; a router of more would be slow and large."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The attribute is one of these. `numbers` are in canonical form."""

    attribute: str
    texts: tuple[Template, ...] = ()
    numbers: frozenset[str] = frozenset()
    booleans: frozenset[bool] = frozenset()

    @property
    def literals(self) -> frozenset[str] | None:
        """The texts that match, where nothing else does; None where other values match, too."""
        if self.numbers or self.booleans or any(template.holes for template in self.texts):
            return None
        return frozenset(template.literals[0] for template in self.texts)


@dataclass(frozen=True, slots=True)
class Exists:
    """The item has the attribute, or has it not."""

    attribute: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Other:
    """The attribute is there and is none of these."""

    attribute: str
    than: AnyOf


@dataclass(frozen=True, slots=True)
class Within:
    """The attribute is a text, or a number, from `low` up to but without `high`."""

    attribute: str
    low: str | Decimal | None
    high: str | Decimal | None


Test = AnyOf | Exists | Other | Within
Clause = tuple[Test, ...]
"""All tests must hold."""
Condition = tuple[Clause, ...]
"""One clause must hold; the first that does gives the parts."""


def read_condition(wanted: When | list[When], *, filtering: bool = False) -> Condition:
    """Read `when`, or `where` when `filtering`. Raises ValueError that begins with the attribute's name."""
    clauses: list[Clause] = []
    for when in wanted if isinstance(wanted, list) else [wanted]:
        if not when:
            raise ValueError("is empty: an empty condition would match every item")
        choices = [list(_choices(_tests(attribute, value, filtering=filtering))) for attribute, value in when.items()]
        if len(clauses) + math.prod(map(len, choices)) > CLAUSES_MAX:
            raise ValueError(f"has more than {CLAUSES_MAX} alternatives when its lists of templates are multiplied out")
        clauses += (tuple(test for tests in chosen for test in tests) for chosen in product(*choices))
    if not clauses:
        raise ValueError("is an empty list: it matches nothing")
    return tuple(clauses)


def _choices(tests: list[Test]) -> Iterator[list[Test]]:
    """A list of templates as one test for each template with parts, so that a clause has one reading of an item."""
    first, *others = tests
    if not isinstance(first, AnyOf):
        yield tests
        return
    bare = tuple(template for template in first.texts if not template.holes)
    if bare or first.numbers or first.booleans:
        yield [AnyOf(first.attribute, bare, first.numbers, first.booleans), *others]
    for template in first.texts:
        if template.holes:
            yield [AnyOf(first.attribute, (template,)), *others]


def _tests(attribute: str, wanted: WantedValue, *, filtering: bool) -> list[Test]:
    """The tests of one attribute, never none."""
    try:
        if not isinstance(wanted, WantedConfig):
            return [_any_of(attribute, wanted)]
        return _further(attribute, wanted, filtering=filtering)
    except ValueError as error:
        raise ValueError(f"`{attribute}`: {error}") from error


def _further(attribute: str, wanted: WantedConfig, *, filtering: bool) -> list[Test]:
    tests: list[Test] = []
    if wanted.exists is not None:
        tests.append(Exists(attribute, wanted.exists))
    if not filtering and (wanted.other_than is not None or wanted.low is not None or wanted.high is not None):
        raise ValueError("`not`, `from` and `to` are for `where`; they do not decide what an item is")
    if wanted.other_than is not None:
        tests.append(Other(attribute, _any_of(attribute, wanted.other_than)))
    if wanted.low is not None or wanted.high is not None:
        tests.append(_within(attribute, wanted.low, wanted.high))
    if not tests:
        raise ValueError("says nothing; write for example { exists = true }")
    if wanted.exists is False and len(tests) > 1:
        raise ValueError("`exists = false` beside another test never holds")
    return tests


def _any_of(attribute: str, wanted: Scalar | Sequence[Scalar]) -> AnyOf:
    every: Sequence[Scalar] = [wanted] if isinstance(wanted, str | bool | int | float) else wanted
    if not every:
        raise ValueError("is an empty list: it matches nothing")
    texts = tuple(dict.fromkeys(parse_template(scalar) for scalar in every if isinstance(scalar, str)))
    booleans = frozenset(scalar for scalar in every if isinstance(scalar, bool))
    numbers = frozenset(_canonical(scalar) for scalar in every if not isinstance(scalar, str | bool))
    return AnyOf(attribute, texts, numbers, booleans)


def _canonical(number: int | float) -> str:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number that DynamoDB takes")
    return canonical_number(repr(number))


def _within(attribute: str, low: Scalar | None, high: Scalar | None) -> Within:
    bounds = [_bound(bound) for bound in (low, high)]
    first, last = bounds
    if first is not None and last is not None:
        if isinstance(first, str) != isinstance(last, str):
            raise ValueError("`from` and `to` are of two types")
        if not _less(first, last):
            raise ValueError("`from` is not less than `to`: it matches nothing")
    return Within(attribute, first, last)


def _less(low: str | Decimal, high: str | Decimal) -> bool:
    if isinstance(low, str) and isinstance(high, str):
        return low < high
    return isinstance(low, Decimal) and isinstance(high, Decimal) and low < high


def _bound(bound: Scalar | None) -> str | Decimal | None:
    if bound is None or (isinstance(bound, str) and bound):
        return bound
    if isinstance(bound, bool | str):
        raise ValueError("`from` and `to` are texts that are not empty, or numbers")
    return exact_decimal(_canonical(bound))


def parts_of(clause: Clause) -> tuple[Part, ...]:
    """The parts in the order in which `reader` gives their texts, and a part that stands twice is given twice."""
    return tuple(
        hole.part
        for test in clause
        if isinstance(test, AnyOf)
        for template in test.texts
        for hole in template.holes
    )  # fmt: skip


Read = Callable[[Item], Texts | None]
"""Takes an item; gives the texts of the parts, or None when the item does not match.

Anything but an item may raise AttributeError or TypeError: `careful` handles those.
"""


def reader(clause: Clause, separator: str) -> Read:
    """Return the function that reads items with a clause. The cheap tests come first; they have no parts."""
    with_parts = [test for test in clause if isinstance(test, AnyOf) and any(template.holes for template in test.texts)]
    plain = [_plain_reader(test, separator) for test in clause if test not in with_parts]
    taking = [_taking_reader(test, separator) for test in with_parts]
    same = _same_places(parts_of(clause))
    if not plain and len(taking) == 1 and not same:
        return taking[0]

    if not plain and len(taking) == 2 and not same:
        # The usual rule, both keys; it is worth a function without loops.
        first_reader, other = taking

        def read_both(item: Item) -> Texts | None:
            first = first_reader(item)
            if first is None:
                return None
            second = other(item)
            return None if second is None else first + second

        return read_both

    def read(item: Item) -> Texts | None:
        for holds in plain:
            if not holds(item):
                return None
        texts: Texts = ()
        for take in taking:
            found = take(item)
            if found is None:
                return None
            texts += found
        for here, there in same:
            if texts[here] != texts[there]:
                return None
        return texts

    return read


def _same_places(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """The places that must hold one text, because they are one part."""
    first: dict[str, int] = {}
    return [(first[part.name], n) for n, part in enumerate(parts) if first.setdefault(part.name, n) != n]


def _taking_reader(test: AnyOf, separator: str) -> Read:
    """The reader of the only template of a test, which has parts."""
    attribute = test.attribute
    (template,) = test.texts
    match = matcher(template, separator)

    def take(item: Item) -> Texts | None:
        value = item.get(attribute)
        if value is None:
            return None
        text = value.get("S")
        return None if text is None else match(text)

    return take


def _plain_reader(test: Test, separator: str) -> Callable[[Item], bool]:
    """The reader of a test that gives no parts."""
    attribute = test.attribute
    if isinstance(test, Exists):
        wanted = test.wanted
        return lambda item: (attribute in item) is wanted
    literals = test.literals if isinstance(test, AnyOf) else None
    if literals is not None:
        if len(literals) == 1:
            (literal,) = literals
            return lambda item: (value := item.get(attribute)) is not None and value.get("S") == literal
        return lambda item: (value := item.get(attribute)) is not None and value.get("S") in literals
    if isinstance(test, Within):
        return _range_reader(test)
    one_of = _one_of(test if isinstance(test, AnyOf) else test.than, separator)
    if isinstance(test, Other):
        return lambda item: (value := item.get(attribute)) is not None and not one_of(value)
    return lambda item: (value := item.get(attribute)) is not None and one_of(value)


def _one_of(test: AnyOf, separator: str) -> Callable[[AttributeValue], bool]:
    literals = frozenset(template.literals[0] for template in test.texts if not template.holes)
    matches = [matcher(template, separator) for template in test.texts if template.holes]
    numbers, booleans = test.numbers, test.booleans

    def holds(value: AttributeValue) -> bool:
        text = value.get("S")
        if text is not None:
            return text in literals or any(match(text) is not None for match in matches)
        number = value.get("N")
        if number is not None:
            return bool(numbers) and _number(number) in numbers
        boolean = value.get("BOOL")
        return isinstance(boolean, bool) and boolean in booleans

    return holds


def _number(text: str) -> str | None:
    """The canonical form, or None for what is no number: an odd item matches nothing."""
    try:
        return canonical_number(text)
    except ValueError:
        return None


def _range_reader(test: Within) -> Callable[[Item], bool]:
    attribute, low, high = test.attribute, test.low, test.high
    if isinstance(low, str) or isinstance(high, str):

        def text_within(item: Item) -> bool:
            # Python compares by code point, which is the order of the UTF-8 bytes.
            value = item.get(attribute)
            text = value.get("S") if value is not None else None
            return text is not None and (low is None or low <= text) and (high is None or text < high)

        return text_within

    def number_within(item: Item) -> bool:
        value = item.get(attribute)
        text = value.get("N") if value is not None else None
        if text is None:
            return False
        try:
            number = exact_decimal(text)
        except ValueError:
            return False
        return (low is None or low <= number) and (high is None or number < high)

    return number_within


def filter_of(condition: Condition, separator: str) -> Callable[[Item], bool]:
    """Return whether an item matches any clause; for what is no item, see `Read`."""
    reads = [reader(clause, separator) for clause in condition]
    return lambda item: any(read(item) is not None for read in reads)


_PAYLOAD: Final[dict[str, type]] = {"S": str, "N": str, "BOOL": bool}
"""The payloads of the kinds that conditions look at."""


def careful(item: Item) -> Item:
    """Return the item with nothing in the place of each value that is no DynamoDB value: no test fails on that."""
    return {name: value if _well_formed(value) else {} for name, value in item.items()}


def _well_formed(value: object) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((kind, payload),) = value.items()
    return isinstance(payload, _PAYLOAD.get(kind, object)) if isinstance(kind, str) else False
