"""The reviews that every measure copies (about 450 bytes, 10 attributes), and the fastest way to put many of them."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import msgspec

Item = dict[str, dict[str, Any]]

TABLE = "reviews"
INDEX = "migrated-index"
MARK = "migrated"
LINK = "mysql_id"
PUTS_A_CALL_MAX = 25
LOADERS = 4
PENDING: Item = {MARK: {"S": "false"}}

_WORDS = ("minty", "smooth", "sweet", "harsh", "long", "short", "warm", "green", "deep", "plain")
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    # DynamoDB Local wants the form of a signature and does not check it.
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host;x-amz-target, Signature=0"
    ),
}


def review(number: int, *, marked: bool = False) -> Item:
    """The review of that number; `marked` puts it into the pending index."""
    words = " ".join(_WORDS[(number * step) % 10] for step in range(1, 31))
    item: Item = {
        "username": {"S": f"user{number % 997:04d}"},
        "reviewed_at": {"S": f"2024-05-{number % 28 + 1:02d}T{number:010d}"},
        "title": {"S": f"Review number {number}"},
        "rating": {"N": str(number % 5 + 1)},
        "price": {"N": f"{number % 89}.{number % 90 + 10}"},
        "visits": {"N": str(number)},
        "verified": {"BOOL": number % 3 == 0},
        "tags": {"SS": [f"tag{number % 7}", f"tag{number % 7 + 1}"]},
        "flavours": {"M": {"mint": {"N": "4.5"}, "sweet": {"BOOL": True}, "note": {"S": _WORDS[number % 10]}}},
        "text": {"S": words[:220]},
    }
    return {**item, **PENDING} if marked else item


def create(client: Any, table: str = TABLE, *, index: bool = False, stream: bool = False) -> None:
    """Make the table, with the pending index or a stream where asked for."""
    attributes = ["username", "reviewed_at", *([MARK] if index else [])]
    request: dict[str, Any] = {
        "TableName": table,
        "KeySchema": [
            {"AttributeName": "username", "KeyType": "HASH"},
            {"AttributeName": "reviewed_at", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if index:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": MARK, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    if stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    client.create_table(**request)
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def drop(client: Any, table: str = TABLE) -> None:
    """Delete the table, and wait until it is gone."""
    client.delete_table(TableName=table)
    client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def put(port: int, numbers: Iterable[int], *, marked: bool = False, table: str = TABLE) -> None:
    """Put these reviews, 25 a call, by LOADERS threads without botocore (which would take most of the time)."""
    left = iter(numbers)
    parts: Iterator[list[int]] = iter(lambda: list(islice(left, PUTS_A_CALL_MAX)), [])

    def work(mine: list[list[int]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for part in mine:
            _put_all(connection, table, [review(number, marked=marked) for number in part])
        connection.close()

    with ThreadPoolExecutor(LOADERS) as pool:
        while some := list(islice(parts, 1000)):
            list(pool.map(work, [some[first::LOADERS] for first in range(LOADERS)]))


def _put_all(connection: http.client.HTTPConnection, table: str, items: list[Item]) -> None:
    asked: dict[str, Any] = {table: [{"PutRequest": {"Item": item}} for item in items]}
    while asked:
        body = msgspec.json.encode({"RequestItems": asked})
        connection.request("POST", "/", body, _HEADERS)
        answer = connection.getresponse()
        written = msgspec.json.decode(answer.read())
        if answer.status != http.client.OK:
            raise RuntimeError(f"DynamoDB Local refuses to take items: {written}")
        asked = written.get("UnprocessedItems") or {}
