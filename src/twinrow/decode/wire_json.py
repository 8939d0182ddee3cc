"""Wire JSON that UTF-8 has no form for: text with a lone surrogate, which DynamoDB keeps and msgspec refuses.

The standard library reads it, many times slower; so it is asked only about what msgspec has refused. The items it is in
become dead letters, all others of their page rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

Decoded = TypeVar("Decoded")


def decoded(
    decode: Callable[[bytes | msgspec.Raw], Decoded], raw: bytes | msgspec.Raw, made: Callable[[Any], Decoded]
) -> Decoded:
    """The result of `decode`, or of `made` where a text in the JSON is not valid UTF-8. Raises ValueError: no JSON."""
    try:
        return decode(raw)
    except msgspec.DecodeError:
        return made(json.loads(bytes(raw)))


def encoded(value: Any) -> bytes:
    """JSON in ASCII, in which a lone surrogate stays itself; without spaces, as DynamoDB writes it."""
    return json.dumps(value, separators=(",", ":")).encode()
