"""DynamoDB items by value: one byte form per value, equality and digest. `change` describes the form of items."""

from __future__ import annotations

import json
from base64 import b64decode
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from twinrow.change import AttributeValue, Item
from twinrow.decode.kind import KINDS, LEVELS_MAX, Kind, kind_of, too_deep
from twinrow.decode.number import canonical_number
from twinrow.decode.plain import plain, reversible, typed

__all__ = [
    "KINDS", "AttributeValue", "Item", "Kind", "canonical", "canonical_number", "canonical_value", "digest", "kind_of",
    "plain", "reversible", "same", "same_value", "typed",
]  # fmt: skip

DIGEST_BYTES: Final = 16
NAMES_CACHED_MAX: Final = 4096


def canonical(item: Item) -> bytes:
    """Return one byte form per item: equal items, and only they, have equal bytes.

    Every part is tagged and length-prefixed, sets and map keys are sorted, numbers are compared by value, binary by its
    bytes. Lone surrogates, which UTF-8 has no form for, are kept too. Raises ValueError for what is no item.
    """
    return canonical_value({"M": item})


def canonical_value(value: AttributeValue) -> bytes:
    """Return the byte form of one value, as `canonical` does. Raises ValueError for what is no DynamoDB value."""
    out: list[bytes] = []
    try:
        _write(value, out, LEVELS_MAX + 1)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"not a DynamoDB value: {error}") from error
    return b"".join(out)


def _text(tag: bytes, text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"%b%d:%b" % (tag, len(raw), raw)


def _binary(tag: bytes, base64_text: str) -> bytes:
    raw = b64decode(base64_text, validate=True)
    return b"%b%d:%b" % (tag, len(raw), raw)


@lru_cache(maxsize=NAMES_CACHED_MAX)
def _name(name: str) -> bytes:
    """The tag and text of a map's key: the same few in every item of a table."""
    return _text(b"k", name)


def _write(value: AttributeValue, out: list[bytes], levels: int) -> None:
    kind = kind_of(value)
    payload: Any = value[kind]
    if kind == "S":
        raw = payload.encode("utf-8", "surrogatepass")
        out.append(b"S%d:%b" % (len(raw), raw))
    elif kind == "N":
        out.append(_text(b"N", canonical_number(payload)))
    elif kind == "BOOL":
        _want(payload is True or payload is False, kind)
        out.append(b"T" if payload else b"F")
    elif kind == "NULL":
        out.append(b"0")
    elif kind == "B":
        out.append(_binary(b"B", payload))
    elif kind in ("SS", "NS", "BS"):
        _want(type(payload) is list, kind)
        out.append(b"%b%d:" % (kind.lower().encode(), len(payload)))
        out += sorted(_member(kind, member) for member in payload)
    elif levels == 0:
        raise too_deep()
    elif kind == "M":
        _want(type(payload) is dict, kind)
        out.append(b"M%d:" % len(payload))
        for name in sorted(payload):
            out.append(_name(name))
            _write(payload[name], out, levels - 1)
    else:
        _want(type(payload) is list, kind)
        out.append(b"L%d:" % len(payload))
        for member in payload:
            _write(member, out, levels - 1)


def _want(is_right: bool, kind: Kind) -> None:
    if not is_right:
        raise ValueError(f"not a DynamoDB value: the payload of {kind} is of another type")


def _member(kind: Kind, payload: str) -> bytes:
    if kind == "BS":
        return _binary(b"B", payload)
    return _text(b"S", payload) if kind == "SS" else _text(b"N", canonical_number(payload))


def same(a: Item, b: Item) -> bool:
    """Whether two items are equal by value. Raises ValueError for what is no item."""
    return a == b or (a.keys() == b.keys() and all(same_value(value, b[name]) for name, value in a.items()))


def same_value(a: AttributeValue, b: AttributeValue) -> bool:
    """Whether two values are equal by value. Raises ValueError for what is no DynamoDB value."""
    return a == b or (a.keys() == b.keys() and canonical_value(a) == canonical_value(b))


def digest(item: Item, without: frozenset[str]) -> bytes:
    """Return the 16-byte BLAKE2b of the item's canonical form, less the attributes named.

    An image that cannot be read has a digest too, made of its JSON: images are compared before they are understood.
    """
    try:
        return exact_digest(item, without)
    except ValueError:
        kept = {name: value for name, value in item.items() if name not in without}
        return blake2b(b"?" + json.dumps(kept, sort_keys=True).encode(), digest_size=DIGEST_BYTES).digest()


def exact_digest(item: Item, without: frozenset[str]) -> bytes:
    """The same of an image that can be read at every depth. Raises ValueError for another."""
    kept = {name: value for name, value in item.items() if name not in without}
    return blake2b(canonical(kept), digest_size=DIGEST_BYTES).digest()
