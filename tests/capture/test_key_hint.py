"""Hints: keys out of records of Kinesis and Lambda, folded, and left out only where a read has surely shown them."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.aws_records import Precision, kinesis_data, kinesis_event, stream_event

from twinrow.capture import kinesis_record, lambda_event
from twinrow.capture.key_hint import HintedKey, KeyHint, KeyReads, fold
from twinrow.change import Item
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute

KEYS = (KeyAttribute("k", "B"), KeyAttribute("n", "N"))
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/reviews/stream/2026-01-01T00:00:00.000"
KINESIS_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
KEY: Item = {"k": {"B": "EgIIew=="}, "n": {"N": "3"}}
KEYS_OF_ALL_TYPES = st.fixed_dictionaries(
    {
        "s": st.text(min_size=1).map(lambda text: {"S": text}),
        "n": st.integers().map(lambda number: {"N": str(number)}),
        "b": st.binary(min_size=1).map(lambda raw: {"B": base64.b64encode(raw).decode()}),
    }
)


def change(key: Item = KEY, name: str = "MODIFY", at: float = 1_720_046_486.5, **images: Any) -> dict[str, Any]:
    """A stream record in wire form."""
    place = {"ApproximateCreationDateTime": at, "Keys": key, "SequenceNumber": "42", "SizeBytes": 7, **images}
    return {"eventName": name, "dynamodb": place}


def hint(data: bytes) -> KeyHint:
    return kinesis_record.hint_of(data, "7")


@given(key=KEYS_OF_ALL_TYPES, precision=st.sampled_from(["MILLISECOND", "MICROSECOND"]), at=st.integers(2**30, 2**32))
def test_a_kinesis_record_names_its_key_as_the_item_has_it(key: Item, precision: Precision, at: int) -> None:
    found = hint(kinesis_data(change(key, at=at, NewImage=key | {"x": {"BS": ["AAE="]}}), "reviews", precision))
    assert (found.table, found.key, found.at, found.doubt, found.sequence) == ("reviews", key, at, "", "7")


def test_a_real_record_has_its_binary_encoded_twice() -> None:
    """From a report of 2022: the bytes 12 02 08 7b."""
    assert kinesis_record.encoded_once({"B": "RWdJSWV3PT0="}) == {"B": "EgIIew=="}


@pytest.mark.parametrize(
    ("time", "precision", "at"),
    [
        (1720046486486729, "MICROSECOND", 1720046486.486729),
        (1720046486486, "", 1720046486.486),
        (1720046486486, "MILLISECOND", 1720046486.486),
        (1720046486486729, "", 1720046486.486729),
        (1720046486486, "MICROSECOND", 0.0),
        (1720046486, "", 0.0),
        (0, "", 0.0),
        (-5, "", 0.0),
        (float("nan"), "", 0.0),
    ],
)
def test_the_size_of_a_time_tells_its_unit(time: float, precision: str, at: float) -> None:
    assert kinesis_record.seconds(time, precision) == at


def spoilt(**parts: Any) -> bytes:
    return json.dumps(json.loads(kinesis_data(change(), "reviews")) | parts).encode()


@pytest.mark.parametrize(
    ("data", "table", "foreign"),
    [
        (b"no JSON", "", True),
        (b"[1]", "", True),
        (b'{"a":1}', "", True),
        (spoilt(eventSource="aws:s3"), "", True),
        (spoilt(eventName="RENAME"), "reviews", False),
        (spoilt(recordFormat="application/ion"), "reviews", False),
        (spoilt(tableName=5), "", False),
        (spoilt(dynamodb={}), "reviews", False),
        (spoilt(dynamodb={"Keys": {"k": {"B": "EgIIew=="}}}), "reviews", False),  # encoded once: not DynamoDB's form
        (spoilt(dynamodb={"Keys": {"k": {"B": 5}}}), "reviews", False),
    ],
)
def test_what_is_not_understood_is_a_doubt_and_no_key(data: bytes, table: str, foreign: bool) -> None:
    found = hint(data)
    assert found.doubt
    assert (found.table, found.foreign, found.key, found.sequence) == (table, foreign, {}, "7")
    folded = fold(KEYS, [found], dict)
    assert (bool(folded.foreign), bool(folded.lost), folded.keys) == (foreign, not foreign, {})


def test_a_key_with_a_lone_surrogate_is_a_key() -> None:
    data = kinesis_data(change({"s": {"S": "\ud800"}}), "reviews")
    assert (hint(data).key, hint(data).doubt) == ({"s": {"S": "\ud800"}}, "")


def test_a_record_of_unknown_members_is_understood() -> None:
    assert hint(spoilt(somethingNew={"a": 1})).key == KEY


@given(key=KEYS_OF_ALL_TYPES, at=st.integers(1, 2**32))
def test_a_lambda_event_of_a_stream_names_keys_tables_and_places(key: Item, at: int) -> None:
    event = stream_event([change(key, at=at), change(key, "REMOVE", at=at)], STREAM_ARN)
    wanted = lambda_event.EventHint(KeyHint("42", "reviews", key, at), STREAM_ARN)
    assert lambda_event.hints_of(event) == (wanted, wanted)


@given(key=KEYS_OF_ALL_TYPES)
def test_a_lambda_event_of_kinesis_names_the_same_as_its_records(key: Item) -> None:
    datas = [kinesis_data(change(key), "reviews"), b"no JSON", kinesis_data(change(key), "others", "MILLISECOND")]
    event = kinesis_event(datas, KINESIS_ARN)
    found = lambda_event.hints_of(event)
    numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
    assert [each.hint for each in found] == [
        kinesis_record.hint_of(data, number) for data, number in zip(datas, numbers, strict=True)
    ]
    assert {each.arn for each in found} == {KINESIS_ARN}


@pytest.mark.parametrize(
    ("record", "sequence", "table"),
    [
        (None, "", ""),
        ({"eventSource": "aws:s3"}, "", ""),
        ({"eventSource": "aws:dynamodb", "eventSourceARN": STREAM_ARN, "dynamodb": 5}, "", "reviews"),
        ({"eventSource": "aws:dynamodb", "eventSourceARN": "arn:other", "dynamodb": {"SequenceNumber": "9"}}, "9", ""),
        ({"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "8", "data": "?"}}, "8", ""),
        ({"eventSource": "aws:dynamodb", "eventSourceARN": STREAM_ARN, **change(name="RENAME")}, "42", "reviews"),
    ],
)
def test_a_record_of_an_event_that_is_not_understood_keeps_its_place(record: Any, sequence: str, table: str) -> None:
    (found,) = lambda_event.hints_of({"Records": [record]})
    assert found.hint.doubt
    assert (found.hint.sequence, found.hint.table, found.hint.key) == (sequence, table, {})


@pytest.mark.parametrize("event", [{}, {"Records": 5}, {"source": "aws.events"}, [], None])
def test_an_event_without_records_names_nothing(event: Any) -> None:
    assert lambda_event.hints_of(event) == ()


HINTS = st.lists(
    st.builds(
        lambda name, number, at: KeyHint("1", "reviews", {"k": {"B": name}, "n": {"N": number}}, at),
        st.sampled_from(["AA==", "AQ=="]), st.sampled_from(["1", "1.0", "2"]), st.sampled_from([0.0, 5.0, 9.0]),
    )
)  # fmt: skip


@given(HINTS, st.randoms(use_true_random=False))
def test_order_and_repeats_make_no_difference(hints: list[KeyHint], chance: random.Random) -> None:
    again = hints + chance.sample(hints, len(hints) // 2)
    chance.shuffle(again)
    folded = {key_hash: key.newest_at for key_hash, key in fold(KEYS, again, dict).keys.items()}
    wanted: dict[bytes, float] = {}
    for each in hints:
        key_hash = fingerprint(KEYS, each.key)
        wanted[key_hash] = max(wanted.get(key_hash, 0.0), each.at or float("inf"))
    assert folded == wanted


@pytest.mark.parametrize(
    "key", [{"k": {"B": "AA=="}}, {"k": {"S": "a"}, "n": {"N": "1"}}, {"k": {"B": "AA=="}, "n": {"N": "x"}},
            {"k": {"B": "AA=="}, "n": {"N": "1"}, "more": {"S": "b"}}],
)  # fmt: skip
def test_a_key_of_another_shape_is_lost_and_said_so(key: Item) -> None:
    folded = fold(KEYS, [KeyHint("1", "reviews", key)], dict)
    assert folded.keys == {}
    assert len(folded.lost) == 1


def test_a_key_is_left_out_only_when_a_read_of_it_began_a_minute_after_the_change() -> None:
    reads = KeyReads()
    reads.note([b"a"], 1000.0)
    reads.note([b"a"], 900.0)  # an earlier read that is noted later takes nothing back
    keys = {
        name: HintedKey({"k": {"S": name.decode()}}, at)
        for name, at in ((b"a", 939.0), (b"b", 939.0))
    }  # fmt: skip
    assert reads.uncovered(keys).keys() == {b"b"}
    assert reads.uncovered({b"a": HintedKey(KEY, 940.0)}).keys() == {b"a"}
    unknown = fold(KEYS, [KeyHint("1", "reviews", KEY, 0.0)], dict).keys
    reads.note(unknown, 1e12)
    assert reads.uncovered(unknown).keys() == unknown.keys(), "a change of unknown time is always read"


def test_reads_are_remembered_for_so_many_keys() -> None:
    reads = KeyReads(keys_max=2)
    for number, name in enumerate([b"a", b"b", b"a", b"c"]):
        reads.note([name], 1000.0 + number)
    assert [reads.covers(name, 0.0) for name in (b"a", b"b", b"c")] == [True, False, True]
