"""The words that travel through the system: an item, its key, and a change of it.

An item is kept in wire form, as DynamoDB's HTTP body has it: `{"n": {"N": "4.5"}, "pic": {"B": "AAEC"}}`,
numbers as text and binary as base64 text, so that nothing is bent on the way and it is JSON as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]
ChangeKind = Literal["PUT", "DELETE"]
Origin = str
"""SCAN (a first copy), RECHECK (a consistent read), or the `origin` of the table's capture kind: STREAM, PENDING."""


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
