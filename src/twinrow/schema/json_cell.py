"""JSON cells: compact text with sorted keys, its numbers already as MySQL will keep them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import msgspec

from twinrow.change import AttributeValue
from twinrow.decode.kind import Kind
from twinrow.decode.number import INT64_MAX, INT64_MIN, one_double
from twinrow.decode.plain import plain_payload, typed
from twinrow.schema.sql_type import BYTES_A_CHARACTER

JSON_LEVELS_MAX: Final = 31
"""Arrays and objects inside one another that a JSON cell may have.

Measured: MariaDB 10.11 refuses 32, empty ones too; MySQL 9.7 refuses 101."""
JSON_KEY_BYTES_MAX: Final = 65_535
"""Measured: MySQL 9.7 refuses an object's key of 65,536 bytes (error 3151); MariaDB takes it."""

COMPACT: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
"""The JSON text of documents that came as text, in which numbers may be anything that Python reads."""


_SORTED: Final = msgspec.json.Encoder(order="sorted")


def compact(value: object) -> str:
    """The JSON text of a value whose numbers are finite and in 64 bits. Raises ValueError for lone surrogates."""
    try:
        return _SORTED.encode(value).decode()
    except UnicodeEncodeError as error:
        raise ValueError("text with a lone surrogate, which UTF-8 cannot hold") from error


def json_encoder(kind: Kind) -> Callable[[Any], tuple[str | None, bool]]:
    """Return the function that makes (JSON text, exact) of payloads of this kind; it raises as `plain` does."""
    return _encode_document if kind == "S" else lambda payload: _encode_plain(kind, payload)


def _encode_plain(kind: Kind, payload: Any) -> tuple[str | None, bool]:
    value, exact = plain_payload(kind, payload)
    text = compact(value)
    return (text, exact) if fits_json(text, value) else (None, False)


def _encode_document(payload: Any) -> tuple[str | None, bool]:
    """Text in a JSON column: an object or array where the text is JSON of such, else a JSON string."""
    _check_utf8(payload)
    document, exact = _document(payload)
    if document is None:
        return COMPACT.encode(payload), True
    text = COMPACT.encode(document)
    return text, exact and text == payload


def _check_utf8(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("text with a lone surrogate, which UTF-8 cannot hold") from error


def _document(text: str) -> tuple[object | None, bool]:
    """The object or array that a text is the JSON of, and whether its numbers come back as they are.

    None where it is none, or none that both servers hold.
    """
    if text[:1] not in ("{", "["):
        return None, False
    exact = True

    def double(digits: str) -> float:
        nonlocal exact
        exact = exact and one_double(digits)
        return float(digits)

    try:
        document = json.loads(text, parse_int=_column_integer, parse_float=double, parse_constant=_no_constant)
        compact = COMPACT.encode(document)
        _check_utf8(compact)
    except (ValueError, RecursionError):
        return None, False
    return (document, exact) if fits_json(compact, document) else (None, False)


def _column_integer(text: str) -> int | float:
    number = int(text)
    return number if INT64_MIN <= number <= INT64_MAX else float(text)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def fits_json(text: str, value: object) -> bool:
    """Whether both servers take this JSON text, of this value: neither nested too deep nor with too long a key."""
    if len(text) * BYTES_A_CHARACTER <= JSON_KEY_BYTES_MAX and text.count("[") + text.count("{") <= JSON_LEVELS_MAX:
        return True
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(JSON_LEVELS_MAX):
        if not all(len(key.encode()) <= JSON_KEY_BYTES_MAX for node in level if isinstance(node, dict) for key in node):
            return False
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
    return not level


def _children(node: object) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else cast(list[object], node)


def decode_json(kind: Kind) -> Callable[[Any], AttributeValue | None]:
    """Return the function that turns stored JSON text into a value of this kind, or None where it is none."""

    def decode_text(stored: Any) -> AttributeValue | None:
        try:
            found = json.loads(stored)
            if kind == "S" and isinstance(found, dict | list):
                return {"S": COMPACT.encode(found)}
            return typed(kind, found)
        except (ValueError, RecursionError):
            return None

    return decode_text


def same_json(expected: str, stored: str) -> bool:
    """Whether two JSON texts say the same, types of numbers included; the order of keys says nothing."""
    if expected == _compacted(stored):  # what it comes to, nearly always, in a tenth of the time
        return True
    try:
        return COMPACT.encode(json.loads(expected)) == COMPACT.encode(json.loads(stored))
    except (ValueError, RecursionError):
        return False


def _compacted(text: str) -> str | None:
    """The text in the form that `compact` gives; None for what is beyond that decoder and encoder."""
    try:
        return compact(msgspec.json.decode(text))
    except (ValueError, OverflowError, RecursionError):
        return None
