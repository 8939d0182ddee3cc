"""The two published systems, as their article describes them, on the same table and servers as Twinrow.

Old: scan everything by boto3, INSERT row after row, skip rows already there. New: query the index, and item after item
INSERT, LAST_INSERT_ID and one UpdateItem that sets mark and id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pymysql
from boto3.dynamodb.conditions import Key

from bench.ground import CREDENTIALS, REGION, Ground
from bench.reviews import INDEX, LINK, MARK, TABLE

COLUMNS = (
    "username", "reviewed_at", "title", "rating", "price", "visits", "verified", "tags", "flavours", "text",
)  # fmt: skip
CREATE = (
    "CREATE TABLE IF NOT EXISTS published (id BIGINT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(255), "
    "reviewed_at VARCHAR(255), title TEXT, rating INT, price DECIMAL(10,2), visits BIGINT, verified BOOLEAN, "
    "tags TEXT, flavours TEXT, text TEXT, UNIQUE KEY (username, reviewed_at))"
)
INSERT = f"INSERT INTO published ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"


def table_of(endpoint_url: str) -> Any:
    """boto3's resource for the table."""
    return boto3.resource(
        "dynamodb", region_name=REGION, endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    ).Table(TABLE)  # fmt: skip


def scan_items(endpoint_url: str) -> Iterator[dict[str, Any]]:
    """Every item, by boto3."""
    return _pages(table_of(endpoint_url).scan)


def scan_s(ground: Ground) -> float:
    """Seconds of a bare boto3 scan: what the article's guess is about."""
    began = time.perf_counter()
    for _ in scan_items(ground.dynamodb.endpoint_url):
        pass
    return time.perf_counter() - began


def old_s(ground: Ground) -> float:
    """Seconds of the old system."""
    table = table_of(ground.dynamodb.endpoint_url)
    began = time.perf_counter()
    with ground.connect() as connection, connection.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.execute("SELECT username, reviewed_at FROM published")
        there = set(cursor.fetchall())
        for item in _pages(table.scan):
            if (item["username"], item["reviewed_at"]) not in there:
                cursor.execute(INSERT, _row(item))
    return time.perf_counter() - began


def new_s(ground: Ground) -> float:
    """Seconds of the new system."""
    table = table_of(ground.dynamodb.endpoint_url)
    began = time.perf_counter()
    with ground.connect() as connection, connection.cursor() as cursor:
        cursor.execute(CREATE)
        pending = list(_pages(table.query, IndexName=INDEX, KeyConditionExpression=Key(MARK).eq("false")))
        for item in pending:
            try:
                cursor.execute(INSERT, _row(item))
            except pymysql.err.IntegrityError:
                continue
            cursor.execute("SELECT LAST_INSERT_ID()")
            (row_id,) = cursor.fetchone() or (0,)
            table.update_item(
                Key={"username": item["username"], "reviewed_at": item["reviewed_at"]},
                UpdateExpression="SET #m = :m, #l = :l",
                ExpressionAttributeNames={"#m": MARK, "#l": LINK},
                ExpressionAttributeValues={":m": "true", ":l": row_id},
            )
    return time.perf_counter() - began


def _pages(read: Any, **asked: Any) -> Iterator[dict[str, Any]]:
    while True:
        page = read(**asked)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _row(item: dict[str, Any]) -> list[Any]:
    return [_plain(item[name]) for name in COLUMNS]


def _plain(value: Any) -> Any:
    if isinstance(value, set):
        return json.dumps(sorted(value))
    if isinstance(value, dict):
        return json.dumps(value, default=float)
    return str(value) if isinstance(value, Decimal) else value
