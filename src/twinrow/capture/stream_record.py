"""Stream records, as GetRecords gives them, and the changes that they tell (pure).

The form of a record is that of the API reference, "Record" and "StreamRecord" of DynamoDB Streams. Keys and images stay
bytes until somebody wants them: most are overwritten in their batch, or go through a decoder made from the schema.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from twinrow.change import Change, Item
from twinrow.decode import wire_json

TTL_PRINCIPAL = "dynamodb.amazonaws.com"
"""Who deletes expired items (AWS, "DynamoDB Streams and Time to Live")."""
_ABSENT: Final = msgspec.Raw(b"")


class _Told(msgspec.Struct, gc=False, rename="pascal"):
    """What a record says of the item; keys and images as JSON, an image that is not told empty."""

    sequence_number: str
    keys: msgspec.Raw
    new_image: msgspec.Raw = _ABSENT
    old_image: msgspec.Raw = _ABSENT
    approximate_creation_date_time: float = 0.0
    size_bytes: int = 0


class StreamRecord(msgspec.Struct, gc=False, rename="camel"):
    """One change with its place in the shard. Its bytes are a part of its page, which lives as long as it does."""

    event_name: Literal["INSERT", "MODIFY", "REMOVE"]
    dynamodb: _Told
    user_identity: dict[str, Any] | None = None

    @property
    def sequence(self) -> str:
        """Its place in the shard."""
        return self.dynamodb.sequence_number

    @property
    def size(self) -> int:
        """Its size in bytes, as DynamoDB counts it."""
        return self.dynamodb.size_bytes

    @property
    def at(self) -> float:
        """When DynamoDB took the change, in epoch seconds, cut to the second."""
        return self.dynamodb.approximate_creation_date_time

    @property
    def is_delete(self) -> bool:
        """Whether the item is gone."""
        return self.event_name == "REMOVE"

    @property
    def is_expiry(self) -> bool:
        """Whether DynamoDB's TTL deleted it."""
        who = self.user_identity
        if not who:
            return False
        # The API says PrincipalId and Type; the same record in AWS's examples and Lambda events is in lower case.
        principal, kind = who.get("PrincipalId", who.get("principalId")), who.get("Type", who.get("type"))
        return bool(principal == TTL_PRINCIPAL and kind == "Service")

    @property
    def keys(self) -> msgspec.Raw:
        """The key, as JSON."""
        return self.dynamodb.keys

    @property
    def new(self) -> msgspec.Raw:
        """The item after the change as JSON; empty where it is not told."""
        return self.dynamodb.new_image

    @property
    def old(self) -> msgspec.Raw:
        """The item before the change as JSON; empty where it is not told."""
        return self.dynamodb.old_image

    @property
    def change(self) -> Change:
        """The change, decoded. A write without its new image (KEYS_ONLY, OLD_IMAGE) comes out as `needs_recheck`."""
        key, old = decode_item(self.keys), decode_item(self.old) if self.old else None
        if self.is_delete:
            return Change("DELETE", "STREAM", key, None, old, self.at, ttl=self.is_expiry)
        new = decode_item(self.new) if self.new else None
        return Change("PUT", "STREAM", key, new, old, self.at, needs_recheck=new is None)


_decode_page = msgspec.json.Decoder(tuple[StreamRecord, ...]).decode
_decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def read(page: bytes | msgspec.Raw) -> tuple[StreamRecord, ...]:
    """The records of a page, which is a JSON array. Raises ValueError for what is none."""
    return wire_json.decoded(_decode_page, page, lambda records: tuple(map(_record, records)))


def decode_item(raw: bytes | msgspec.Raw) -> Item:
    """An image or key in wire form."""
    return wire_json.decoded(_decode_item, raw, dict)


def _record(told: dict[str, Any]) -> StreamRecord:
    inner = dict(told["dynamodb"])
    for name in {"Keys", "NewImage", "OldImage"} & inner.keys():
        inner[name] = msgspec.Raw(wire_json.encoded(inner[name]))
    return msgspec.convert(told | {"dynamodb": inner}, StreamRecord)
