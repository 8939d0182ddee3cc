"""The functions for AWS Lambda, called from threads with events made of DynamoDB Local's own stream records."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.aws_records import kinesis_data, kinesis_event, stream_event
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.kinesis import Bridge

from twinrow import aws_lambda
from twinrow.app.observe.status import TableStatus, collect
from twinrow.aws_watch import Mapping
from twinrow.capture.lambda_event import dropped_from
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.dynamodb import DynamoDB
from twinrow.errors import ConfigError
from twinrow.local_servers.servers import DynamoDBLocal

INVOCATIONS_AT_ONCE = 4
RECORDS_AN_EVENT = 10
WRITES = 120
KEYS = 25
LEASE_S_MIN = 6.0
INVOCATION_S_MAX = 120.0

MakeEvents = Callable[..., tuple[Copying, Bridge]]


class Remaining:
    """The context that Lambda hands to a function."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's."""
        return max(0, int((self._end - time.monotonic()) * 1000))


@pytest.fixture
def make_events(
    database: Database,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeEvents:
    """A table whose changes come as events, and what reads them from its stream."""

    def make(**options: Any) -> tuple[Copying, Bridge]:
        name = make_table(stream="NEW_AND_OLD_IMAGES")
        copying = Copying(
            database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {name: {"capture": "events", **options}}
        )
        monkeypatch.setenv(aws_lambda.CONFIG_VARIABLE, copying.text())
        door = DynamoDB("us-east-1", dynamodb.endpoint_url)
        return copying, Bridge(name, None, door, random.Random(3))  # type: ignore[arg-type]

    return make


def in_a_process(work: Callable[[], Any]) -> Any:
    """The result of a call in a thread of its own: such a thread keeps what a process of Lambda's would keep."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def invoke(event: dict[str, Any], context: Remaining | None = None) -> dict[str, Any]:
    """What a new process of Lambda answers."""
    answer: dict[str, Any] = in_a_process(partial(aws_lambda.handler, event, context))
    return answer


def write(copying: Copying, chance: random.Random, writes: int) -> None:
    """Puts and deletes over few keys."""
    for number in range(writes):
        item = review(chance.randrange(KEYS), version={"N": str(number)})
        if chance.random() < 0.7:
            copying.client.put_item(TableName=copying.table, Item=item)
        else:
            key = {name: item[name] for name in ("username", "reviewed_at")}
            copying.client.delete_item(TableName=copying.table, Key=key)


def events_of(bridge: Bridge, chance: random.Random, records_an_event: int = RECORDS_AN_EVENT) -> list[dict[str, Any]]:
    """Events of what is new in the stream: the records in disorder, some batches sent twice."""
    arn = str(bridge.door.describe(bridge.table).stream_arn)
    records = list(bridge._records())
    chance.shuffle(records)
    batches = [records[first : first + records_an_event] for first in range(0, len(records), records_an_event)]
    batches += chance.sample(batches, len(batches) // 3)
    chance.shuffle(batches)
    return [stream_event(batch, arn) for batch in batches]


def test_invocations_side_by_side_end_equal_and_linked(make_events: MakeEvents) -> None:
    copying, bridge = make_events(link=True)
    put_all(copying.client, copying.table, [review(number) for number in range(KEYS)])
    assert in_a_process(lambda: aws_lambda.scheduled({}, Remaining(60))) == {"through": True, "reason": ""}
    chance = random.Random(5)
    write(copying, chance, WRITES)
    events = events_of(bridge, chance)
    barrier = threading.Barrier(INVOCATIONS_AT_ONCE)

    def invocations(mine: list[dict[str, Any]]) -> list[Any]:
        barrier.wait()
        return [aws_lambda.handler(event, Remaining(60)) for event in mine]

    with ThreadPoolExecutor(INVOCATIONS_AT_ONCE) as pool:
        shares = [events[first::INVOCATIONS_AT_ONCE] for first in range(INVOCATIONS_AT_ONCE)]
        answers = [answer for share in pool.map(invocations, shares) for answer in share]
    assert all(answer == {"batchItemFailures": []} for answer in answers)
    assert in_a_process(lambda: aws_lambda.scheduled({}, Remaining(60)))["through"]
    copying.assert_equal()
    assert copying.state("_twinrow_gap") == 0


def test_an_invocation_that_is_killed_loses_nothing(make_events: MakeEvents) -> None:
    """Before its keys are durable Lambda sends the batch again; after that whoever comes next reads them."""
    copying, bridge = make_events(link=True)
    copying.lease_s = LEASE_S_MIN
    copying.once_well()
    chance = random.Random(9)
    for point in ("before-transaction", "after-recheck-read", "after-rows", "after-commit", "before-link-paid"):
        write(copying, chance, 6)
        for event in events_of(bridge, chance):
            code, output = invocation(copying, event, point)
            assert code in (0, -signal.SIGKILL), output
            if code:
                lease_runs_out(copying)
            if code and point == "before-transaction":
                code, output = invocation(copying, event, "")
                assert code == 0, output
    copying.once_well()
    copying.assert_equal()


def invocation(copying: Copying, event: dict[str, Any], fail_point: str) -> tuple[int, str]:
    """An invocation in a process of its own; exit code and output."""
    program = "import json, sys; from twinrow import aws_lambda; print(aws_lambda.handler(json.load(sys.stdin)))"
    environment = os.environ | {aws_lambda.CONFIG_VARIABLE: copying.text(), "TWINROW_FAIL_POINT": fail_point}
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(event), env=environment, capture_output=True, text=True,
        timeout=INVOCATION_S_MAX, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_before_the_first_copy_keys_are_only_entered(make_events: MakeEvents) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 10)
    for event in events_of(bridge, random.Random(1)):
        assert invoke(event) == {"batchItemFailures": []}
    assert copying.state("_twinrow_recheck") > 0
    copying.once_well()
    copying.assert_equal()


def test_a_batch_whose_keys_cannot_be_entered_fails_from_its_first_record_on(
    make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 3)
    (event, *_) = events_of(bridge, random.Random(1))
    monkeypatch.setenv(aws_lambda.CONFIG_VARIABLE, copying.text().replace(f":{copying.database.server.port}/", ":1/"))
    first = event["Records"][0]["dynamodb"]["SequenceNumber"]
    assert invoke(event) == {"batchItemFailures": [{"itemIdentifier": first}]}


@pytest.mark.either_server
def test_what_events_show_of_losses_is_a_gap(make_events: MakeEvents) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 3)
    (event, *_) = events_of(bridge, random.Random(1))
    other = event["Records"][0]["eventSourceARN"].replace("/stream/", "/stream/anew-")
    stale = [
        record | {"dynamodb": record["dynamodb"] | {"ApproximateCreationDateTime": 1e9}} for record in event["Records"]
    ]
    again = {"Records": [record | {"eventSourceARN": other} for record in event["Records"]]}
    odd = {"Records": [event["Records"][0] | {"dynamodb": {"SequenceNumber": "1", "Keys": {"other": {"S": "a"}}}}]}
    batch = f'{{"DDBStreamBatchInfo": {{"streamArn": "{other}", "shardId": "s"}}}}'
    given_up = {"Records": [{"eventSource": "aws:sqs", "body": batch}]}

    def invocations() -> None:
        for each in (event, {"Records": stale}, again, odd, given_up):
            assert aws_lambda.handler(each) == {"batchItemFailures": []}

    in_a_process(invocations)
    causes = {str(cause) for (cause,) in copying.database.query("SELECT cause FROM _twinrow_gap")}
    assert causes == {"EVENTS_LATE", "STREAM_RECREATED", "NOT_UNDERSTOOD", "EVENTS_DROPPED"}
    copying.once_well()
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_gap WHERE closed_at IS NULL") == [(0,)]
    copying.assert_equal()


@pytest.mark.either_server
def test_events_of_kinesis_and_of_tables_that_are_not_copied(make_events: MakeEvents) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 6)
    copying.once_well()
    write(copying, random.Random(2), 6)
    records = list(bridge._records())
    datas = [kinesis_data(record, table) for record in records for table in (copying.table, "of-somebody-else")]
    arn = "arn:aws:kinesis:us-east-1:1:stream/changes"
    assert invoke(kinesis_event(datas, arn)) == {"batchItemFailures": []}
    assert copying.verify().in_step


def test_a_first_copy_is_made_in_slices_that_end_before_the_time_out(
    make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, _ = make_events()
    put_all(copying.client, copying.table, [review(number) for number in range(30)])
    monkeypatch.setattr(aws_lambda, "_time_left_s", lambda _context: 0.01)
    found = in_a_process(lambda: aws_lambda.scheduled({}))
    assert found["through"] is False
    assert "it goes on from what is committed" in found["reason"]
    monkeypatch.undo()
    monkeypatch.setenv(aws_lambda.CONFIG_VARIABLE, copying.text())
    assert in_a_process(lambda: aws_lambda.scheduled({}, Remaining(120)))["through"]
    copying.assert_equal()


def test_keys_that_somebody_else_reads_are_waited_for_a_moment_only(make_events: MakeEvents) -> None:
    copying, bridge = make_events()
    copying.once_well()
    write(copying, random.Random(2), 6)
    events = events_of(bridge, random.Random(1))
    with copying.running():
        for event in events:
            assert invoke(event, Remaining(60)) == {"batchItemFailures": []}
    copying.once_well()
    copying.assert_equal()


def test_the_configuration_is_a_path_or_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[mysql]\nurl = "mysql://u:p@127.0.0.1/d"\n[[tables]]\nname = "reviews"\ncapture = "events"\n'
    path = tmp_path / "twinrow.toml"
    path.write_text(text)
    for given in (text, str(path)):
        config = aws_lambda._config(given)
        assert config.tables[0].rebuild_rows_max == 0
    with pytest.raises(ConfigError, match="TWINROW_CONFIG is not set"):
        aws_lambda._config("")


@pytest.mark.either_server
@pytest.mark.parametrize("written", [0.0, 5.0])
def test_silence_of_a_table_that_is_written_is_a_gap_once_a_day(
    make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch, written: float
) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 3)
    (event, *_) = events_of(bridge, random.Random(1))
    invoke(event)
    copying.once_well()
    asked = []

    def units_written(_door: DynamoDB, table: str, _from_at: float, _to_at: float) -> float:
        asked.append(table)
        return written

    monkeypatch.setattr(aws_lambda, "units_written", units_written)

    def look() -> None:
        aws_lambda._look_for_silence(aws_lambda._warm())

    in_a_process(look)
    assert asked == []
    copying.database.query("UPDATE _twinrow_event SET event_at = event_at - 90000")
    in_a_process(look)
    in_a_process(look)
    assert asked == [copying.table] * (1 if written else 2)
    causes = [str(cause) for (cause,) in copying.database.query("SELECT cause FROM _twinrow_gap")]
    assert causes == (["EVENTS_SILENT"] if written else [])


def status_of(copying: Copying) -> TableStatus:
    """The status as any machine that reaches MySQL shows it."""
    with closing(copying.copies(Stop())[1].connect()) as session:
        (table,) = collect(session, parse(copying.text()).tables).tables
    return table


@pytest.mark.either_server
def test_status_says_when_the_last_event_and_the_last_scheduled_run_came(make_events: MakeEvents) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 3)
    before = copying.database.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0]
    for event in events_of(bridge, random.Random(1)):
        invoke(event)
    in_a_process(partial(aws_lambda.scheduled, {}, Remaining(60)))
    table = status_of(copying)
    assert table.running is None
    assert table.last_event_at is not None
    assert table.last_scheduled_at is not None
    assert float(before) <= table.last_event_at <= table.last_scheduled_at
    assert table.in_step
    assert [trouble.text for trouble in table.troubles if trouble.bad] == []
    copying.database.query("UPDATE _twinrow_event SET scheduled_at = scheduled_at - 3600")
    table = status_of(copying)
    assert any("the last scheduled run 60 min ago" in trouble.text for trouble in table.troubles if trouble.bad)


@pytest.mark.either_server
def test_a_mapping_that_is_off_is_no_health_and_one_made_anew_is_a_gap(
    make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, bridge = make_events()
    write(copying, random.Random(1), 3)
    arn = str(bridge.door.describe(bridge.table).stream_arn)
    found = [Mapping("first", "Enabled", arn), Mapping("of-another-table", "Disabled", "arn:of:another")]

    def mappings(_door: DynamoDB, function: str) -> list[Mapping]:
        assert function == "twinrow-changes"
        return found

    monkeypatch.setattr(aws_lambda, "mappings", mappings)
    monkeypatch.setenv(aws_lambda.HANDLER_VARIABLE, "twinrow-changes")

    def run() -> TableStatus:
        in_a_process(partial(aws_lambda.scheduled, {}, Remaining(60)))
        return status_of(copying)

    assert run().in_step
    found[0] = Mapping("first", "Disabled", arn)
    table = run()
    assert table.in_step is None
    assert any("the event source mapping is Disabled" in trouble.text for trouble in table.troubles if trouble.bad)
    found[0] = Mapping("first", "Enabled", arn)
    assert run().in_step
    found[0] = Mapping("second", "Enabled", arn)
    run()
    causes = [str(cause) for (cause,) in copying.database.query("SELECT cause FROM _twinrow_gap")]
    assert causes == ["EVENTS_MAPPING_REPLACED"]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"Records": [{"eventSource": "aws:sqs", "body": '{"KinesisBatchInfo": {"streamArn": "arn:k"}}'}]}, ("arn:k",)),
        ({"Records": [{"eventSource": "aws:sqs", "body": "no JSON"}, {"eventSource": "aws:sqs", "body": "{}"}, 5]}, ()),
        ({}, ()),
    ],
)
def test_what_an_on_failure_queue_brings(event: dict[str, Any], found: tuple[str, ...]) -> None:
    assert dropped_from(event) == found


def test_a_function_refuses_patterns_since_it_serves_tables_by_name() -> None:
    text = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nmatch = "prod-*"\ncapture = "events"\n'
    with pytest.raises(ConfigError, match=r"match prod-\*: a function serves tables by name"):
        aws_lambda._config(text)
