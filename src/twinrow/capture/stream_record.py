"""Stream records, as GetRecords gives them, made into changes (pure).

The form of a record is that of the API reference, "Record" and "StreamRecord" of DynamoDB Streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twinrow.change import Change

TTL_PRINCIPAL = "dynamodb.amazonaws.com"
"""Who deletes expired items (AWS, "DynamoDB Streams and Time to Live")."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One change with its place in the shard and its size in bytes, as DynamoDB counts it."""

    change: Change
    sequence: str
    size: int


def read(record: dict[str, Any]) -> StreamRecord:
    """A record in wire form. A write without its new image (KEYS_ONLY, OLD_IMAGE) comes out as `needs_recheck`."""
    told = record["dynamodb"]
    at = float(told.get("ApproximateCreationDateTime", 0.0))
    old = told.get("OldImage")
    if record["eventName"] == "REMOVE":
        change = Change("DELETE", "STREAM", told["Keys"], None, old, at, ttl=_is_expiry(record))
    else:
        new = told.get("NewImage")
        change = Change("PUT", "STREAM", told["Keys"], new, old, at, needs_recheck=new is None)
    return StreamRecord(change, str(told["SequenceNumber"]), int(told.get("SizeBytes", 0)))


def _is_expiry(record: dict[str, Any]) -> bool:
    who = record.get("userIdentity") or {}
    # The API says PrincipalId and Type; the same record in AWS's examples and Lambda events is written in lower case.
    principal, kind = who.get("PrincipalId", who.get("principalId")), who.get("Type", who.get("type"))
    return principal == TTL_PRINCIPAL and kind == "Service"
