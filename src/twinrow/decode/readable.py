"""Whether values can be read as DynamoDB's at all, at every depth: an image with an unreadable value proves nothing."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from typing import Any

from twinrow.change import AttributeValue, Item
from twinrow.decode.kind import LEVELS_MAX, Kind, kind_of, too_deep
from twinrow.decode.number import number_parts

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError)
"""The errors that reading raises for anything that is no DynamoDB value."""


def unreadable(item: Item, left_out: Collection[str]) -> str:
    """Why an image cannot be read, empty when it can; attributes in `left_out` are not looked at.

    DynamoDB Local 3 writes an empty map in a stream image as `{}`, without its type.
    """
    try:
        for name, value in item.items():
            if name not in left_out:
                _read(value, LEVELS_MAX)
    except UNREADABLE as error:
        return str(error) or "not a DynamoDB value"
    return ""


def _read(value: AttributeValue, levels: int) -> None:
    if len(value) != 1:
        kind_of(value)  # raises
    ((kind, payload),) = value.items()
    if kind == "S":
        _want(type(payload) is str, kind)
    elif kind == "N":
        # most numbers are short and need no parser
        if not (payload.replace(".", "", 1).isdigit() and payload.isascii()):
            number_parts(payload)
    elif kind in ("BOOL", "NULL"):
        _want(type(payload) is bool, kind)
    elif kind == "SS":
        _want(type(payload) is list and set(map(type, payload)) <= {str}, kind)
    elif kind == "B":
        b64decode(payload, validate=True)
    else:
        _read_nested(kind_of(value), payload, levels)


def _read_nested(kind: Kind, payload: Any, levels: int) -> None:
    if levels == 0:
        raise too_deep()
    if kind == "M":
        _want(type(payload) is dict, kind)
        for value in payload.values():
            _read(value, levels - 1)
        return
    _want(type(payload) is list, kind)
    for value in payload:
        _read(value if kind == "L" else {kind[0]: value}, levels - 1)


def _want(is_right: bool, kind: str) -> None:
    if not is_right:
        raise ValueError(f"not a DynamoDB value: the payload of {kind} is of another type")
