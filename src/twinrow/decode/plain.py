"""DynamoDB values as the plain JSON that SQL users read in JSON columns, and back where that is possible."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final, cast

from twinrow.change import AttributeValue
from twinrow.decode.kind import LEVELS_MAX, Kind, kind_of, too_deep
from twinrow.decode.number import exact_decimal, plain_and_reversible_number, plain_number_text

_SET_MEMBERS: Final[dict[str, Kind]] = {"SS": "S", "NS": "N", "BS": "B"}


def plain(value: AttributeValue) -> object:
    """Return a value as plain JSON: maps as objects, lists and sets as arrays (sets sorted), binary as base64 text.

    Numbers that are no int64 become the nearest double. Raises ValueError for what is no DynamoDB value.
    """
    return plain_and_reversible(value)[0]


def reversible(value: AttributeValue) -> bool:
    """Whether `typed` gives the value back from its plain form, up to the order inside a set, on both servers."""
    return plain_and_reversible(value)[1]


def plain_and_reversible(value: AttributeValue) -> tuple[object, bool]:
    """Return `plain(value)` and `reversible(value)` in one walk. Raises ValueError for what is no DynamoDB value."""
    kind = kind_of(value)
    return plain_payload(kind, value[kind])


def plain_payload(kind: Kind, payload: Any) -> tuple[object, bool]:
    """Return `plain_and_reversible` of the value of this kind whose payload this is. Raises ValueError."""
    if kind == "B":
        return payload, b64encode(b64decode(payload, validate=True)).decode() == payload
    if kind == "SS":
        return sorted_set(kind, payload), True
    if kind in _SET_MEMBERS:
        members = [plain_payload(_SET_MEMBERS[kind], member) for member in sorted_set(kind, payload)]
        return [member for member, _ in members], all(back for _, back in members)
    return _nested(kind, payload, LEVELS_MAX)


def _nested(kind: Kind, payload: Any, levels: int) -> tuple[object, bool]:
    """A value whose kind no column tells: binary and sets look like text and lists, and so cannot come back."""
    if kind in ("S", "BOOL"):
        if not isinstance(payload, str if kind == "S" else bool):
            raise ValueError(f"not a DynamoDB value: the payload of {kind} is of another type")
        return payload, True
    if kind == "N":
        return plain_and_reversible_number(payload)
    if kind == "NULL":
        return None, True
    if levels == 0:
        raise too_deep()
    if kind == "M":
        entries, back = {}, True
        for name, value in payload.items():
            inner = kind_of(value)
            entries[name], comes_back = _nested(inner, value[inner], levels - 1)
            back &= comes_back
        return entries, back
    if kind == "L":
        kinds = [kind_of(value) for value in payload]
        members = [_nested(inner, value[inner], levels - 1) for inner, value in zip(kinds, payload, strict=True)]
        return [member for member, _ in members], all(back for _, back in members)
    return plain_payload(kind, payload)[0], False


def typed(kind: Kind, value: object) -> AttributeValue:
    """Return the DynamoDB value of this kind whose plain form is `value`: undoes `plain` where that is reversible.

    Raises ValueError when a value of this kind has no such plain form.
    """
    member = _SET_MEMBERS.get(kind)
    if member is not None:
        if not isinstance(value, list):
            raise ValueError(f"not the plain form of {kind}")
        return {kind: [typed(member, plain)[member] for plain in value]}
    if kind == "B":
        if not isinstance(value, str):
            raise ValueError("not the plain form of B")
        b64decode(value, validate=True)
        return {"B": value}
    guessed = _guess(value)
    if kind not in guessed:
        raise ValueError(f"not the plain form of {kind}")
    return guessed


def _guess(value: object) -> AttributeValue:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float):
        return {"N": plain_number_text(value)}
    if isinstance(value, dict):
        return {"M": {name: _guess(member) for name, member in value.items()}}
    return {"L": [_guess(member) for member in cast(list[object], value)]}


def sorted_set(kind: str, members: list[str]) -> list[str]:
    """Return a set's members in one order: text by code point, numbers by value, binary by its bytes.

    Raises ValueError for a member that is none.
    """
    if kind == "NS":
        return sorted(members, key=lambda text: (exact_decimal(text), text))
    if kind == "BS":
        return sorted(members, key=lambda text: (b64decode(text, validate=True), text))
    return sorted(members)


def settled(value: AttributeValue) -> AttributeValue:
    """Return the same value with every set inside in one order, so that equal items give equal texts.

    Raises ValueError for what is no DynamoDB value.
    """
    return _settled(value, LEVELS_MAX)


def _settled(value: AttributeValue, levels: int) -> AttributeValue:
    kind = kind_of(value)
    payload: Any = value[kind]
    if kind in _SET_MEMBERS:
        return {kind: sorted_set(kind, payload)}
    if kind not in ("M", "L"):
        return value
    if levels == 0:
        raise too_deep()
    if kind == "M":
        return {"M": {name: _settled(member, levels - 1) for name, member in payload.items()}}
    return {"L": [_settled(member, levels - 1) for member in payload]}
