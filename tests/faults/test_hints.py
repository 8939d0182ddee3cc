"""Changes as hints, at length: 50,000 writes by Kinesis through reshards, and by invocations that are killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Tell
from tests.fixtures import tables
from tests.fixtures.copying import Copying, review
from tests.fixtures.databases import Database
from tests.fixtures.kinesis import Bridge, Stream
from tests.fixtures.waiting import wait_until
from tests.kinds.test_kinesis import is_equal, phase
from tests.test_aws_lambda import events_of, invocation

from twinrow.dynamodb import DynamoDB
from twinrow.local_servers.kinesis import KinesisLocal
from twinrow.local_servers.servers import DynamoDBLocal

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

WRITERS = 8
WRITES_A_WRITER = 6_250
KEYS = 5_000
ROUNDS = 10
INVOCATIONS_AT_ONCE = 8
KILLED = 0.1
EQUAL_S = 1800.0
POINTS = ("before-transaction", "after-lock", "after-recheck-read", "after-rows", "after-commit", "after-link-call")


def write(copying: Copying, chance: random.Random, writes: int) -> None:
    """Puts, updates and deletes over all keys."""
    for number in range(writes):
        item, drawn = review(chance.randrange(KEYS), version={"N": str(number)}), chance.random()
        key = {name: item[name] for name in ("username", "reviewed_at")}
        if drawn < 0.6:
            copying.client.put_item(TableName=copying.table, Item=item)
        elif drawn < 0.8:
            copying.client.update_item(
                TableName=copying.table, Key=key, UpdateExpression="SET version = :v",
                ExpressionAttributeValues={":v": {"N": str(-number)}},
            )  # fmt: skip
        else:
            copying.client.delete_item(TableName=copying.table, Key=key)


@contextmanager
def writers(copying: Copying, writes_a_writer: int) -> Iterator[None]:
    """All writers at work until the end of the block, at the least."""
    threads = [
        threading.Thread(target=write, args=(copying, random.Random(seed), writes_a_writer)) for seed in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


@pytest.fixture
def streamed(database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path) -> Copying:
    """A table with a stream; its capture is the test's."""
    client = tables.client(fresh_dynamodb.endpoint_url)
    name = tables.create_table(client, None, stream="NEW_AND_OLD_IMAGES")
    return Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: {"link": True}})


def test_kinesis_through_two_reshards(streamed: Copying, kinesis: KinesisLocal, tell: Tell) -> None:
    copying, stream = streamed, Stream.create(kinesis.endpoint_url, shards=4)
    copying.kinesis_url = kinesis.endpoint_url
    copying.change(capture="kinesis", kinesis={"stream_arn": stream.arn})
    bridge = Bridge(copying.table, stream, DynamoDB("us-east-1", copying.endpoint_url), random.Random(11))
    with bridge.running(), copying.running() as running:
        wait_until(lambda: phase(copying) == "LIVE", EQUAL_S, what="the first copy")
        with writers(copying, WRITES_A_WRITER):
            stream.split()
            stream.merge()
    with copying.running() as running:
        wait_until(lambda: is_equal(copying), EQUAL_S, what="the copy equal")
    assert running.ran is not None
    assert running.ran.outcome.error is None
    copying.assert_equal()
    assert copying.state("_twinrow_gap") == 0
    tell(f"kinesis: {bridge.passed:,} records")


def test_invocations_side_by_side_that_are_killed(streamed: Copying, tell: Tell) -> None:
    copying, chance = streamed, random.Random(12)
    copying.change(capture="events")
    copying.once_well()
    bridge = Bridge(copying.table, None, DynamoDB("us-east-1", copying.endpoint_url), chance)  # type: ignore[arg-type]
    killed = 0

    def invoke(event: dict[str, Any]) -> int:
        point = chance.choice(POINTS) if chance.random() < KILLED else ""
        code, output = invocation(copying, event, point)
        if code:
            again, output = invocation(copying, event, "")
            assert again == 0, output
        return int(code != 0)

    for _ in range(ROUNDS):
        with writers(copying, WRITES_A_WRITER // ROUNDS):
            pass
        with ThreadPoolExecutor(INVOCATIONS_AT_ONCE) as pool:
            killed += sum(pool.map(invoke, events_of(bridge, chance, records_an_event=200)))
    copying.once_well()
    copying.assert_equal()
    tell(f"events: {killed} invocations killed")
