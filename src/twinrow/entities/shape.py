"""Shapes of keys: which tokens of a sample's keys are fixed words, and which are holes that hold values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SEPARATORS: Final = ("#", "|", ":", "/")
WORDS_MAX: Final = 12
"""More different words at one place are values: names of people, cities."""
HEADS_MAX: Final = 64
"""The same for the first word of a key that has several; a table has that many entities at the most."""
WORD_CHARACTERS_MAX: Final = 40
WORD_DIGITS_MAX: Final = 2
"""`office_1` and `v10_Audit` are words; `Complaint123` and a UUID are not."""
_WORD_BEGINS: Final = frozenset("$_\"'")
_WORD_HOLDS: Final = frozenset("$_\"'-. ")
_NAME_ENDS: Final = ("_", "=")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a key between separators: a fixed text, with a hole behind it or not."""

    text: str
    hole: bool = False


Shape = tuple[Token, ...]
"""The tokens of a key; empty where the key is no text."""


def find_separator(values: Iterable[str]) -> str | None:
    """Return the separator that most values hold behind a first word, or None where none does."""
    counts: Counter[str] = Counter()
    for value in values:
        counts.update(
            separator for separator in SEPARATORS if separator in value and is_word(value.partition(separator)[0])
        )
    return max(SEPARATORS, key=lambda separator: counts[separator]) if counts else None


def is_word(text: str) -> bool:
    """Whether a text looks like a word that a program writes: a letter first, few digits."""
    return (
        0 < len(text) <= WORD_CHARACTERS_MAX
        and (text[0].isalpha() or text[0] in _WORD_BEGINS)
        and all(char.isalnum() or char in _WORD_HOLDS for char in text)
        and sum(char.isdigit() for char in text) <= WORD_DIGITS_MAX
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """An item beside its key: the names of its attributes, and texts in them that are values, not kinds."""

    names: frozenset[str]
    values: frozenset[str] = frozenset()


def shapes(values: Sequence[str | None], beside: Sequence[Beside], separator: str | None) -> list[Shape]:
    """Return the shape of each value of a key."""
    tokens = [[] if value is None else value.split(separator) if separator else [value] for value in values]
    found: list[list[Token]] = [[] for _ in values]
    waiting: list[tuple[int, list[int]]] = [(0, [n for n, parts in enumerate(tokens) if parts])]
    while waiting:
        depth, rows = waiting.pop()
        named = _read_tokens(depth, {n: tokens[n] for n in rows}, beside)
        groups: dict[Token, list[int]] = defaultdict(list)
        for n in rows:
            found[n].append(named[n])
            if len(tokens[n]) > depth + 1:
                groups[named[n]].append(n)
        waiting += ((depth + 1, group) for group in groups.values())
    return [tuple(shape) for shape in found]


def _read_tokens(depth: int, tokens: Mapping[int, Sequence[str]], beside: Sequence[Beside]) -> dict[int, Token]:
    """The meaning of the tokens at a place, all of them below the same tokens."""
    beginning = {n for n, parts in tokens.items() if depth == 0 and len(parts) > 1}
    heads = _heads([tokens[n][0] for n in beginning if tokens[n][0] not in beside[n].values])
    others = [n for n in tokens if n not in beginning]
    names = _names([(tokens[n][depth], beside[n].names) for n in others]) if depth else ()
    words = _words([(tokens[n][depth], beside[n].names) for n in others if tokens[n][depth] not in beside[n].values])
    found = {}
    for n, parts in tokens.items():
        token = parts[depth]
        name = next((name for name in names if token.startswith(name) and len(token) > len(name)), None)
        if name is not None:
            found[n] = Token(name, hole=True)
        elif not token or (token in (heads if n in beginning else words) and token not in beside[n].values):
            found[n] = Token(token)
        else:
            found[n] = Token("", hole=True)
    return found


def _heads(tokens: Sequence[str]) -> frozenset[str]:
    """The words that begin keys of several tokens."""
    counts = Counter(token for token in tokens if is_word(token))
    if len(counts) <= HEADS_MAX:
        return frozenset(counts)
    return frozenset(word for word, count in counts.items() if count * 100 >= len(tokens))


def _words(tokens: Sequence[tuple[str, frozenset[str]]]) -> frozenset[str]:
    """The words elsewhere: few of them, each repeated, and not all on items that look alike."""
    counts = Counter(token for token, _ in tokens if is_word(token))
    words = frozenset(word for word, count in counts.items() if count > 1)
    if len(counts) > WORDS_MAX or not words:
        return frozenset()
    usual = [_usual(names for token, names in tokens if token == word) for word in sorted(words)]
    others = [names for token, names in tokens if token not in words]
    usual += [_usual(others)] if others else []
    if len(usual) > 1 and set(usual) != {frozenset()} and len(set(usual)) == 1:
        # `alice` and `bob` on items of one kind are values; `PROFILE` and `SETTINGS` have other attributes.
        return frozenset()
    return words


def _usual(attributes: Iterable[frozenset[str]]) -> frozenset[str]:
    ((common, _),) = Counter(attributes).most_common(1)
    return common


def _names(tokens: Sequence[tuple[str, frozenset[str]]]) -> tuple[str, ...]:
    """Names with which tokens begin, as ElectroDB writes them: `city_tampa`, `city_boston` begin with `city_`.

    A token with the same value in the whole sample is a name if the items have an attribute of that name.
    """
    tails: dict[str, set[str]] = defaultdict(set)
    named: set[str] = set()
    for token, attributes in tokens:
        at = min((token.find(end) for end in _NAME_ENDS if token.find(end) > 0), default=-1)
        if at > 0 and is_word(token[:at]) and len(token) > at + 1:
            tails[token[: at + 1]].add(token[at + 1 :])
            if token[:at].casefold() in {attribute.casefold() for attribute in attributes}:
                named.add(token[: at + 1])
    several = [name for name, values in tails.items() if len(values) > 1 or name in named]
    return tuple(sorted(several)) if len(several) <= WORDS_MAX else ()
