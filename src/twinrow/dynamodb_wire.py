"""DynamoDB's answers and requests in wire form: numbers as text, binary as base64 text.

botocore's response parser takes 65 µs an item and turns binary into bytes. msgspec decodes answers below 300 instead.
`response_parser_factory` is a hook, not a public contract: `stock_to_wire` is the fallback.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import botocore.parsers
import msgspec

from twinrow.change import Item
from twinrow.decode import wire_json

PAGE_SHAPES = frozenset({"ScanOutput", "QueryOutput"})
RECORDS_SHAPE = "GetRecordsOutput"


class _PageAnswer(msgspec.Struct, rename="pascal"):
    """The answer of a Scan or Query; the items stay bytes until it is known what they should look like."""

    items: msgspec.Raw = msgspec.Raw(b"[]")
    last_evaluated_key: dict[str, Any] | None = None
    consumed_capacity: dict[str, Any] | None = None
    count: int = 0
    scanned_count: int = 0

    @classmethod
    def of(cls, answer: dict[str, Any]) -> _PageAnswer:
        items = msgspec.Raw(wire_json.encoded(answer.get("Items", [])))
        return cls(
            items, answer.get("LastEvaluatedKey"), answer.get("ConsumedCapacity"), answer.get("Count", 0),
            answer.get("ScannedCount", 0),
        )  # fmt: skip


class _RecordsAnswer(msgspec.Struct, rename="pascal"):
    """The answer of GetRecords; the records stay bytes."""

    records: msgspec.Raw = msgspec.Raw(b"[]")
    next_shard_iterator: str | None = None

    @classmethod
    def of(cls, answer: dict[str, Any]) -> _RecordsAnswer:
        return cls(msgspec.Raw(wire_json.encoded(answer.get("Records", []))), answer.get("NextShardIterator"))


_decode: Final = msgspec.json.Decoder().decode
_decode_page: Final = msgspec.json.Decoder(_PageAnswer).decode
_decode_records: Final = msgspec.json.Decoder(_RecordsAnswer).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


class _WireParser:
    """Decodes good answers with msgspec, unchanged; errors are parsed by botocore's own parser."""

    def __init__(self, stock: Any) -> None:
        self._stock = stock

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        if response["status_code"] >= 300 or not response["body"]:
            return self._stock.parse(response, shape)
        body, parsed = response["body"], dict[str, Any]()
        if shape.name in PAGE_SHAPES:
            page = wire_json.decoded(_decode_page, body, _PageAnswer.of)
            parsed |= {
                "Items": bytes(page.items), "LastEvaluatedKey": page.last_evaluated_key,
                "ConsumedCapacity": page.consumed_capacity, "Count": page.count, "ScannedCount": page.scanned_count,
            }  # fmt: skip
        elif shape.name == RECORDS_SHAPE:
            answer = wire_json.decoded(_decode_records, body, _RecordsAnswer.of)
            parsed |= {"Records": answer.records, "NextShardIterator": answer.next_shard_iterator}
        else:
            parsed |= wire_json.decoded(_decode, body, dict)
        parsed["ResponseMetadata"] = {"HTTPStatusCode": response["status_code"], "HTTPHeaders": response["headers"]}
        return parsed


class WireParserFactory(botocore.parsers.ResponseParserFactory):
    """Gives botocore the parser above for the JSON protocols, its own for all else."""

    def create_parser(self, protocol_name: str) -> Any:
        stock = super().create_parser(protocol_name)
        return _WireParser(stock) if protocol_name == "json" else stock


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
