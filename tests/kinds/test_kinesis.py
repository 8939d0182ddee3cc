"""A copy fed by a Kinesis stream: kinesis-local, filled from DynamoDB Local's stream in AWS's record format."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import Copying
from tests.fixtures.databases import Database
from tests.fixtures.kinesis import Bridge, Stream
from tests.fixtures.waiting import wait_until

from twinrow.dynamodb import DynamoDB
from twinrow.kinds.kinesis import follow_hints, streaming
from twinrow.kinesis import Kinesis
from twinrow.local_servers.kinesis import KinesisLocal
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.table_description import TableDescription

WRITERS = 3
WRITES_A_WRITER = 60
KEYS = 30
CATCH_UP_S = 120.0

MakeHinted = Callable[..., tuple[Copying, Stream, Bridge]]


@pytest.fixture
def make_hinted(
    database: Database, fresh_dynamodb: DynamoDBLocal, kinesis: KinesisLocal, tmp_path: Path
) -> Iterator[MakeHinted]:
    """A table with a binary key, its Kinesis stream, and the bridge between them."""
    client = tables.client(fresh_dynamodb.endpoint_url)

    def make(**options: Any) -> tuple[Copying, Stream, Bridge]:
        name = tables.create_table(
            client, None, hash="username:S", range="reviewed_at:B", index=None, stream="NEW_AND_OLD_IMAGES"
        )
        stream = Stream.create(kinesis.endpoint_url)
        wanted = {"capture": "kinesis", "kinesis": {"stream_arn": stream.arn}, **options}
        copying = Copying(
            database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: wanted}, kinesis_url=kinesis.endpoint_url
        )
        door = DynamoDB("us-east-1", fresh_dynamodb.endpoint_url)
        return copying, stream, Bridge(name, stream, door, random.Random(7))

    yield make
    client.close()


def key_of(number: int) -> dict[str, Any]:
    return {"username": {"S": f"user{number % 7}"}, "reviewed_at": {"B": number.to_bytes(4, "big")}}


def write(copying: Copying, chance: random.Random, writes: int) -> None:
    """Puts, updates and deletes over few keys, so that each key has a long story."""
    for number in range(writes):
        key, drawn = key_of(chance.randrange(KEYS)), chance.random()
        if drawn < 0.5:
            copying.client.put_item(
                TableName=copying.table, Item=key | {"version": {"N": str(number)}, "raw": {"B": b"\0\1"}}
            )
        elif drawn < 0.75:
            copying.client.update_item(
                TableName=copying.table, Key=key, UpdateExpression="SET version = :v",
                ExpressionAttributeValues={":v": {"N": str(-number)}},
            )  # fmt: skip
        else:
            copying.client.delete_item(TableName=copying.table, Key=key)


def is_equal(copying: Copying) -> bool:
    """Whether every item has its row and each row its item, and nothing waits."""
    owed = copying.database.query("SELECT COUNT(*) FROM _twinrow_recheck WHERE late = 0")[0][0]
    return owed == 0 and copying.state("_twinrow_link") == 0 and copying.verify().in_step


def phase(copying: Copying) -> str:
    there = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '_twinrow_table'"
    if not copying.database.query(there):
        return ""
    found = copying.database.query("SELECT phase FROM _twinrow_table")
    return str(found[0][0]) if found else ""


def test_writers_through_reshards_end_equal_and_linked(make_hinted: MakeHinted) -> None:
    copying, stream, bridge = make_hinted(link=True)
    write(copying, random.Random(1), 40)
    with bridge.running(), copying.running() as running:
        wait_until(lambda: phase(copying) == "LIVE", CATCH_UP_S, what="the first copy")
        writers = [
            threading.Thread(target=write, args=(copying, random.Random(seed), WRITES_A_WRITER))
            for seed in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        stream.split()
        stream.merge()
        for writer in writers:
            writer.join()
        wait_until(lambda: bridge.passed > 0 and is_equal(copying), CATCH_UP_S, what="the copy equal")
    assert running.ran is not None
    assert running.ran.outcome.error is None
    copying.assert_equal()
    assert copying.state("_twinrow_gap") == 0
    parts = copying.database.query("SELECT info FROM _twinrow_checkpoint WHERE part LIKE 'shard:%'")
    assert any('"parents": ["' in str(info) for (info,) in parts), (
        "shards of before and after the reshards are followed"
    )


def test_what_is_written_while_no_sync_runs_is_read_from_the_durable_position(make_hinted: MakeHinted) -> None:
    copying, _, bridge = make_hinted()
    write(copying, random.Random(1), 20)
    copying.once_well()
    write(copying, random.Random(2), 40)
    bridge.step()
    bridge.flush()
    bridge.step()
    copying.once_well()
    assert copying.verify().in_step
    assert copying.state("_twinrow_gap") == 0


def test_a_stream_made_anew_is_a_gap_that_a_pass_mends(make_hinted: MakeHinted) -> None:
    """It has the same name and ARN, and its shards have the same ids."""
    copying, stream, _ = make_hinted()
    write(copying, random.Random(1), 20)
    copying.once_well()
    stream.client.delete_stream(StreamName=stream.name, EnforceConsumerDeletion=True)
    wait_until(lambda: stream.name not in stream.client.list_streams()["StreamNames"], 30.0, what="the stream gone")
    stream.client.create_stream(StreamName=stream.name, ShardCount=2)
    stream.wait_active()
    write(copying, random.Random(2), 20)  # nothing of this is in any stream
    copying.once_well()
    copying.assert_equal()
    causes = copying.database.query("SELECT cause, closed_at IS NULL FROM _twinrow_gap")
    assert [(str(cause), bool(is_open)) for cause, is_open in causes] == [("STREAM_RECREATED", False)]


@pytest.mark.either_server
def test_a_position_that_has_expired_is_found_and_mended(make_hinted: MakeHinted) -> None:
    copying, _, _ = make_hinted()
    write(copying, random.Random(1), 20)
    copying.once_well()
    copying.database.query(
        "UPDATE _twinrow_checkpoint SET read_at = read_at - 86400, info = IF(part = 'stream', info, "
        "JSON_SET(info, '$.horizon_at', read_at - 86400)) WHERE part = 'stream' OR part LIKE 'shard:%'"
    )
    write(copying, random.Random(2), 20)
    copying.once_well()
    copying.assert_equal()
    assert [str(cause) for (cause,) in copying.database.query("SELECT cause FROM _twinrow_gap")] == ["NOT_READ"]


@pytest.mark.either_server
def test_a_destination_that_is_turned_off_stops_the_table_with_a_gap(
    make_hinted: MakeHinted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB Local has no destinations: the state is made up where it is asked for."""
    copying, _, _ = make_hinted()
    write(copying, random.Random(1), 10)
    off = threading.Event()

    def described(*asked: Any) -> TableDescription:
        found = streaming.described(*asked)
        assert found.streaming is not None
        return replace(found, streaming=replace(found.streaming, status="DISABLED")) if off.is_set() else found

    monkeypatch.setattr(follow_hints, "described", described)
    monkeypatch.setattr(follow_hints, "LOOK_EVERY_S", 0.2)
    with copying.running() as running:
        wait_until(lambda: phase(copying) == "LIVE", CATCH_UP_S, what="the first copy")
        off.set()
        wait_until(lambda: phase(copying) == "BROKEN", CATCH_UP_S, what="the table stopped")
    assert running.ran is not None
    assert "does not write to its Kinesis stream (DISABLED)" in str(running.ran.outcome.error)
    write(copying, random.Random(2), 10)
    off.clear()
    copying.once_well()
    copying.assert_equal()
    gaps = copying.database.query("SELECT cause, closed_at IS NULL FROM _twinrow_gap")
    assert [(str(cause), bool(is_open)) for cause, is_open in gaps] == [("DESTINATION_OFF", False)]


@pytest.mark.either_server
def test_check_and_the_policy_speak_of_the_stream(make_hinted: MakeHinted) -> None:
    copying, stream, _ = make_hinted()
    command = InProcess(copying.config_file().parent)
    checked = command.run("check", "--verbose")
    assert "Kinesis stream: destination UNKNOWN, 2 shards, retention 24 h" in checked.out
    assert "reconcile_every is off" in checked.out
    assert "kinesis:GetRecords" in checked.out
    policy = command.run("iam-policy", "--account", "000000000000").out
    assert stream.arn in policy
    assert "dynamodb:DescribeKinesisStreamingDestination" in policy
    stream.client.delete_stream(StreamName=stream.name)
    wait_until(lambda: stream.name not in stream.client.list_streams()["StreamNames"], 30.0, what="the stream gone")
    gone = command.run("check", "--verbose")
    assert gone.code == 1
    assert f"there is no Kinesis stream {stream.arn}" in gone.out


def test_kinesis_answers_as_the_door_expects(kinesis: KinesisLocal) -> None:
    stream = Stream.create(kinesis.endpoint_url, shards=2)
    door = Kinesis("us-east-1", kinesis.endpoint_url)
    summary = door.summary(stream.arn)
    assert (summary.status, summary.shards, summary.retention_s) == ("ACTIVE", 2, 86_400.0)
    assert summary.created_at > 1.6e9
    stream.put([b"first", b"second"], random.Random(1))
    stream.split()
    listed, more = door.shards(stream.arn, None)
    assert not more
    assert len(listed) == 4
    after, _ = door.shards(stream.arn, listed[1]["ShardId"])
    assert [each["ShardId"] for each in after] == [each["ShardId"] for each in listed[2:]]
    found = []
    for shard in listed:
        iterator: str | None = door.iterator(
            stream.arn, shard["ShardId"], "AT_TIMESTAMP", None, summary.created_at - 60
        )
        answer = door.records(str(iterator), stream.arn, shard["ShardId"])
        found += [record.data for record in answer.records]
    assert sorted(found) == [b"first", b"second"]
