"""Records as DynamoDB Streams sends them, of every stream view."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from twinrow.capture import stream_record
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import Change

KEY = {"k": {"S": "a"}}
NEW = {"k": {"S": "a"}, "b": {"B": "AAEC"}}
OLD = {"k": {"S": "a"}, "n": {"N": "1E2"}}


def record(name: str, **told: Any) -> dict[str, Any]:
    who = told.pop("who", None)
    dynamodb = {"ApproximateCreationDateTime": 1.7e9, "Keys": KEY, "SequenceNumber": "42", "SizeBytes": 7, **told}
    return {"eventName": name, "dynamodb": dynamodb} | ({"userIdentity": who} if who else {})


def read(one: dict[str, Any]) -> StreamRecord:
    """The record as it comes out of its page."""
    (found,) = stream_record.read(msgspec.json.encode([one]))
    return found


def test_new_and_old_images() -> None:
    found = read(record("MODIFY", NewImage=NEW, OldImage=OLD))
    assert found.change == Change("PUT", "STREAM", KEY, NEW, OLD, 1.7e9)
    assert (found.sequence, found.size) == ("42", 7)


@pytest.mark.parametrize("old", [None, OLD], ids=["KEYS_ONLY", "OLD_IMAGE"])
@pytest.mark.parametrize("name", ["INSERT", "MODIFY"])
def test_a_write_without_its_new_image_asks_for_a_recheck(name: str, old: dict[str, Any] | None) -> None:
    told = {} if old is None else {"OldImage": old}
    found = read(record(name, **told)).change
    assert (found.kind, found.item, found.old, found.needs_recheck) == ("PUT", None, old, True)


def test_a_delete_needs_no_image() -> None:
    assert read(record("REMOVE")).change == Change("DELETE", "STREAM", KEY, None, None, 1.7e9)


@pytest.mark.parametrize(
    ("who", "ttl"),
    [
        ({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}, True),
        ({"principalId": "dynamodb.amazonaws.com", "type": "Service"}, True),
        ({"PrincipalId": "dynamodb.amazonaws.com", "Type": "User"}, False),
        ({"PrincipalId": "somebody", "Type": "Service"}, False),
        (None, False),
    ],
)
def test_expiries_are_told_apart(who: dict[str, str] | None, ttl: bool) -> None:
    assert read(record("REMOVE", OldImage=OLD, who=who)).change.ttl is ttl
