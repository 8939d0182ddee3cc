"""The words that travel through the system: an item, its key, and a change of it.

An item is kept in wire form, as DynamoDB's HTTP body has it: `{"n": {"N": "4.5"}, "pic": {"B": "AAEC"}}`,
numbers as text and binary as base64 text, so that nothing is bent on the way and it is JSON as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]
ChangeKind = Literal["PUT", "DELETE"]
Origin = str
"""SCAN (a first copy), RECHECK (a consistent read), or the `origin` of the table's capture kind: STREAM, PENDING."""


SEALED_KEY: Final = "_twinrow_sealed_key"
"""The attribute of a protected item that holds its key encrypted, where a key attribute is hashed: see `protect.guard`.

It stands for an attribute of the app only in a table whose key is sealed, and only there is it Twinrow's.
"""


PATH_DOT: Final = "."
"""Stands between the names of a path into maps, in the settings."""
LEFT_OUT: Final = "_twinrow_left_out"
"""The attribute of a protected item that `where` leaves out, where `where` looks at what a rule hides."""


def without_seal(item: Item) -> Item:
    """An item or key as people are shown it: a sealed key tells them nothing."""
    return {name: value for name, value in item.items() if name != SEALED_KEY}


@dataclass(frozen=True, slots=True)
class Change:
    """One item put or deleted.

    `item` is the whole new item (PUT) or None; `old` the image before it where the source gives one; `at` the epoch
    second at which DynamoDB took it, as far as the source tells; `ttl` marks an expiry by DynamoDB's TTL.
    `key_hash` is the fingerprint of the key where its maker has it, so that it is made once; else it is empty.
    `needs_recheck`: a PUT whose source gives no new image (streams of KEYS_ONLY or OLD_IMAGE); only a read tells it.
    """

    kind: ChangeKind
    origin: Origin
    key: Item
    item: Item | None = None
    old: Item | None = None
    at: float = 0.0
    ttl: bool = False
    needs_recheck: bool = False
    key_hash: bytes = b""
