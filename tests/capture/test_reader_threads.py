"""Reading in threads: over HTTP from the fake endpoint with its faults, and from DynamoDB Local."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures import tables
from tests.fixtures.fake_streams import serving
from tests.fixtures.stream_model import Faults, StreamModel
from tests.fixtures.stream_reading import numbers
from tests.fixtures.waiting import wait_until

from twinrow import clock
from twinrow.capture.dynamodb_stream import DynamoDBStream
from twinrow.capture.reader_threads import ReaderThreads
from twinrow.capture.stream import StreamReader
from twinrow.capture.stream_batch import StreamBatch
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import Change
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.local_servers.servers import DynamoDBLocal

Batch = StreamBatch[StreamRecord]
WRITES = 600
LAG_MEDIAN_S_MAX = 0.25


def take_until(reader: StreamReader[StreamRecord], enough: Callable[[list[Change], Batch], bool]) -> list[Change]:
    """Takes batches until `enough(changes so far, the last batch)`."""
    changes: list[Change] = []

    def once() -> bool:
        batch = reader.take(100, 0.05)
        changes.extend(batch.changes)
        return enough(changes, batch)

    wait_until(once, 30.0, what="the stream read")
    return changes


def test_many_shards_over_http_through_splits_throttling_and_broken_answers(local_credentials: None) -> None:
    rng = random.Random(5)
    faults = Faults(throttled=0.05, broken=0.05, expired=0.02, empty=0.2, late_end=0.3, page_shards_max=3)
    model = StreamModel(rng, time.time, faults, shards=4)
    lock = threading.Lock()
    plain, model.handle = model.handle, lambda *request: _locked(lock, plain, *request)  # type: ignore[method-assign]
    with serving(model) as endpoint:
        dynamodb = DynamoDB("us-east-1", endpoint)
        reader = StreamReader(DynamoDBStream(dynamodb, model.stream.arn), {}, started_at=time.time(), now=time.time)
        with ReaderThreads(reader, 4):
            for number in range(WRITES):
                with lock:
                    model.put(f"k{rng.randrange(30)}")
                    if number % 100 == 50:
                        model.split(rng.choice(model.open_shards()))
            changes = take_until(reader, lambda changes, _: len(changes) == WRITES)
    assert sorted(numbers(changes)) == list(range(1, WRITES + 1))
    for key in {one.key["k"]["S"] for one in changes}:
        mine = numbers([one for one in changes if one.key["k"]["S"] == key])
        assert mine == sorted(mine), f"{key} is out of order"


def _locked(lock: threading.Lock, work: Callable[..., Any], *arguments: Any) -> Any:
    with lock:
        return work(*arguments)


def test_an_error_in_a_thread_comes_out_of_take(local_credentials: None) -> None:
    model = StreamModel(random.Random(1), time.time, Faults(denied=1.0))
    with serving(model) as endpoint:
        reader = StreamReader(
            DynamoDBStream(DynamoDB("us-east-1", endpoint), model.stream.arn), {}, started_at=time.time(), now=time.time
        )
        with ReaderThreads(reader, 2), pytest.raises(DynamoDBError, match="AccessDenied"):
            take_until(reader, lambda *_: False)


def test_the_end_does_not_wait_for_what_is_due_later(local_credentials: None) -> None:
    model = StreamModel(random.Random(1), time.time, shards=8)
    with serving(model) as endpoint:
        reader = StreamReader(
            DynamoDBStream(DynamoDB("us-east-1", endpoint), model.stream.arn), {}, started_at=time.time(), now=time.time
        )
        with ReaderThreads(reader, 8):
            take_until(reader, lambda _, batch: batch.read_through)
            began = clock.monotonic()
        assert clock.monotonic() - began < 1.0


class OnDynamoDBLocal:
    """A table with a stream on a fresh DynamoDB Local, and a reader of it."""

    def __init__(self, server: DynamoDBLocal, make_table: MakeTable, view: str) -> None:
        self.client = tables.client(server.endpoint_url)
        self.table = make_table(stream=view, client=self.client)
        self.dynamodb = DynamoDB(tables.REGION, server.endpoint_url)
        self.arn = self.dynamodb.describe(self.table).stream_arn or ""

    @contextmanager
    def reading(self) -> Any:
        reader = StreamReader(DynamoDBStream(self.dynamodb, self.arn), {}, started_at=time.time(), now=time.time)
        with ReaderThreads(reader, 2):
            yield reader
        self.client.close()

    def put(self, name: str, number: int) -> None:
        item = {"username": {"S": name}, "reviewed_at": {"S": "r"}, "n": {"N": str(number)}, "b": {"B": b"\0\1"}}
        self.client.put_item(TableName=self.table, Item=item)

    def delete(self, name: str) -> None:
        self.client.delete_item(TableName=self.table, Key={"username": {"S": name}, "reviewed_at": {"S": "r"}})


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"])
def test_every_view_of_dynamodb_local(fresh_dynamodb: DynamoDBLocal, make_table: MakeTable, view: str) -> None:
    local = OnDynamoDBLocal(fresh_dynamodb, make_table, view)
    with local.reading() as reader:
        local.put("a", 1)
        local.put("a", 2)
        local.delete("a")
        changes = take_until(reader, lambda changes, _: len(changes) == 3)
        take_until(reader, lambda _, batch: batch.read_through)
    assert [one.kind for one in changes] == ["PUT", "PUT", "DELETE"]
    assert all(one.key == {"username": {"S": "a"}, "reviewed_at": {"S": "r"}} for one in changes)
    has_new, has_old = view in ("NEW_AND_OLD_IMAGES", "NEW_IMAGE"), view in ("NEW_AND_OLD_IMAGES", "OLD_IMAGE")
    assert [one.needs_recheck for one in changes] == [not has_new, not has_new, False]
    if has_new:
        assert changes[1].item is not None
        assert changes[1].item["b"] == {"B": "AAE="}
        assert changes[1].item["n"] == {"N": "2"}
    if has_old:
        assert [one.old["n"] if one.old else None for one in changes] == [None, {"N": "1"}, {"N": "2"}]


def test_an_active_shard_of_dynamodb_local_lags_little(fresh_dynamodb: DynamoDBLocal, make_table: MakeTable) -> None:
    local = OnDynamoDBLocal(fresh_dynamodb, make_table, "NEW_AND_OLD_IMAGES")
    lags = []
    with local.reading() as reader:
        take_until(reader, lambda _, batch: batch.read_through)
        for number in range(40):
            local.put("a", number)
            written_at = clock.monotonic()
            take_until(reader, lambda changes, _: bool(changes))
            lags.append(clock.monotonic() - written_at)
    assert sorted(lags)[len(lags) // 2] < LAG_MEDIAN_S_MAX


def test_a_stream_of_dynamodb_local_that_is_turned_off_ends(
    fresh_dynamodb: DynamoDBLocal, make_table: MakeTable
) -> None:
    local = OnDynamoDBLocal(fresh_dynamodb, make_table, "NEW_AND_OLD_IMAGES")
    with local.reading() as reader:
        local.put("a", 1)
        take_until(reader, lambda changes, _: len(changes) == 1)
        local.put("a", 2)
        local.client.update_table(TableName=local.table, StreamSpecification={"StreamEnabled": False})
        changes = take_until(reader, lambda _, batch: batch.ended)
    assert len(changes) == 1
