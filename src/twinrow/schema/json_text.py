"""The JSON texts of a column's usual values, made from their payloads at once; odd ones are for `json_cell`.

A text is what `json_cell` and `printed` come to by way of Python values, in a fraction of their time: maps that have
the same names, each with values of one kind, are made name by name instead of map by map; of others at least the order
of their names is found only once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from twinrow.decode.number import plain_and_reversible_number
from twinrow.schema.json_cell import JSON_KEY_BYTES_MAX, JSON_LEVELS_MAX
from twinrow.schema.sql_type import BYTES_A_CHARACTER

ORDERS_CACHED_MAX: Final = 512
NAMES_CACHED_MAX: Final = 32
"""Maps with more names, or with names that are data, rarely have the same names."""
NUMBERS_CACHED_MAX: Final = 8192
CHARACTERS_MAX: Final = JSON_KEY_BYTES_MAX // BYTES_A_CHARACTER
"""In a text no longer than this no key is too long for the servers."""

_encode: Final = msgspec.json.Encoder().encode
_INTEGERS: Final = re.compile(r"(?:(?:0|[1-9]\d{0,17})\n)*+", re.ASCII)
"""Numbers that are int64 as they stand."""
_BITS: Final = {True: "true", False: "false"}
_NULLS: Final = {True: "null"}

JsonTexts = Callable[[Sequence[Any]], list[str]]


class Odd(ValueError):
    """A value that is not usual."""


def _string(text: str) -> str:
    return _encode(text).decode()


@lru_cache(maxsize=NUMBERS_CACHED_MAX)
def _number(text: str) -> str:
    number, exact = plain_and_reversible_number(text)
    if not exact:
        raise Odd
    return _encode(number).decode()


def _plain(together: str) -> bool:
    """Whether the characters of a text stand in JSON as they are."""
    return together.isprintable() and '"' not in together and "\\" not in together


def _strings(payloads: Sequence[str]) -> list[str]:
    return (
        [f'"{payload}"' for payload in payloads]
        if _plain("".join(payloads))
        else [_string(payload) for payload in payloads]
    )


def _numbers(payloads: Sequence[str]) -> Sequence[str]:
    together = "\n".join(payloads) + "\n"
    if _INTEGERS.fullmatch(together) is not None and together.count("\n") == len(payloads):
        return payloads
    return [_number(payload) for payload in payloads]


def _bits(payloads: Sequence[bool]) -> list[str]:
    return [_BITS[bit] for bit in _all_bool(payloads)]


def _nulls(payloads: Sequence[bool]) -> list[str]:
    return [_NULLS[bit] for bit in _all_bool(payloads)]


def _all_bool(payloads: Sequence[bool]) -> Sequence[bool]:
    """The payloads, if each is a bool: 1 is a key of `_BITS` too."""
    if set(map(type, payloads)) != {bool}:
        raise Odd
    return payloads


def _compact_order(names: Sequence[str]) -> list[str]:
    return sorted(names)


def _mysql_order(names: Sequence[str]) -> list[str]:
    """Shorter keys first, as MySQL keeps them."""
    return sorted(names, key=lambda name: (len(raw := name.encode()), raw))


def _columns(names: tuple[str, ...], maps: Sequence[dict[str, Any]]) -> dict[str, tuple[str, list[Any]]] | None:
    """The kind of the values under each name, and their payloads; None unless the maps are alike in that.

    Looks no deeper, so that what is nested is gone through once, not once more at each level.
    """
    if set(map(len, maps)) != {len(names)}:
        return None
    found = {}
    try:
        for name in names:
            values = [payload[name] for payload in maps]
            (kind,) = values[0]
            if set(map(len, values)) != {1}:
                raise Odd
            found[name] = kind, [value[kind] for value in values]
    except KeyError:
        return None
    return found


class _Writer:
    """Writes nested values in one style."""

    def __init__(self, order: Callable[[Sequence[str]], list[str]], comma: str, colon: str) -> None:
        self._comma = comma
        self._order = order
        self._colon = colon
        self._ordered_before = lru_cache(maxsize=ORDERS_CACHED_MAX)(self._ordered)
        self._of_kind: dict[str, Callable[[Any], Sequence[str]]] = {
            "S": _strings, "N": _numbers, "BOOL": _bits, "NULL": _nulls, "M": self.maps, "L": self.lists,
        }  # fmt: skip

    def _ordered(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(name, _string(name) + self._colon) for name in self._order(names)]

    def maps(self, payloads: Sequence[dict[str, Any]]) -> list[str]:
        """The texts of maps."""
        names = tuple(payloads[0]) if payloads else ()
        columns = _columns(names, payloads) if 0 < len(names) <= NAMES_CACHED_MAX else None
        if columns is None:
            return [self._map(payload) for payload in payloads]
        ordered = self._ordered_before(names)
        place = self._comma.join([before.replace("%", "%%") + "%s" for _, before in ordered])
        texts = [self._texts(*columns[name]) for name, _ in ordered]
        text = f"{{{place}}}"
        return [text % of_map for of_map in zip(*texts, strict=True)]

    def _texts(self, kind: str, payloads: Sequence[Any]) -> Sequence[str]:
        of_kind = self._of_kind.get(kind)
        if of_kind is None:
            raise Odd
        return of_kind(payloads)

    def lists(self, payloads: Sequence[list[Any]]) -> list[str]:
        """The texts of lists."""
        return [f"[{self._comma.join([self._value(inner) for inner in payload])}]" for payload in payloads]

    def sets(self, payloads: Sequence[list[str]]) -> list[str]:
        """The texts of string sets, their members in order."""
        if _plain("".join(["".join(payload) for payload in payloads])):
            between = f'"{self._comma}"'
            return [f'["{between.join(sorted(payload))}"]' if payload else "[]" for payload in payloads]
        return [f"[{self._comma.join([_string(member) for member in sorted(payload)])}]" for payload in payloads]

    def _map(self, payload: dict[str, Any]) -> str:
        names = tuple(payload.keys())  # what is no map has none, and is odd
        ordered = self._ordered_before(names) if len(names) <= NAMES_CACHED_MAX else self._ordered(names)
        return f"{{{self._comma.join([before + self._value(payload[name]) for name, before in ordered])}}}"

    def _value(self, value: dict[str, Any]) -> str:
        ((kind, payload),) = value.items()
        if kind == "S" and type(payload) is str:
            return _string(payload)
        if kind == "N":
            return _number(payload)
        if kind == "M":
            return self._map(payload)
        (text,) = self._texts(kind, [payload])
        return text


_COMPACT: Final = _Writer(_compact_order, ",", ":")
_MYSQL: Final = _Writer(_mysql_order, ", ", ": ")


def json_texts(kind: str, *, as_mysql_prints: bool) -> JsonTexts | None:
    """The function that makes the texts of payloads of this kind; raises unless all are usual; None: there is none."""
    writer = _MYSQL if as_mysql_prints else _COMPACT
    if kind == "SS":
        return writer.sets
    if kind not in ("M", "L"):
        return None
    of_all: JsonTexts = writer.maps if kind == "M" else writer.lists

    def texts(payloads: Sequence[Any]) -> list[str]:
        made = of_all(payloads)
        for text in made:
            if len(text) > CHARACTERS_MAX or text.count("[") + text.count("{") > JSON_LEVELS_MAX:
                raise Odd
        return made

    return texts
