"""DynamoDB's answers and requests in wire form: numbers as text, binary as base64 text.

Nothing here imports botocore, which takes longer to import than `twinrow status` may take (see `dynamodb_parser`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from twinrow.change import Item
from twinrow.decode import wire_json


def stock_to_wire(value: Any) -> Any:
    """The result of botocore's stock parser (bytes, datetimes) in wire form."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {name: stock_to_wire(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [stock_to_wire(inner) for inner in value]
    if hasattr(value, "timestamp"):
        return value.timestamp()
    return value


def to_request(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value for a request: botocore encodes binary itself, so base64 text becomes bytes."""
    kind, inner = next(iter(value.items()))
    if kind == "B":
        return {"B": base64.b64decode(inner)}
    if kind == "BS":
        return {"BS": [base64.b64decode(member) for member in inner]}
    if kind == "M":
        return {"M": {name: to_request(value) for name, value in inner.items()}}
    if kind == "L":
        return {"L": [to_request(member) for member in inner]}
    return value


def request_item(item: Item) -> Item:
    """A whole item or key in the form in which botocore takes it."""
    return {name: to_request(value) for name, value in item.items()}


_decode_items = msgspec.json.Decoder(list[dict[str, dict[str, Any]]]).decode


def decoded_items(raw: bytes) -> list[Item]:
    """The items of a JSON array in wire form. Raises ValueError when it is none."""
    return wire_json.decoded(_decode_items, raw, list)


class ItemsPage:
    """An answer of a Scan or Query: items, the position after it (None at the end), units consumed.

    `left_out` is how many more items DynamoDB read, which a filter did not take. `raw` is the JSON array of the items.
    The decoded items are five times as large, so they are not kept.
    """

    __slots__ = ("left_out", "next_key", "raw", "units")

    def __init__(self, items: list[Item] | bytes, next_key: Item | None, units: float, left_out: int = 0) -> None:
        self.raw = items if isinstance(items, bytes) else wire_json.encoded(items)
        self.next_key = next_key
        self.units = units
        self.left_out = left_out

    @property
    def items(self) -> list[Item]:
        """The items in wire form, decoded anew each time."""
        return decoded_items(self.raw)


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A page of DescribeStream: shards in wire form; the next page begins after `last_shard` (None: no more)."""

    status: str
    shards: list[dict[str, Any]]
    last_shard: str | None


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """An answer of GetRecords: the JSON array of the records, and the next iterator (None: the shard has ended)."""

    raw: bytes | msgspec.Raw
    next_iterator: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A PartiQL statement and its parameters in wire form."""

    text: str
    parameters: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StatementAnswer:
    """The answer to a statement of a batch: `code` is None on success, `old` the image before it."""

    code: str | None
    message: str
    old: Item | None


def page_of(answer: dict[str, Any]) -> ItemsPage:
    """The answer of a Scan or Query."""
    units = float((answer.get("ConsumedCapacity") or {}).get("CapacityUnits", 0.0))
    left_out = int(answer.get("ScannedCount", 0)) - int(answer.get("Count", 0))
    return ItemsPage(answer.get("Items", []), answer.get("LastEvaluatedKey") or None, units, left_out)


def statement_answer_of(answer: dict[str, Any]) -> StatementAnswer:
    """The answer to a statement of BatchExecuteStatement."""
    error = answer.get("Error")
    if error:
        return StatementAnswer(str(error.get("Code", "Unknown")), str(error.get("Message", "")), error.get("Item"))
    return StatementAnswer(None, "", answer.get("Item"))
