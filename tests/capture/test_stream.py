"""The stream reader on a model whose clock the test holds."""

from __future__ import annotations

import pytest
from tests.fixtures.stream_model import EMPTY_PAGES_MAX, ITERATOR_S, Faults
from tests.fixtures.stream_reading import EPOCH_S, Reading, numbers

from twinrow.capture.dynamodb_stream import DynamoDBStream, is_local
from twinrow.capture.shard_log import (
    DYNAMODB_LOCAL_STREAM,
    DYNAMODB_STREAM,
    EMPTY_LOCAL_S,
    EMPTY_S,
    GapFound,
    LogFacts,
)
from twinrow.capture.shard_reader import IDLE_READS_PER_S_MAX, IDLE_S_MAX, IDLE_S_MIN, idle_proof_s, pause_to_prove_s
from twinrow.capture.stream import NEWER_S, READ_AT_EVERY_S, _Entry
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError

HOUR_S = 3600.0
PLACES = [("us-east-1:1", DYNAMODB_STREAM), ("ddblocal:000000000000", DYNAMODB_LOCAL_STREAM)]


def iterators(reading: Reading) -> list[tuple[str, str | None]]:
    return [
        (request["ShardIteratorType"], request.get("SequenceNumber"))
        for operation, request in reading.requests
        if operation == "GetShardIterator"
    ]


def test_shards_are_among_the_positions_before_anything_is_taken() -> None:
    reading = Reading(shards=3)
    reading.model.put("a")
    reading.run(1.0)
    batch = reading.take(0)
    assert batch.listed
    assert batch.positions.keys() == reading.model.stream.shards.keys()
    assert not batch.changes
    assert batch.oldest_at == pytest.approx(reading.started_at, abs=1.0)
    assert numbers(reading.take().changes) == [1]


def test_positions_belong_to_the_part_of_a_page_that_was_taken() -> None:
    reading = Reading()
    for _ in range(5):
        reading.model.put("a")
    reading.run(1.0)
    assert numbers(reading.take(2).changes) == [1, 2]
    reading.restart()
    assert numbers(reading.read().changes) == [3, 4, 5]


def test_children_are_found_at_once_and_come_after_the_last_of_their_parent() -> None:
    reading = Reading()
    parent = reading.model.open_shards()[0]
    reading.model.put("a")
    reading.read()
    reading.model.put("a")
    reading.model.split(parent)
    for key in "abcdefgh":
        reading.model.put(key)
    batch = reading.read(IDLE_S_MAX + 0.5)
    assert numbers(batch.changes)[0] == 2
    assert sorted(numbers(batch.changes)) == list(range(2, 11))
    assert batch.positions[parent.id].finished
    children = [("AT_SEQUENCE_NUMBER", str(one.starts)) for one in reading.model.open_shards()]
    assert sorted(iterators(reading)[1:]) == sorted(children)


def test_an_expired_iterator_goes_on_after_the_last_record_read() -> None:
    reading = Reading()
    reading.model.put("a")
    reading.run(1.0)
    sequence = str(reading.model.events[-1][1].sequence)
    reading.time += ITERATOR_S + 1
    reading.model.put("a")
    assert numbers(reading.read().changes) == [1, 2]
    assert iterators(reading)[1:] == [("AFTER_SEQUENCE_NUMBER", sequence)]


def test_a_batch_that_brings_a_gap_holds_nothing_from_before_it() -> None:
    """Its keys count as written since the gap was noticed."""
    reading = Reading()
    reading.model.put("a")
    reading.run(1.0)
    reading.take()
    reading.model.put("b")
    reading.run(1.0)
    shard = reading.model.open_shards()[0].id
    position = reading.reader._read[shard]
    found = GapFound(shard, "TRIMMED", None, reading.time)
    with reading.reader.lock:
        reading.reader._append(_Entry(shard, position, gap=found))
    first, second = reading.take(), reading.take()
    assert (numbers(first.changes), first.gaps) == ([2], [])
    assert (numbers(second.changes), second.gaps) == ([], [found])


def test_an_idle_shard_is_read_through_a_moment_ago() -> None:
    reading = Reading()
    reading.model.put("a")
    reading.read(READ_AT_EVERY_S + 10)
    reading.read(READ_AT_EVERY_S + 10)
    (position,) = reading.positions.values()
    assert position.through_at == pytest.approx(reading.time, abs=READ_AT_EVERY_S + 15)


def test_an_empty_page_is_not_the_end() -> None:
    reading = Reading(Faults(empty=1.0))
    reading.model.put("a")
    reading.model.split(reading.model.open_shards()[0], 1)
    reading.model.put("a")
    assert numbers(reading.read(3.0).changes) == [1, 2]
    assert reading.model.requests["GetRecords"] > EMPTY_PAGES_MAX


def test_trimmed_records_are_a_gap_in_front_of_what_is_left() -> None:
    reading = Reading(Faults(page_records_max=1))
    reading.restart(records_queued_max=1)
    reading.model.put("a")
    reading.model.put("b")
    reading.time += 2 * HOUR_S
    reading.model.put("c")
    assert numbers(reading.read().changes) == [1]
    reading.time += 22.5 * HOUR_S
    reading.restart()
    batch = reading.read()
    shard = reading.model.open_shards()[0].id
    assert [(gap.shard, gap.cause) for gap in batch.gaps] == [(shard, "TRIMMED")]
    assert numbers(batch.changes) == [3]
    # the shard was read behind its end: what is lost begins at the last record, not at the last reading
    assert batch.gaps[0].lost_from == pytest.approx(reading.started_at, abs=2.0)
    assert batch.gaps[0].from_at == pytest.approx(reading.started_at + 2 * HOUR_S, abs=10.0)
    reading.restart()
    assert not reading.read().gaps, "a gap that is durable is not found again"


def test_a_stop_longer_than_the_retention_is_a_gap_though_nothing_was_written() -> None:
    reading = Reading()
    reading.read()
    reading.time += 23.5 * HOUR_S
    reading.restart()
    batch = reading.read()
    assert [(gap.shard, gap.cause) for gap in batch.gaps] == [("", "NOT_READ")]
    assert batch.gaps[0].from_at == pytest.approx(reading.started_at, abs=2.0)


def test_an_idle_shard_was_read_until_a_moment_ago_also_after_a_restart() -> None:
    reading = Reading()
    reading.read()
    for _ in range(3):
        reading.read(READ_AT_EVERY_S)
    assert all(reading.time - one.read_at < READ_AT_EVERY_S + 5 for one in reading.positions.values())


def test_idle_shards_are_asked_ever_less_and_active_ones_at_once() -> None:
    reading = Reading()
    reading.run(60.0)
    assert reading.model.requests["GetRecords"] < 60
    lags = []
    for _ in range(50):
        reading.model.put("a")
        written_at = reading.time
        while not reading.take().changes:
            reading.run(0.005)
        lags.append(reading.time - written_at)
        reading.run(0.03)
    assert sorted(lags)[25] < 0.15


def test_reading_pauses_while_enough_is_queued() -> None:
    reading = Reading(Faults(page_records_max=3), shards=2)
    reading.restart(records_queued_max=10)
    for number in range(100):
        reading.model.put(f"k{number}")
    reading.run(5.0)
    asked = reading.model.requests["GetRecords"]
    reading.run(20.0)
    assert reading.model.requests["GetRecords"] == asked
    taken: list[int] = []
    while len(taken) < 100:
        batch = reading.take(7)
        assert len(batch.changes) <= 7
        taken += numbers(batch.changes)
        reading.run(0.2)
    assert sorted(taken) == list(range(1, 101))


def test_bytes_are_bounded_too() -> None:
    reading = Reading(Faults(page_records_max=1))
    reading.restart(bytes_queued_max=100)
    for number in range(100):
        reading.model.put(f"k{number}")
    reading.run(5.0)
    assert len(reading.take().changes) < 10


def test_throttling_is_told_and_ends() -> None:
    reading = Reading()
    reading.read()
    reading.model.faults = Faults(throttled=1.0)
    reading.model.put("a")
    batch = reading.read(5.0)
    assert "throttles" in batch.waits
    assert not batch.read_through
    reading.model.faults = Faults()
    batch = reading.read(5.0)
    assert numbers(batch.changes) == [1]
    reading.run(15.0)
    assert not reading.take().waits


def test_refusals_that_no_retry_mends_are_raised() -> None:
    reading = Reading()
    reading.read()
    reading.model.faults = Faults(denied=1.0)
    with pytest.raises(DynamoDBError, match="AccessDenied"):
        reading.run(5.0)


def test_read_through_when_every_shard_gave_nothing_more() -> None:
    reading = Reading(shards=2)
    reading.model.put("a")
    reading.run(1.0)
    assert not reading.take(0).read_through
    batch = reading.take()
    assert batch.read_through
    assert batch.oldest_at is None
    reading.model.put("a")
    reading.run(IDLE_S_MAX)
    assert not reading.take(0).read_through


class TestCaughtUp:
    def test_by_empty_answers_over_some_seconds(self) -> None:
        reading = Reading()
        reading.run(60.0)
        reading.take()
        start_at = reading.time
        reading.run(EMPTY_S - 1)
        assert not reading.reader.caught_up_since(start_at)
        reading.run(20.0)
        assert reading.reader.caught_up_since(start_at)

    def test_by_a_record_newer_than_the_start_once_it_is_taken(self) -> None:
        reading = Reading()
        reading.model.put("a")
        start_at = reading.time
        reading.time += NEWER_S
        reading.model.put("a")
        reading.run(1.0)
        reading.take(1)
        assert not reading.reader.caught_up_since(start_at)
        reading.take(1)
        assert reading.reader.caught_up_since(start_at)

    @pytest.mark.parametrize("idle_s", [60.0, 64.0, 68.0, 72.0])
    def test_who_waits_for_a_moment_waits_for_no_listing_and_no_pause(self, idle_s: float) -> None:
        """An idle stream is listed every 15 s; a first copy would be LIVE so much later."""
        reading = Reading()
        reading.run(idle_s)
        reading.take()
        start_at = reading.time
        reading.reader.prove(start_at)
        reading.run(EMPTY_S - 0.2)
        assert not reading.reader.caught_up_since(start_at)
        reading.run(0.2 + IDLE_S_MIN)
        assert reading.reader.caught_up_since(start_at)

    def test_a_listing_that_began_before_the_moment_is_made_again(self) -> None:
        """DynamoDB's clock becomes known better meanwhile: by up to half a second a listing may seem too early."""
        reading = Reading()
        reading.run(60.0)
        reading.take()
        start_at = reading.time + 0.5
        reading.reader.prove(start_at)
        reading.run(EMPTY_S + 1.0)
        assert reading.reader.caught_up_since(start_at)

    def test_a_record_that_comes_late_is_taken_before_the_proof(self) -> None:
        reading = Reading()
        reading.run(60.0)
        reading.take()
        start_at = reading.time
        reading.model.put("a")
        reading.reader.prove(start_at)
        reading.run(EMPTY_S + 1.0)
        assert not reading.reader.caught_up_since(start_at)
        assert numbers(reading.take().changes) == [1]
        reading.run(EMPTY_S + 1.0)
        assert reading.reader.caught_up_since(start_at)

    def test_dynamodb_local_proves_it_by_a_second_of_empty_answers(self) -> None:
        reading = Reading(place="ddblocal:000000000000")
        reading.run(60.0)
        reading.take()
        start_at = reading.time
        reading.reader.prove(start_at)
        reading.run(EMPTY_LOCAL_S - 0.2)
        assert not reading.reader.caught_up_since(start_at)
        reading.run(0.2 + IDLE_S_MIN)
        assert reading.reader.caught_up_since(start_at)

    @pytest.mark.parametrize(("place", "facts"), PLACES)
    def test_an_idle_stream_proves_a_moment_that_moves_on(self, place: str, facts: LogFacts) -> None:
        """`status` shows how far the copy is by it; a moment that is too young would never be proved."""
        reading = Reading(place=place)
        reading.run(60.0)
        reading.take()
        proved = 0.0
        for _ in range(80):
            reading.run(0.37)
            moment = reading.time - idle_proof_s(facts.empty_s)
            proved = moment if reading.reader.caught_up_since(moment) else proved
            if reading.time > EPOCH_S + 60.0 + facts.list_every_s + 1.0:
                assert proved > reading.time - facts.list_every_s - idle_proof_s(facts.empty_s) - 1.0

    def test_many_idle_shards_are_not_all_asked_at_once_for_a_proof(self) -> None:
        """Each request has its price, and a stream takes only so many a second."""
        assert pause_to_prove_s(0.0, EMPTY_S, shards=1000, at=EMPTY_S) == 1000 / IDLE_READS_PER_S_MAX

    def test_not_before_the_children_of_an_ended_shard(self) -> None:
        reading = Reading()
        reading.read()
        parent = reading.model.open_shards()[0]
        reading.model.split(parent)
        reading.model.put("a")
        start_at = reading.time
        reading.run(20.0)
        assert not reading.reader.caught_up_since(start_at)
        reading.take()
        assert reading.reader.caught_up_since(start_at)


@pytest.mark.parametrize(
    ("arn", "local"),
    [
        ("arn:aws:dynamodb:ddblocal:000000000000:table/t/stream/2026-11-28T08:06:23.525", True),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-28T08:06:23.525", True),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/ddblocal/stream/2026-11-28T08:06:23.525", False),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/000000000000", False),
        ("arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t/stream/x", False),
        ("ddblocal", False),
        ("", False),
    ],
)
def test_only_dynamodbs_own_answer_makes_a_stream_one_of_dynamodb_local(arn: str, local: bool) -> None:
    """A shorter wait for what may still come is right where a change is shown at once, and nowhere else."""
    assert is_local(arn) == local
    log = DynamoDBStream(DynamoDB("us-east-1", "http://127.0.0.1:1"), arn)
    assert log.facts.empty_s == (EMPTY_LOCAL_S if local else EMPTY_S)


def test_a_disabled_stream_ends_when_all_of_it_was_taken() -> None:
    reading = Reading(shards=2)
    reading.read()
    reading.model.put("a")
    reading.model.disable()
    reading.run(30.0)
    assert not reading.take(0).ended
    batch = reading.take()
    assert numbers(batch.changes) == [1]
    assert batch.ended


def test_a_stream_that_is_gone_loses_what_was_not_read() -> None:
    reading = Reading()
    reading.read()
    del reading.model.streams[reading.model.stream.arn]
    batch = reading.read(200.0)
    assert [gap.cause for gap in batch.gaps] == ["SHARD_LOST"]
    assert reading.read(20.0).ended


def test_an_enabled_stream_never_ends() -> None:
    reading = Reading()
    reading.run(60.0)
    assert not reading.take().ended


def test_records_from_well_before_the_copy_are_left_out_and_passed() -> None:
    reading = Reading()
    reading.model.put("old")
    reading.time += HOUR_S
    reading.model.put("new")
    reading.started_at = reading.time
    reading.restart()
    assert numbers(reading.read().changes) == [2]
    assert reading.positions.popitem()[1].position == str(reading.model.events[-1][1].sequence)


def test_an_answer_to_a_reader_of_before_does_not_count() -> None:
    """A shard waits again because a parent showed up; what was under way for it must not come before the parent's."""
    reading = Reading()
    reading.model.split(reading.model.open_shards()[0], 1)
    reading.model.put("a")
    reading.run(0.5)
    with reading.reader.lock:
        reading.time += IDLE_S_MAX
        job = reading.reader.next_job()
    assert job is not None
    reading.reader._readers.clear()
    reading.model.put("a")
    reading.reader.run(job)
    assert numbers(reading.take().changes) == [1]


def test_a_parent_that_shows_up_after_its_child_was_read_is_a_gap_and_reading_goes_on() -> None:
    """Listings lag: the child was read, and its parent was never met until now."""
    reading = Reading()
    parent = reading.model.open_shards()[0]
    reading.model.put("a")
    reading.read()
    reading.model.split(parent)
    for key in "abcdefgh":
        reading.model.put(key)
    reading.read(IDLE_S_MAX + 0.5)
    del reading.positions[parent.id]
    reading.restart()
    batch = reading.read(IDLE_S_MAX + 0.5)
    assert [(gap.shard, gap.cause) for gap in batch.gaps] == [(parent.id, "PARENT_LATE")]
    reading.model.put("z")
    assert numbers(reading.read(IDLE_S_MAX + 0.5).changes) == [10]
