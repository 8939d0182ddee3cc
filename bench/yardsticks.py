"""The yardsticks for Twinrow: the raw scan, boto3's scan, LOAD DATA of a file made before, bare link batches."""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.parsers
import botocore.session
from botocore.config import Config as BotoConfig

from bench.ground import DATABASE, REGION, Ground, Run, run
from bench.reviews import LINK, MARK, TABLE, review
from twinrow.config import mysql_config
from twinrow.dynamodb import STATEMENTS_MAX
from twinrow.mysql import MySQL

SEGMENTS = 8
"""Those of the raw scan that design section 5 speaks of."""
SCANS_AT_ONCE = 8
LINK_CALLS_AT_ONCE = 8
_POSITION = re.compile(rb'"LastEvaluatedKey":(\{.*?\}\})')
_COUNT = re.compile(rb'"Count":(\d+)')


class _RawParser:
    """Decodes nothing but the position and the count."""

    def parse(self, response: dict[str, Any], _shape: Any) -> dict[str, Any]:
        body = response["body"]
        parsed: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": response["status_code"], "HTTPHeaders": {}}}
        found = _POSITION.search(body)
        if found is not None:
            parsed["LastEvaluatedKey"] = json.loads(found[1])
        count = _COUNT.search(body)
        parsed["Count"] = int(count[1]) if count else 0
        return parsed


class _RawParserFactory(botocore.parsers.ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        return _RawParser() if protocol_name == "json" else super().create_parser(protocol_name)


def raw_scan_s(ground: Ground, items: int, segments: int = SEGMENTS) -> float:
    """Seconds of a parallel scan that decodes nothing. Raises RuntimeError when it misses items.

    DynamoDB Local looks through the rest of a segment for each page, so its speed is that of the number of segments.
    """
    session = botocore.session.Session()
    session.register_component("response_parser_factory", _RawParserFactory())
    client: Any = session.create_client(
        "dynamodb", region_name=REGION, endpoint_url=ground.dynamodb.endpoint_url,
        config=BotoConfig(max_pool_connections=SCANS_AT_ONCE, parameter_validation=False),
    )  # fmt: skip

    def segment(number: int) -> int:
        counted = 0
        start: dict[str, Any] = {}
        while True:
            page = client.scan(TableName=TABLE, Segment=number, TotalSegments=segments, **start)
            counted += int(page["Count"])
            if "LastEvaluatedKey" not in page:
                return counted
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    began = time.perf_counter()
    with ThreadPoolExecutor(SCANS_AT_ONCE) as pool:
        found = sum(pool.map(segment, range(segments)))
    took = time.perf_counter() - began
    if found != items:
        raise RuntimeError(f"the raw scan met {found} items of {items}")
    return took


def boto_scan(ground: Ground) -> Run:
    """boto3's own scan in a process of its own, one segment after the other, doing nothing with the items."""
    return run([sys.executable, "-m", "bench.boto_scan", ground.dynamodb.endpoint_url], ground.folder)


def load_data_s(ground: Ground) -> float:
    """Seconds of LOAD DATA LOCAL of the copy's own rows, made ready before, into an empty table like it."""
    columns = [row[0] for row in ground.query(f"SHOW COLUMNS FROM {TABLE}") if not row[0].startswith("_twinrow")]
    names = ", ".join(f"`{name}`" for name in columns)
    rows = ground.query(f"SELECT {names}, HEX(`_twinrow_key`) FROM {TABLE}")
    data = "".join("\t".join(map(_field, row)) + "\n" for row in rows).encode()
    connection = MySQL(mysql_config(ground.mysql.url(DATABASE), "bench", {})).connect()
    connection.execute(f"CREATE TABLE yardstick LIKE {TABLE}")
    began = time.perf_counter()
    affected, _ = connection.load(
        f"LOAD DATA LOCAL INFILE 'memory' INTO TABLE yardstick CHARACTER SET utf8mb4 ({names}, @fingerprint) "
        "SET `_twinrow_key` = UNHEX(@fingerprint)",
        data,
    )
    took = time.perf_counter() - began
    connection.execute("DROP TABLE yardstick")
    connection.close()
    if affected != len(rows):
        raise RuntimeError(f"LOAD DATA took {affected} rows of {len(rows)}")
    return took


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def bare_links_s(ground: Ground, items: int, *, marked: bool = True) -> float:
    """Seconds of nothing but link statements for all reviews: 25 a call, several calls in flight.

    With `marked` each call clears the mark and asks for the old image; without, it is what a stream's links send.
    """
    clear, mark, returning = (f' REMOVE "{MARK}"', f' AND "{MARK}"=?', " RETURNING ALL OLD *") if marked else ("",) * 3
    text = f'UPDATE "{TABLE}" SET "{LINK}"=?{clear} WHERE "username"=? AND "reviewed_at"=?{mark}{returning}'

    def statement(number: int) -> dict[str, Any]:
        item = review(number)
        parameters = [{"N": str(number + 1)}, item["username"], item["reviewed_at"], *([{"S": "false"}] * marked)]
        return {"Statement": text, "Parameters": parameters}

    def call(first: int) -> int:
        numbers = range(first, min(items, first + STATEMENTS_MAX))
        answer = ground.client.batch_execute_statement(Statements=[statement(number) for number in numbers])
        return sum("Error" in response for response in answer["Responses"])

    began = time.perf_counter()
    with ThreadPoolExecutor(LINK_CALLS_AT_ONCE) as pool:
        refused = sum(pool.map(call, range(0, items, STATEMENTS_MAX)))
    took = time.perf_counter() - began
    if refused:
        raise RuntimeError(f"{refused} bare link statements were refused")
    return took
