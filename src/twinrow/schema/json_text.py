"""The JSON texts of a column's usual values, made from their payloads at once; odd ones are for `json_cell`.

A text is what `json_cell` and `printed` come to by way of Python values, in a third of their time: the order of a map's
keys is found once for all maps that have the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from twinrow.decode.number import plain_and_reversible_number
from twinrow.schema.json_cell import JSON_KEY_BYTES_MAX, JSON_LEVELS_MAX
from twinrow.schema.sql_type import BYTES_A_CHARACTER

ORDERS_CACHED_MAX: Final = 512
NAMES_CACHED_MAX: Final = 32
"""Of maps with more names, or whose names are data, hardly two have the same ones."""
NUMBERS_CACHED_MAX: Final = 8192
INTEGER_CHARACTERS_SHORT: Final = 18
"""So many digits are an int64."""
CHARACTERS_MAX: Final = JSON_KEY_BYTES_MAX // BYTES_A_CHARACTER
"""In a text no longer than this no key is too long for the servers."""

_encode: Final = msgspec.json.Encoder().encode

JsonTexts = Callable[[Sequence[Any]], list[str]]


class Odd(ValueError):
    """Not one of the usual values."""


def _string(text: str) -> str:
    return _encode(text).decode()


@lru_cache(maxsize=NUMBERS_CACHED_MAX)
def _number(text: str) -> str:
    number, exact = plain_and_reversible_number(text)
    if not exact:
        raise Odd
    return _encode(number).decode()


def _compact_order(names: Sequence[str]) -> list[str]:
    return sorted(names)


def _mysql_order(names: Sequence[str]) -> list[str]:
    """Shorter keys first, as MySQL keeps them."""
    return sorted(names, key=lambda name: (len(raw := name.encode()), raw))


class _Writer:
    """Writes nested values in one style."""

    def __init__(self, order: Callable[[Sequence[str]], list[str]], comma: str, colon: str) -> None:
        self._comma = comma
        self._order = order
        self._colon = colon
        self._ordered_before = lru_cache(maxsize=ORDERS_CACHED_MAX)(self._ordered)

    def _ordered(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(name, _string(name) + self._colon) for name in self._order(names)]

    def map_text(self, payload: dict[str, Any]) -> str:
        """A map's text."""
        names, value = tuple(payload), self._value
        ordered = self._ordered_before(names) if len(names) <= NAMES_CACHED_MAX else self._ordered(names)
        return f"{{{self._comma.join([before + value(payload[name]) for name, before in ordered])}}}"

    def list_text(self, payload: list[Any]) -> str:
        """A list's text."""
        return f"[{self._comma.join([self._value(one) for one in payload])}]"

    def set_text(self, payload: list[str]) -> str:
        """A string set's text, its members in order."""
        return f"[{self._comma.join([_string(one) for one in sorted(payload)])}]"

    def _value(self, value: dict[str, Any]) -> str:
        ((kind, payload),) = value.items()
        if kind == "S" and type(payload) is str:
            return _string(payload)
        if kind == "N":
            short = payload.isdigit() and len(payload) <= INTEGER_CHARACTERS_SHORT and payload.isascii()
            return str(payload) if short and (payload[0] != "0" or payload == "0") else _number(payload)
        if kind == "BOOL" and type(payload) is bool:
            return "true" if payload else "false"
        if kind == "M":
            return self.map_text(payload)
        if kind == "L":
            return self.list_text(payload)
        if kind == "NULL" and payload is True:
            return "null"
        raise Odd


_COMPACT: Final = _Writer(_compact_order, ",", ":")
_MYSQL: Final = _Writer(_mysql_order, ", ", ": ")


def json_texts(kind: str, *, as_mysql_prints: bool) -> JsonTexts | None:
    """The function that makes the texts of payloads of this kind; raises unless all are usual; None: there is none."""
    writer = _MYSQL if as_mysql_prints else _COMPACT
    if kind == "SS":
        return lambda payloads: [writer.set_text(one) for one in payloads]
    if kind not in ("M", "L"):
        return None
    one_text: Callable[[Any], str] = writer.map_text if kind == "M" else writer.list_text

    def texts(payloads: Sequence[Any]) -> list[str]:
        made = [one_text(one) for one in payloads]
        for text in made:
            if len(text) > CHARACTERS_MAX or text.count("[") + text.count("{") > JSON_LEVELS_MAX:
                raise Odd
        return made

    return texts
