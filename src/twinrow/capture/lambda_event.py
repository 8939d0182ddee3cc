"""Events that AWS Lambda's event source mappings hand to a function, and the keys that they name (pure).

The forms, from the AWS pages "Using AWS Lambda with Amazon DynamoDB" and "… with Amazon Kinesis": `Records`, each with
`eventSource`, `eventSourceARN` and, under `dynamodb` or `kinesis`, the record. The ARN of a DynamoDB stream names its
table; a Kinesis record carries a change in the form of `kinesis_record`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from twinrow.capture import kinesis_record
from twinrow.capture.key_hint import KeyHint, shortened
from twinrow.capture.stream_record import EVENTS
from twinrow.decode.readable import UNREADABLE

STREAM_SOURCE: Final = "aws:dynamodb"
KINESIS_SOURCE: Final = "aws:kinesis"
QUEUE_SOURCE: Final = "aws:sqs"
_STREAM_ARN: Final = re.compile(r"arn:[^:]*:dynamodb:[^:]*:[^:]*:table/([^/]+)/stream/.+")


class EventHint(msgspec.Struct, frozen=True, gc=False):
    """A hint, and the ARN of the stream that it came from ("" where the record does not say)."""

    hint: KeyHint
    arn: str


class _Place(msgspec.Struct, gc=False, rename="pascal"):
    keys: dict[str, dict[str, Any]]
    sequence_number: str
    approximate_creation_date_time: float = 0.0


class _Envelope(msgspec.Struct, gc=False, rename="camel"):
    data: str
    sequence_number: str


def hints_of(event: Any) -> tuple[EventHint, ...]:
    """A hint for each record of an event, in their order; an event of another form has none."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    return tuple(map(_hint, filter(_is_change, records))) if isinstance(records, list) else ()


def _is_change(record: Any) -> bool:
    """Whether a record is of a stream; those of a queue are `dropped_from`'s."""
    return not (isinstance(record, Mapping) and record.get("eventSource") == QUEUE_SOURCE)


def table_of(arn: str) -> str:
    """The table of a DynamoDB stream's ARN, "" where it is none."""
    found = _STREAM_ARN.fullmatch(arn)
    return found[1] if found else ""


def _hint(record: Any) -> EventHint:
    record = record if isinstance(record, Mapping) else {}
    arn = record.get("eventSourceARN")
    arn = arn if isinstance(arn, str) else ""
    source = record.get("eventSource")
    try:
        if source == STREAM_SOURCE:
            return EventHint(_of_stream(record, arn), arn)
        if source == KINESIS_SOURCE:
            return EventHint(_of_kinesis(record), arn)
        raise ValueError(f"its source is {source!r}")
    except UNREADABLE as error:  # a ValidationError of msgspec is a ValueError
        return EventHint(KeyHint(_sequence_of(record), table_of(arn), doubt=shortened(error)), arn)


def _of_stream(record: Mapping[str, Any], arn: str) -> KeyHint:
    place = msgspec.convert(record["dynamodb"], _Place)
    table, event = table_of(arn), record.get("eventName")
    if not table:
        raise ValueError(f"{arn!r} is no ARN of a stream")
    at = max(0.0, place.approximate_creation_date_time)
    if event not in EVENTS:
        return KeyHint(place.sequence_number, table, at=at, doubt=shortened(f"its event is {event!r}"))
    return KeyHint(place.sequence_number, table, place.keys, at)


def _of_kinesis(record: Mapping[str, Any]) -> KeyHint:
    envelope = msgspec.convert(record["kinesis"], _Envelope)
    return kinesis_record.hint_of(b64decode(envelope.data, validate=True), envelope.sequence_number)


def _sequence_of(record: Mapping[str, Any]) -> str:
    """The sequence number, by which Lambda knows a record, of a record that is not understood; "" where it has none."""
    place = record.get("dynamodb") or record.get("kinesis")
    place = place if isinstance(place, Mapping) else {}
    number = place.get("SequenceNumber", place.get("sequenceNumber"))
    return number if isinstance(number, str) else ""


def dropped_from(event: Any) -> tuple[str, ...]:
    """The ARNs of the streams of which Lambda has given up a batch: what an on-failure queue brings, as SQS records.

    The form is from the AWS page "Retaining discarded batches": each body is JSON with `DDBStreamBatchInfo` or
    `KinesisBatchInfo`, which hold the `streamArn`.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    found = []
    for record in records if isinstance(records, list) else ():
        if not isinstance(record, Mapping) or record.get("eventSource") != QUEUE_SOURCE:
            continue
        try:
            body = json.loads(str(record.get("body", "")))
            batch = body.get("DDBStreamBatchInfo") or body.get("KinesisBatchInfo")
            found.append(str(batch["streamArn"]))
        except UNREADABLE:
            continue
    return tuple(found)
