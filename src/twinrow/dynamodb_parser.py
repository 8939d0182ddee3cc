"""The parser that botocore is given for DynamoDB's answers: they stay in wire form, and pages of items stay bytes.

botocore's response parser takes 65 µs an item and turns binary into bytes. msgspec decodes answers below 300 instead.
`response_parser_factory` is a hook, not a public contract: `dynamodb_wire.stock_to_wire` is the fallback.
"""

from __future__ import annotations

from typing import Any, Final

import botocore.parsers
import msgspec

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
