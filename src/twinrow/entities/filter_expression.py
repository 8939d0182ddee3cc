"""`where` as a FilterExpression of DynamoDB, where that says exactly the same: it saves bytes, not read units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from twinrow.decode.number import number_parts
from twinrow.entities.condition import AnyOf, Clause, Condition, Exists, Other, Test, parts_of
from twinrow.entities.template import Template

VALUES_MAX: Final = 100
"""An IN takes 100 operands, an expression 4 KB (AWS, "Service, account, and table quotas"); more is filtered here."""
NUMBER_DIGITS_MAX: Final = 38
NUMBER_EXPONENT_MIN: Final = -130
NUMBER_EXPONENT_MAX: Final = 125
"""AWS, "Data types, Number": a number beyond is refused, in an expression, too."""


@dataclass(frozen=True, slots=True)
class FilterExpression:
    """The parameters of a Scan or Query."""

    expression: str
    names: dict[str, str]
    values: dict[str, dict[str, Any]]


class _Inexact(Exception):
    """DynamoDB has no expression for this test."""


@dataclass(frozen=True, slots=True)
class _Placeholders:
    """The names and values of an expression, by the placeholder that stands for them."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute."""
        known = {name: placeholder for placeholder, name in self.names.items()}
        return known.get(attribute) or self._new(self.names, "#n", attribute)

    def value(self, value: dict[str, Any]) -> str:
        """The placeholder of a value."""
        if len(self.values) >= VALUES_MAX:
            raise _Inexact
        return self._new(self.values, ":v", value)

    @staticmethod
    def _new(held: dict[str, Any], prefix: str, value: Any) -> str:
        placeholder = f"{prefix}{len(held)}"
        held[placeholder] = value
        return placeholder


@dataclass(frozen=True, slots=True)
class _Text:
    """A piece of an expression and what joins its parts; DynamoDB refuses parentheses that are not needed."""

    text: str
    joined_by: str = ""

    def within(self, word: str) -> str:
        """The piece as a part of what `word` joins."""
        return f"({self.text})" if self.joined_by and self.joined_by != word else self.text


def _join(word: str, pieces: Iterable[_Text]) -> _Text:
    every = list(pieces)
    return every[0] if len(every) == 1 else _Text(f" {word} ".join(piece.within(word) for piece in every), word)


def filter_expression(condition: Condition) -> FilterExpression | None:
    """Return the expression that takes the very items that the condition takes, or None where there is none."""
    if not condition:
        return None
    held = _Placeholders()
    try:
        whole = _join("OR", [_clause(clause, held) for clause in condition])
    except _Inexact:
        return None
    return FilterExpression(whole.text, held.names, held.values)


def _clause(clause: Clause, held: _Placeholders) -> _Text:
    parts = [part.name for part in parts_of(clause)]
    if len(set(parts)) < len(parts):
        raise _Inexact
    return _join("AND", [_test(test, held) for test in clause])


def _test(test: Test, held: _Placeholders) -> _Text:
    name = held.name(test.attribute)
    if isinstance(test, Exists):
        return _Text(f"attribute_exists({name})" if test.wanted else f"attribute_not_exists({name})")
    if isinstance(test, AnyOf):
        return _any_of(name, test, held)
    if isinstance(test, Other):
        # A comparison with a missing attribute is false, so its negation would be true.
        there = _Text(f"attribute_exists({name})")
        return _join("AND", [there, _Text(f"NOT {_any_of(name, test.than, held).within('NOT')}")])
    bounds = [(">=", test.low), ("<", test.high)]
    tests = [f"{name} {sign} {held.value(_value(bound))}" for sign, bound in bounds if bound is not None]
    return _join("AND", map(_Text, tests))


def _any_of(name: str, test: AnyOf, held: _Placeholders) -> _Text:
    literals = [{"S": template.literals[0]} for template in test.texts if not template.holes]
    equals = [*literals, *map(_number, sorted(test.numbers)), *({"BOOL": boolean} for boolean in sorted(test.booleans))]
    if {"S": ""} in equals:
        raise _Inexact
    tests = [_Text(f"{name} IN ({', '.join(map(held.value, equals))})")] if equals else []
    return _join("OR", [*tests, *_prefixes(name, (template for template in test.texts if template.holes), held)])


def _prefixes(name: str, templates: Iterable[Template], held: _Placeholders) -> Iterable[_Text]:
    """A template with one hole, at its end, that takes any text: DynamoDB knows no other patterns than a beginning."""
    for template in templates:
        if (
            len(template.holes) != 1
            or not template.holes[0].any_text
            or template.literals[1]
            or not template.literals[0]
        ):
            raise _Inexact
        value = held.value({"S": template.literals[0]})
        yield _join("AND", [_Text(f"begins_with({name}, {value})"), _Text(f"{name} <> {value}")])


def _value(bound: str | Decimal) -> dict[str, Any]:
    return {"S": bound} if isinstance(bound, str) else _number(str(bound))


def _number(text: str) -> dict[str, Any]:
    _, digits, exponent = number_parts(text)
    highest = exponent + len(digits) - 1
    if len(digits) > NUMBER_DIGITS_MAX or (digits and not NUMBER_EXPONENT_MIN <= highest <= NUMBER_EXPONENT_MAX):
        raise _Inexact
    return {"N": text}
