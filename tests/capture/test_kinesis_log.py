"""A Kinesis stream as a log: tables share its readings, and no table reads what only another table needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fixtures.aws_records import kinesis_data

from twinrow.capture.kinesis_log import READ_EVERY_S, KinesisLog, SharedReadings
from twinrow.capture.shard_log import Start
from twinrow.capture.stream import StreamReader
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Transient
from twinrow.kinesis import KinesisRecord, RecordsAnswer

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
EPOCH_S = 1_700_000_000.0
HOUR_S = 3600.0
HORIZON = Start("TRIM_HORIZON", None)


def data(table: str, name: str, at: float = EPOCH_S) -> bytes:
    record = {"eventName": "MODIFY", "dynamodb": {"Keys": {"k": {"S": name}}, "ApproximateCreationDateTime": at}}
    return kinesis_data(record, table)


@dataclass
class FakeDoor:
    """Shards with records that arrive at a time; an expired position gives nothing and says nothing, as Kinesis does.

    `gone`: records of a shard that are no longer there. `fails` is raised once by the next reading.
    """

    shards_of: dict[str, list[tuple[float, bytes]]]
    closed: set[str] = field(default_factory=set)
    gone: int = 0
    time: float = EPOCH_S
    asked: list[str] = field(default_factory=list)
    fails: Exception | None = None
    page: int = 2

    def shards(self, _arn: str, after: str | None) -> tuple[list[dict[str, Any]], bool]:
        self.asked.append("list")
        names = [name for name in self.shards_of if after is None or name > after]
        listed = [{"ShardId": name, "SequenceNumberRange": {"StartingSequenceNumber": "0"}} for name in names]
        for each in listed:
            if each["ShardId"] in self.closed:
                each["SequenceNumberRange"]["EndingSequenceNumber"] = "99"  # type: ignore[index]
        return listed, False

    def iterator(self, _arn: str, shard: str, kind: str, sequence: str | None, at: float | None) -> str:
        self.asked.append(f"iterator {shard} {kind}")
        begin = self.gone
        if sequence is not None:
            begin = int(sequence) + 1 if int(sequence) >= self.gone else -1
        elif at is not None:
            begin = sum(came < at for came, _ in self.shards_of[shard])
        return f"{shard}/{begin}"

    def records(self, iterator: str, _arn: str, _shard: str) -> RecordsAnswer:
        self.asked.append(f"records {iterator}")
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails
        shard, _, number = iterator.partition("/")
        begin, held = int(number), self.shards_of[shard]
        if begin < self.gone:
            return RecordsAnswer((), iterator, int(24 * HOUR_S * 1000))
        page = [KinesisRecord(str(begin + n), each) for n, (_, each) in enumerate(held[begin : begin + self.page])]
        end = begin + len(page)
        behind = self.time - held[end][0] if end < len(held) else 0.0
        following = None if shard in self.closed and end == len(held) else f"{shard}/{end}"
        return RecordsAnswer(tuple(page), following, int(behind * 1000))


def logs(door: FakeDoor, *tables: str) -> list[KinesisLog]:
    readings = SharedReadings(door, ARN, monotonic=lambda: door.time)
    return [KinesisLog(readings, table, 24 * HOUR_S) for table in tables]


def read_on(log: KinesisLog, shard: str, pages: int) -> list[str]:
    """The names of the keys in so many pages from the beginning."""
    place: str | None = log.iterator(shard, HORIZON)
    names: list[str] = []
    for _ in range(pages):
        assert place is not None
        page = log.records(place, shard)
        names += [hint.key["k"]["S"] for hint in page.records]
        place = page.next_iterator
    return names


def test_tables_that_share_a_stream_share_its_readings() -> None:
    came = [(EPOCH_S, data("ab"[n % 2], f"k{n}")) for n in range(6)]
    door = FakeDoor({"1": came})
    first, second = logs(door, "a", "b")
    assert read_on(first, "1", 4) == ["k0", "k2", "k4"]
    asked = list(door.asked)
    assert read_on(second, "1", 4) == ["k1", "k3", "k5"]
    assert door.asked == asked, "every page came from what the first table has read"
    door.time += READ_EVERY_S + 0.01
    read_on(second, "1", 4)
    assert door.asked == [*asked, "records 1/6"], "the end of the shard is read again"


def test_a_table_alone_keeps_no_pages() -> None:
    door = FakeDoor({"1": [(EPOCH_S, data("a", "k"))]})
    (log,) = logs(door, "a")
    read_on(log, "1", 1)
    read_on(log, "1", 1)
    assert door.asked.count("records 1/0") == 2


def test_a_page_of_other_tables_records_moves_the_position_on() -> None:
    door = FakeDoor({"1": [(EPOCH_S, data("b", "k")), (EPOCH_S, data("b", "l"))]})
    (log,) = logs(door, "a")
    page = log.records(log.iterator("1", HORIZON), "1")
    assert (page.records, page.position, page.empty) == ((), "1", False)


def test_a_record_that_names_no_table_is_everybodys() -> None:
    door = FakeDoor({"1": [(EPOCH_S, b"no record")]})
    for log in logs(door, "a", "b"):
        (hint,) = log.records(log.iterator("1", HORIZON), "1").records
        assert hint.doubt


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (Transient("throttled"), ["records 1/0", "records 1/0"]),
        (DynamoDBError("ExpiredIteratorException", "", where="", remedy=""),
         ["records 1/0", "iterator 1 TRIM_HORIZON", "records 1/0"]),
    ],
)  # fmt: skip
def test_a_reading_that_failed_goes_on_at_its_place(error: Exception, asked: list[str]) -> None:
    door = FakeDoor({"1": [(EPOCH_S, data("a", "k"))]}, fails=error)
    (log,) = logs(door, "a")
    place = log.iterator("1", HORIZON)
    with pytest.raises(type(error)):
        log.records(place, "1")
    assert len(log.records(place, "1").records) == 1
    assert door.asked[1:] == asked


def reader_of(door: FakeDoor, known: Any = None, started_at: float = EPOCH_S) -> StreamReader[Any]:
    (log,) = logs(door, "a")
    return StreamReader(
        log, known or {}, started_at=started_at, now=lambda: door.time, monotonic=lambda: door.time,
        back_off=lambda tries: 0.1 * tries,
    )  # fmt: skip


def run(door: FakeDoor, reader: StreamReader[Any], seconds: float) -> None:
    until = door.time + seconds
    while door.time < until:
        door.time += min(reader.step(), until - door.time) or 0.001


def test_an_expired_position_is_found_within_a_minute_though_kinesis_says_nothing() -> None:
    came = [(EPOCH_S - 30 * HOUR_S, data("a", f"old{n}", EPOCH_S - 30 * HOUR_S)) for n in range(5)]
    came += [(EPOCH_S, data("a", "new"))]
    door = FakeDoor({"1": came}, gone=4)
    first = reader_of(FakeDoor({"1": came[:2]}, time=EPOCH_S - 30 * HOUR_S), started_at=EPOCH_S - 40 * HOUR_S)
    run(first.log._readings.door, first, 5.0)  # type: ignore[attr-defined]
    positions = first.take(100, 0.0).positions
    assert positions["1"].position == "1"
    # the process read now and then, from a position that had expired: what it has read up to is not now
    reader = reader_of(door, {"1": positions["1"]}, started_at=EPOCH_S - 40 * HOUR_S)
    run(door, reader, 60.0)
    batch = reader.take(100, 0.0)
    assert [(found.cause, found.shard) for found in batch.gaps] == [("NOT_READ", "")]
    assert [hint.key["k"]["S"] for hint in batch.records] == ["new"]
    assert batch.positions["1"].position == "5"
    assert batch.positions["1"].read_at == pytest.approx(door.time, abs=5.0)


def test_reading_behind_the_end_counts_as_read_up_to_there() -> None:
    came = [(EPOCH_S - 600 + n, data("a", f"k{n}")) for n in range(100)]
    door = FakeDoor({"1": came})
    reader = reader_of(door, started_at=EPOCH_S - 1000)
    run(door, reader, 1.0)
    batch = reader.take(1000, 0.0)
    assert 0 < len(batch.records) < 100
    position = batch.positions["1"]
    assert position.read_at == pytest.approx(came[len(batch.records)][0], abs=1.0)


def test_a_position_that_expires_under_a_reader_is_left_behind() -> None:
    """A machine slept for a day: the iterator of before is still taken, and gives nothing for ever."""
    door = FakeDoor({"1": [(EPOCH_S, data("a", "first"))]})
    reader = reader_of(door, started_at=EPOCH_S - 60)
    run(door, reader, 2.0)
    assert len(reader.take(100, 0.0).records) == 1
    door.time += 25 * HOUR_S
    door.gone = 2
    door.shards_of["1"] += [(door.time - 24.5 * HOUR_S, data("a", "lost")), (door.time, data("a", "new", door.time))]
    run(door, reader, 60.0)
    batch = reader.take(100, 0.0)
    assert [found.cause for found in batch.gaps] == ["NOT_READ"]
    assert [hint.key["k"]["S"] for hint in batch.records] == ["new"]


def test_a_shard_is_read_four_times_a_second_at_most() -> None:
    door = FakeDoor({"1": []})
    reader = reader_of(door)
    for number in range(30):
        run(door, reader, 0.1)
        door.shards_of["1"].append((door.time, data("a", f"k{number}", door.time)))
    assert sum(each.startswith("records") for each in door.asked) <= 3.5 / READ_EVERY_S
