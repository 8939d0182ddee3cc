"""Stream records, as GetRecords gives them, and the changes that they tell (pure).

The form of a record is that of the API reference, "Record" and "StreamRecord" of DynamoDB Streams. Keys and images stay
bytes until somebody wants them: most are overwritten in their batch, or go through a decoder made from the schema.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

import msgspec

from twinrow.change import Change, Item
from twinrow.decode import wire_json
from twinrow.decode.readable import UNREADABLE

TTL_PRINCIPAL = "dynamodb.amazonaws.com"
"""The identity that deletes expired items (AWS, "DynamoDB Streams and Time to Live")."""
_ABSENT: Final = msgspec.Raw(b"")
EVENTS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})
IMAGES: Final = frozenset({"Keys", "NewImage", "OldImage"})
DOUBT_CHARACTERS_MAX: Final = 200
"""A value at an unexpected place may be as long as an item, and the doubt stands in the log."""


class _ChangePart(msgspec.Struct, gc=False, rename="pascal"):
    """The item's part of a record; keys and images as JSON, a missing image is empty."""

    sequence_number: str
    keys: msgspec.Raw
    new_image: msgspec.Raw = _ABSENT
    old_image: msgspec.Raw = _ABSENT
    approximate_creation_date_time: float = 0.0
    size_bytes: int = 0


class StreamRecord(msgspec.Struct, gc=False, rename="camel"):
    """A change with its place in the shard. Its bytes are a part of its page, which lives as long as it does.

    `doubt` says which part of the record is not understood. Then only a consistent read tells what became of the item,
    and `event_name` means nothing.
    """

    event_name: Literal["INSERT", "MODIFY", "REMOVE"]
    dynamodb: _ChangePart
    user_identity: dict[str, Any] | None = None
    doubt: str = ""

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
        return self.event_name == "REMOVE" and not self.doubt

    @property
    def needs_recheck(self) -> bool:
        """Whether the record does not tell what the item is now: in doubt, or a write of a view without new images."""
        return bool(self.doubt) or not (self.dynamodb.new_image or self.event_name == "REMOVE")

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
        """The item after the change as JSON; empty where it is missing."""
        return self.dynamodb.new_image

    @property
    def old(self) -> msgspec.Raw:
        """The item before the change as JSON; empty where it is missing."""
        return self.dynamodb.old_image

    @property
    def change(self) -> Change:
        """The change, decoded. A write without its new image (KEYS_ONLY, OLD_IMAGE) comes out as `needs_recheck`."""
        key, old = decode_item(self.keys), image_before(self.old)
        if self.needs_recheck:
            return Change("PUT", "STREAM", key, None, old, self.at, needs_recheck=True)
        if self.is_delete:
            return Change("DELETE", "STREAM", key, None, old, self.at, ttl=self.is_expiry)
        return Change("PUT", "STREAM", key, decode_item(self.new), old, self.at)


_decode_page = msgspec.json.Decoder(tuple[StreamRecord, ...]).decode
_decode_record = msgspec.json.Decoder(StreamRecord).decode
_decode_parts = msgspec.json.Decoder(tuple[msgspec.Raw, ...]).decode
_decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def read(page: bytes | msgspec.Raw) -> tuple[StreamRecord, ...]:
    """The records of a page, which is a JSON array; a record that is not understood is in doubt.

    Raises ValueError: no JSON.

    A page with an odd record is read record by record, so that this record alone is in doubt.
    """
    try:
        return _decode_page(page)
    except msgspec.DecodeError:
        return tuple(map(_record, wire_json.decoded(_decode_parts, page, _encoded_parts)))


def decode_item(raw: bytes | msgspec.Raw) -> Item:
    """An image or key in wire form."""
    return wire_json.decoded(_decode_item, raw, dict)


def image_before(raw: bytes | msgspec.Raw) -> Item | None:
    """The image before a change; None where it is missing or cannot be read: it only ever saves a row write."""
    try:
        return decode_item(raw) if raw else None
    except UNREADABLE:
        return None


def _encoded_parts(parts: list[Any]) -> tuple[msgspec.Raw, ...]:
    return tuple(msgspec.Raw(wire_json.encoded(part)) for part in parts)


def _record(raw: msgspec.Raw) -> StreamRecord:
    try:
        return _decode_record(raw)
    except msgspec.DecodeError:
        document = json.loads(bytes(raw))
    try:  # a lone surrogate stands in it, perhaps, and all else is as it should be
        return msgspec.convert(document | {"dynamodb": _with_raw_images(document["dynamodb"])}, StreamRecord)
    except UNREADABLE as error:
        return _in_doubt(document, str(error), len(bytes(raw)))


def _with_raw_images(record: dict[str, Any]) -> dict[str, Any]:
    parts = {name: msgspec.Raw(wire_json.encoded(record[name])) for name in IMAGES & record.keys()}
    return {**record, **parts}


def _in_doubt(record: Any, error: str, size: int) -> StreamRecord:
    """The readable part of a record that is not understood: key, images, time and place, as far as they are there."""
    record = record if isinstance(record, dict) else {}
    change_part = record.get("dynamodb")
    change_part = change_part if isinstance(change_part, dict) else {}
    image = {
        name: msgspec.Raw(wire_json.encoded(change_part[name])) if name in change_part else _ABSENT for name in IMAGES
    }
    at, sequence, name = (
        change_part.get("ApproximateCreationDateTime"),
        change_part.get("SequenceNumber"),
        record.get("eventName"),
    )
    doubt = error if name in EVENTS else f"its event is {name!r}"
    return StreamRecord(
        "MODIFY",
        _ChangePart(
            sequence if isinstance(sequence, str) else "", image["Keys"], image["NewImage"], image["OldImage"],
            float(at) if isinstance(at, int | float) else 0.0, size,
        ),
        doubt=doubt[:DOUBT_CHARACTERS_MAX],
    )  # fmt: skip
