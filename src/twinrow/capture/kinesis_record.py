"""Records of Kinesis Data Streams for DynamoDB, and the keys that they name (pure).

The form, from the AWS page "Working with Kinesis Data Streams for DynamoDB" and from real records of 2022 to 2024: the
data of a Kinesis record is JSON with a single change. It has `tableName`, since several tables may feed a stream. Its
sequence number stands on the Kinesis record. `ApproximateCreationDateTime` is in milliseconds or microseconds: the
setting may be changed while the stream is in use, so a stream may hold both. Binary is base64 of base64.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

import msgspec

from twinrow.capture.key_hint import KeyHint, shortened
from twinrow.capture.stream_record import EVENTS
from twinrow.change import AttributeValue
from twinrow.decode import wire_json
from twinrow.decode.readable import UNREADABLE

EVENT_SOURCE: Final = "aws:dynamodb"
RECORD_FORMAT: Final = "application/json"
MICROSECONDS_MIN: Final = 1e14
"""From here on a time is in microseconds: as milliseconds it would lie after the year 5000."""
MILLISECONDS_MIN: Final = 1e11
"""Below this a time is in neither unit: as milliseconds it would lie before 1974."""
MICROSECONDS_MAX: Final = 1e17


class _Image(msgspec.Struct, gc=False, rename="pascal"):
    """The part of a change that is read: images are left out, as nothing depends on them."""

    keys: dict[str, dict[str, Any]]
    approximate_creation_date_time: float = 0.0
    approximate_creation_date_time_precision: str = ""


class _Record(msgspec.Struct, gc=False, rename="camel"):
    event_name: str
    event_source: str
    table_name: str
    dynamodb: _Image
    record_format: str = RECORD_FORMAT


_decode: Final = msgspec.json.Decoder(_Record).decode


def hint_of(data: bytes, sequence: str) -> KeyHint:
    """The hint in the data of a Kinesis record; what is not understood comes out as a doubt, never as a guess."""
    try:
        record = _decode(data)
    except msgspec.DecodeError as error:
        return _odd(data, sequence, error)
    return _hint(record, sequence, len(data))


def _hint(record: _Record, sequence: str, size: int) -> KeyHint:
    if record.event_source != EVENT_SOURCE:
        doubt = shortened(f"its source is {record.event_source!r}")
        return KeyHint(sequence, size=size, doubt=doubt, foreign=True)
    at = seconds(
        record.dynamodb.approximate_creation_date_time, record.dynamodb.approximate_creation_date_time_precision
    )
    try:
        if record.event_name not in EVENTS:
            raise ValueError(f"its event is {record.event_name!r}")
        if record.record_format != RECORD_FORMAT:
            raise ValueError(f"its format is {record.record_format!r}")
        key = {name: encoded_once(value) for name, value in record.dynamodb.keys.items()}
    except UNREADABLE as error:
        return KeyHint(sequence, record.table_name, at=at, size=size, doubt=shortened(error))
    return KeyHint(sequence, record.table_name, key, at, size)


def _odd(data: bytes, sequence: str, error: msgspec.DecodeError) -> KeyHint:
    """A record that is not of the form above: it holds a lone surrogate, is of another form, or is not DynamoDB's."""
    size = len(data)
    try:
        found = wire_json.decoded(msgspec.json.decode, data, dict)
    except (ValueError, TypeError):
        return KeyHint(sequence, size=size, doubt=shortened(error), foreign=True)
    if not isinstance(found, dict) or found.get("eventSource") != EVENT_SOURCE:
        return KeyHint(sequence, size=size, doubt=shortened("it is no record of DynamoDB"), foreign=True)
    try:
        return _hint(msgspec.convert(found, _Record), sequence, size)
    except msgspec.ValidationError as unlike:
        table = found.get("tableName")
        return KeyHint(sequence, table if isinstance(table, str) else "", size=size, doubt=shortened(unlike))


def seconds(time: float, precision: str = "") -> float:
    """Epoch seconds of a record's time, 0 where its unit is not known.

    The size of the number tells the unit. `precision` is absent from records in milliseconds, so it is only used to
    doubt: a time that it contradicts is not known.
    """
    if not MILLISECONDS_MIN <= time < MICROSECONDS_MAX:
        return 0.0
    if time >= MICROSECONDS_MIN:
        return time / 1e6
    return 0.0 if precision == "MICROSECOND" else time / 1e3


def encoded_once(value: AttributeValue) -> AttributeValue:
    """A key's value in wire form, binary encoded once. Raises ValueError for binary that is not encoded twice."""
    text = value.get("B")
    if text is None:
        return value
    once = b64decode(text, validate=True).decode("ascii")
    b64decode(once, validate=True)
    return {"B": once}
