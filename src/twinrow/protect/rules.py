"""The effect of a rule on a value: it becomes a hash, a mask, or nothing."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from twinrow.change import AttributeValue
from twinrow.decode.attribute import canonical_value
from twinrow.decode.kind import kind_of
from twinrow.decode.number import decimal_text, exact_decimal
from twinrow.decode.readable import UNREADABLE
from twinrow.entities.template import Match, Template, render_template

HASH_CHARACTERS: Final = 64
MASK_CHARACTER: Final = "*"


@dataclass(frozen=True, slots=True)
class Hash:
    """HMAC-SHA256 of the value, 64 hexadecimal digits. Equal values have equal hashes in all tables."""


@dataclass(frozen=True, slots=True)
class Mask:
    """All but the last `shown` characters become `*`; a text that is no longer than that is masked whole."""

    shown: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The value is left out."""


@dataclass(frozen=True, slots=True)
class HashParts:
    """The parts that are hashed in a text that matches the template; any other text is hashed whole."""

    template: Template
    match: Match
    parts: frozenset[str]


Hiding = Hash | Mask | Drop | HashParts


def hash_text(secret: bytes, text: str) -> str:
    """Return the hash of a text, whether it is an attribute's value, a set's member or a part of a key."""
    return _hmac(secret, b"S", text.encode("utf-8", "surrogatepass"))


def hash_value(secret: bytes, value: AttributeValue) -> str:
    """Return HMAC-SHA256(secret, type ‖ 0 ‖ bytes) of a value, in hexadecimal.

    The bytes of S are its UTF-8, those of N its digits without an exponent, those of B what the base64 stands for. Of
    BOOL, lists, maps and sets they are Twinrow's canonical form. A value that cannot be read is hashed as it stands.
    """
    try:
        kind = kind_of(value)
        payload = value[kind]
        if kind == "S":
            return hash_text(secret, payload)
        if kind == "N":
            return _hmac(secret, b"N", decimal_text(exact_decimal(payload)).encode())
        if kind == "B":
            return _hmac(secret, b"B", b64decode(payload, validate=True))
        return _hmac(secret, kind.encode(), canonical_value(value))
    except UNREADABLE:
        return _hmac(secret, b"?", repr(value).encode("utf-8", "surrogatepass"))


def _hmac(secret: bytes, kind: bytes, raw: bytes) -> str:
    return hmac.digest(secret, kind + b"\0" + raw, hashlib.sha256).hex()


def masked(shown: int, text: str) -> str:
    """Return the text with all but its last characters masked."""
    if len(text) <= shown:
        return MASK_CHARACTER * len(text)
    return MASK_CHARACTER * (len(text) - shown) + text[len(text) - shown :]


def hide(rule: Hiding, secret: bytes, value: AttributeValue) -> AttributeValue | None:
    """Return the protected value, None where it is left out. NULL stays: it says nothing."""
    if value.get("NULL") is True and len(value) == 1:
        return value
    if isinstance(rule, Drop):
        return None
    if isinstance(rule, Mask):
        return _hide_by_mask(rule, value)
    if isinstance(rule, HashParts):
        return {"S": _hide_parts(rule, secret, value)}
    return {"S": hash_value(secret, value)}


def _hide_by_mask(rule: Mask, value: AttributeValue) -> AttributeValue | None:
    """Texts and numbers are masked, also in lists and sets. Nothing of a map, of binary or of a BOOL can be shown."""
    if len(value) != 1:
        return None
    ((kind, payload),) = value.items()
    if kind in ("S", "N"):
        return {"S": masked(rule.shown, payload)} if isinstance(payload, str) else None
    if kind in ("SS", "NS") and isinstance(payload, list):
        return {"SS": sorted({masked(rule.shown, member) for member in payload if isinstance(member, str)})}
    if kind == "L" and isinstance(payload, list):
        members = [_hide_by_mask(rule, member) if isinstance(member, dict) else None for member in payload]
        return {"L": [member for member in members if member is not None]}
    return None


def _hide_parts(rule: HashParts, secret: bytes, value: AttributeValue) -> str:
    text = value.get("S")
    texts = rule.match(text) if isinstance(text, str) else None
    if texts is None:
        return hash_value(secret, value)
    holes = [hole.part.name for hole in rule.template.holes]
    return render_template(
        rule.template,
        [hash_text(secret, part) if name in rule.parts else part for name, part in zip(holes, texts, strict=True)],
    )
