"""Stream records made ready by the compiled decoder: the same as by the general path, record by record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.items import items
from tests.fixtures.schemas import schemas_and_items

from twinrow.capture import stream_record
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import Item
from twinrow.errors import Broken
from twinrow.flavour import Flavour
from twinrow.kinds.stream.prepare_records import RECORDS_DECODED_AT_ONCE, PreparedRecords, RecordPreparer
from twinrow.schema.evolve import evolve
from twinrow.schema.row import fingerprint, key_of, to_row
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema
from twinrow.sink import bulk
from twinrow.table.catalogue import Catalogue, of_one_table
from twinrow.table.live_schema import LiveSchema
from twinrow.table.settings import PendingIndex, Settings
from twinrow.table.tenure import Tenure
from twinrow.write.prepare import PreparedChange, prepare

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
LINK = "mysql_id"
SLOW_TO_DRAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Learner:
    """In place of a tenure and a live schema: it learns without a server."""

    settings: Settings
    rest: TableSchema
    server: Flavour = "mysql"
    local_infile: bool = True
    _of: Catalogue | None = None

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        return self.rest.keys

    @property
    def catalogue(self) -> Catalogue:
        if self._of is None or self._of.rest is not self.rest:
            self._of = of_one_table(self.rest)
        return self._of

    @property
    def version(self) -> int:
        return self.rest.version

    def open_writer(self) -> Learner:
        return self

    def flavour(self) -> Flavour:
        return self.server

    def learn(self, seen: Iterable[Item]) -> None:
        evolution = evolve(self.rest, seen)
        if evolution.steps:
            self.rest = evolution.schema

    def preparer(self, lines_min: int = 1) -> RecordPreparer:
        return RecordPreparer(self.settings, cast(Tenure, self), cast(LiveSchema, self), lines_min)


def stream_settings(schema: TableSchema, *, linked: bool = False, pending: PendingIndex | None = None) -> Settings:
    return Settings(
        table="t", into="t", capture="stream", linked=linked, link_attribute=LINK, soft_deletes=False,
        soft_ttl_deletes=False, reconcile_s=None, rebuild_rows_max=1000, segments=None, pending=pending, own=schema.own,
    )  # fmt: skip


def empty(*, own: frozenset[str] = frozenset()) -> TableSchema:
    return empty_schema("t", "t", KEYS, own, (), False)


def records(schema: TableSchema, told: Sequence[tuple[Item | None, Item | None]]) -> list[StreamRecord]:
    """Records of (image before, image after)."""
    page: list[dict[str, Any]] = []
    for number, (old, new) in enumerate(told):
        images = {"OldImage": old, "NewImage": new}
        dynamodb = {
            "Keys": key_of(schema.keys, new or old or {}),
            "SequenceNumber": str(number + 1),
            "ApproximateCreationDateTime": 1.7e9 + number,
            **{name: image for name, image in images.items() if image is not None},
        }
        name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
        page.append({"eventName": name, "dynamodb": dynamodb})
    return list(stream_record.read(msgspec.json.encode(page)))


def shown(one: PreparedChange, *, linked: bool) -> tuple[Any, ...]:
    link = one.link if linked else None
    row = (one.row.key, one.row.values, one.row.extra, bulk.text_of([one.row])) if one.row is not None else None
    return one.key_hash, one.key, one.origin, one.whole, row, one.unfit, one.digest, link, one.ttl, one.seen_at


@st.composite
def stories(draw: st.DrawFn) -> tuple[TableSchema, list[tuple[Item | None, Item | None]]]:
    """A schema that has learned something, and what happened to a few items of its table, one after the other."""
    schema, seen = draw(schemas_and_items())
    schema = replace(schema, own=schema.own | {LINK})
    images: list[Item] = []
    for _ in range(draw(st.integers(1, 6))):
        image = draw(st.sampled_from(seen + images) | items(schema.keys))
        images.append({**image, LINK: {"N": "7"}} if draw(st.booleans()) else image)
    alive: dict[bytes, Item] = {}
    told: list[tuple[Item | None, Item | None]] = []
    for image in images:
        key = msgspec.json.encode(key_of(schema.keys, image))
        gone = key in alive and draw(st.booleans())
        told.append((alive.get(key), None if gone else image))
        if gone:
            del alive[key]
        else:
            alive[key] = image
    return schema, told


@SLOW_TO_DRAW
@given(story=stories(), linked=st.booleans(), as_lines=st.booleans())
def test_compiled_and_general_path_make_equal_rows(
    story: tuple[TableSchema, list[tuple[Item | None, Item | None]]], linked: bool, as_lines: bool
) -> None:
    schema, told = story
    learner = Learner(stream_settings(schema, linked=linked), schema, local_infile=as_lines)
    batch = records(schema, told)
    found = learner.preparer().prepare(batch).prepared
    changes = [record.change for record in batch]
    expected = prepare(learner.settings, learner.catalogue, learner.server, changes)
    assert found.schema_version == expected.schema_version
    ours = {one.key_hash: shown(one, linked=linked) for one in found.changes}
    assert ours == {one.key_hash: shown(one, linked=linked) for one in expected.changes}
    general_echoes = {one.key_hash for one in expected.changes if one.echo}
    assert {one.key_hash for one in found.changes if one.echo} <= general_echoes
    last = [one.whole for one in found.changes if one.whole is not None]
    assert not evolve(learner.rest, last).steps, "the schema had something to learn"


def review(number: int, **more: dict[str, Any]) -> Item:
    return {"username": {"S": "a"}, "reviewed_at": {"S": str(number)}, "rating": {"N": "5"}, **more}


def test_the_last_of_a_key_counts_and_nothing_is_learned_from_what_it_overwrites() -> None:
    learner = Learner(stream_settings(empty()), empty())
    old, new = review(1, gone={"S": "x"}), review(1)
    (one,) = learner.preparer().prepare(records(empty(), [(None, old), (old, new)])).prepared.changes
    assert one.row is not None
    assert one.row.values == to_row(learner.rest, new, "mysql").values
    assert "gone" not in learner.rest.by_attribute


def test_deleted_and_created_again_is_a_row_and_the_other_way_round_none() -> None:
    learner = Learner(stream_settings(empty()), empty())
    told = [(review(1), None), (None, review(1)), (None, review(2)), (review(2), None)]
    kinds = [one.kind for one in learner.preparer().prepare(records(empty(), told)).prepared.changes]
    assert kinds == ["PUT", "DELETE"]


def test_two_texts_of_one_key_are_one_item_in_the_order_of_the_records() -> None:
    keys = (KeyAttribute("n", "N"),)
    schema = empty_schema("t", "t", keys, frozenset(), (), False)
    one, other = {"n": {"N": "1"}}, {"n": {"N": "1.0"}}
    learner = Learner(stream_settings(schema), schema)
    (found,) = learner.preparer().prepare(records(schema, [(None, one), (None, other), (one, None)])).prepared.changes
    assert found.kind == "DELETE"


def test_a_change_before_our_own_link_counts_though_the_key_is_told_in_another_text() -> None:
    """Pages with a lone surrogate come in ASCII, others in UTF-8."""
    schema, link = empty(own=frozenset({LINK})), {LINK: {"N": "7"}}
    old, new = review(1, username={"S": "é"}), review(1, username={"S": "é"}, rating={"N": "1"})
    first, second = records(schema, [(old, new), (new, {**new, **link})])
    keys = msgspec.Raw(json.dumps(key_of(KEYS, old)).encode())
    assert keys != second.dynamodb.keys
    first = msgspec.structs.replace(first, dynamodb=msgspec.structs.replace(first.dynamodb, keys=keys))
    preparer = Learner(stream_settings(schema, linked=True), schema).preparer()
    for _ in range(2):  # first what has to be learned, then by the decoder that knows it
        (one,) = preparer.prepare([first, second]).prepared.changes
        assert (one.echo, one.link) == (False, link[LINK])


def test_an_expiry_is_told_from_a_delete() -> None:
    page = msgspec.json.encode([
        {"eventName": "REMOVE", "dynamodb": {"Keys": key_of(KEYS, review(n)), "SequenceNumber": str(n)}, **who}
        for n, who in enumerate([{}, {"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}}])
    ])  # fmt: skip
    learner = Learner(stream_settings(empty()), empty())
    assert [one.ttl for one in learner.preparer().prepare(stream_record.read(page)).prepared.changes] == [False, True]


def test_our_own_link_that_comes_back_is_an_echo_and_a_change_before_it_is_none() -> None:
    schema = empty(own=frozenset({LINK}))
    link = {LINK: {"N": "7"}}
    told = [
        (review(1), review(1, **link)),
        (review(2), review(2, text={"S": "new"})),
        (review(2, text={"S": "new"}), review(2, text={"S": "new"}, **link)),
    ]
    learner = Learner(stream_settings(schema, linked=True), schema)
    preparer = learner.preparer()
    for _ in range(2):  # first what has to be learned, then by the decoder that knows it
        echo, changed = preparer.prepare(records(schema, told)).prepared.changes
        assert (echo.echo, echo.link) == (True, link[LINK])
        assert (changed.echo, changed.link) == (False, link[LINK])


def test_what_does_not_fit_takes_only_its_part_along() -> None:
    learner = Learner(stream_settings(empty()), empty())
    told: list[tuple[Item | None, Item | None]] = [(None, review(n)) for n in range(RECORDS_DECODED_AT_ONCE * 2)]
    told.append((None, review(len(told), rating={"S": "five"})))
    ones = learner.preparer().prepare(records(empty(), told)).prepared.changes
    expected = [to_row(learner.rest, new, "mysql") for _, new in told if new is not None]
    assert [one.row.values for one in ones if one.row is not None] == [row.values for row in expected]
    raw = [isinstance(one.item, msgspec.Raw) for one in ones]
    assert raw == [True] * RECORDS_DECODED_AT_ONCE * 2 + [False]


def odd(*told: dict[str, Any]) -> PreparedRecords:
    """What a preparer makes of records as they came, before and after it has learned of items like review(1)."""
    learner = Learner(stream_settings(empty()), empty())
    preparer = learner.preparer()
    first = preparer.prepare(stream_record.read(msgspec.json.encode(told)))
    preparer.prepare(records(empty(), [(None, review(1))]))
    again = preparer.prepare(stream_record.read(msgspec.json.encode(told)))
    assert (first.suspects, first.doubts) == (again.suspects, again.doubts)
    assert [shown(one, linked=False) for one in first.prepared.changes] == [
        shown(one, linked=False) for one in again.prepared.changes
    ]
    return again


def told_record(event: str = "MODIFY", new: Any = None, **told: Any) -> dict[str, Any]:
    image = {} if new is None else {"NewImage": new}
    dynamodb = {"Keys": key_of(KEYS, review(1)), "SequenceNumber": "41", "ApproximateCreationDateTime": 1.7e9}
    return {"eventName": event, "dynamodb": {**dynamodb, **image, **told}}


def test_a_write_without_its_new_image_is_a_suspect_and_nothing_is_odd_about_it() -> None:
    found = odd(told_record(), told_record(new=review(2), Keys=key_of(KEYS, review(2))))
    assert found.suspects == ((fingerprint(KEYS, review(1)), key_of(KEYS, review(1))),)
    assert found.doubts == ()
    assert [one.key_hash for one in found.prepared.changes] == [fingerprint(KEYS, review(2))]


NUMBER_KEY: Item = {**key_of(KEYS, review(1)), "reviewed_at": {"N": "1"}}
TWO_TYPES: Item = {**key_of(KEYS, review(1)), "reviewed_at": {"S": "1", "N": "1"}}


@pytest.mark.parametrize(
    "record",
    [
        told_record("UNKNOWN_TO_SDK_VERSION", OldImage=review(1)),
        told_record("UNKNOWN_TO_SDK_VERSION", review(1)),
        told_record(new=review(1), SequenceNumber=41),
        told_record(new=review(1), ApproximateCreationDateTime="yesterday"),
        told_record(new=review(1), Keys=NUMBER_KEY),
        told_record(new=review(1), Keys=TWO_TYPES),
        told_record(new=review(1), Keys={"username": {"S": "a"}}),
        told_record(new=review(1), Keys={**key_of(KEYS, review(1)), "more": {"S": "x"}}),
        told_record(new=review(1), Keys=None),
        told_record("REMOVE", Keys=NUMBER_KEY, OldImage=review(1)),
        told_record("REMOVE", Keys=TWO_TYPES),
        told_record(new=[]),
        told_record(new={"username": "a"}),
        told_record(new={"rating": {"N": "5"}}),
        told_record(new=review(1)) | {"userIdentity": 7},
    ],
)
def test_a_record_of_which_a_part_is_not_understood_is_a_recheck_of_its_key(record: dict[str, Any]) -> None:
    good = told_record(new=review(3), Keys=key_of(KEYS, review(3)))
    found = odd(good, record)
    key = key_of(KEYS, review(1))
    assert found.suspects == ((fingerprint(KEYS, key), key),)
    assert len(found.doubts) == 1
    assert [one.key_hash for one in found.prepared.changes] == [fingerprint(KEYS, review(3))]
    assert len(found.changes) == 1, "what may be prepared anew under another schema"


def test_a_record_whose_key_is_not_that_of_its_image_makes_both_suspects() -> None:
    found = odd(told_record(new=review(1), Keys=key_of(KEYS, review(2))))
    assert {json.dumps(key) for _, key in found.suspects} == {json.dumps(key_of(KEYS, review(n))) for n in (1, 2)}


def test_odd_keys_of_one_text_are_those_of_several_items() -> None:
    found = odd(*(told_record(new=review(n), Keys=NUMBER_KEY) for n in range(4)))
    assert [key for _, key in found.suspects] == [key_of(KEYS, review(n)) for n in range(4)]
    assert len(found.doubts) == 4


def test_the_last_record_of_a_key_counts_whether_it_is_understood_or_not() -> None:
    unknown, known = told_record("UNKNOWN_TO_SDK_VERSION"), told_record(new=review(1))
    assert odd(unknown, known).suspects == ()
    (one,) = odd(unknown, known).prepared.changes
    assert one.row is not None
    assert not one.echo
    assert odd(known, unknown).prepared.changes == ()


def test_only_a_record_without_a_key_stops_anything_and_is_named() -> None:
    with pytest.raises(Broken, match=r"no key that can be read \(sequence number 41, its event is 'SHRUG'\)"):
        odd(told_record("SHRUG", Keys={}, OldImage=[]))


UNREADABLE: list[Any] = [
    {}, {"X": "a"}, {"S": "a", "N": "1"}, {"S": "a", "NULL": True}, {"S": 5}, {"N": "five"}, {"M": {"in": {}}},
    {"L": [{"M": {"in": {}}}]}, {"L": [{"S": "a", "N": "1"}]}, {"L": [{"S": 5}]}, {"SS": ["a", 5]}, {"M": []}, "a",
    None,
]  # fmt: skip


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("name", ["rating", "flavours", "unknown"])
@pytest.mark.parametrize("gone", [False, True])
def test_an_image_with_a_value_that_cannot_be_read_is_no_row_and_no_delete(name: str, value: Any, gone: bool) -> None:
    """Not by the decoder that knows the item's columns, nor in the item that counts as deleted."""
    pending = PendingIndex("migrated-index", "migrated", ({"S": "false"},), None, "deleted")
    learner = Learner(stream_settings(empty(), pending=pending), empty())
    preparer = learner.preparer()
    known = review(1, flavours={"M": {"in": {"S": "a"}}}, deleted={"BOOL": False})
    bad = review(2, deleted={"BOOL": gone}, **{name: value})
    for _ in range(2):  # first what has to be learned, then by the decoder that knows it
        found = preparer.prepare(records(empty(), [(None, known), (None, bad)]))
        if found.suspects:  # not even the form of an item
            assert [one.row is not None for one in found.prepared.changes] == [True]
            continue
        good, doubted = found.prepared.changes
        assert good.row is not None
        assert (doubted.row, doubted.kind) == (None, "PUT")
        assert doubted.unfit


def test_an_image_before_that_cannot_be_read_only_makes_no_echo() -> None:
    schema, link = empty(own=frozenset({LINK})), {LINK: {"N": "7"}}
    learner = Learner(stream_settings(schema, linked=True), schema)
    preparer = learner.preparer()
    for old in (review(1, m={}), review(1, m={"M": {"x": {}}})):
        for _ in range(2):
            (one,) = preparer.prepare(records(schema, [(old, review(1, m={"M": {}}, **link))])).prepared.changes
            assert (one.row is not None, one.echo) == (True, False)


def test_an_item_that_the_app_marks_as_deleted_is_a_delete() -> None:
    pending = PendingIndex("migrated-index", "migrated", ({"S": "false"},), None, "deleted")
    told: list[tuple[Item | None, Item | None]] = [(None, review(n, deleted={"BOOL": n == 2})) for n in range(4)]
    learner = Learner(stream_settings(empty(), pending=pending), empty())
    preparer = learner.preparer()
    for _ in range(2):  # first what has to be learned, then by the decoder that knows it
        kinds = [one.kind for one in preparer.prepare(records(empty(), told)).prepared.changes]
        assert kinds == ["PUT", "PUT", "DELETE", "PUT"]


@pytest.mark.parametrize("linked", [True, False])
def test_an_item_that_goes_and_comes_back_in_one_batch_is_no_echo(linked: bool) -> None:
    """A scan or a recheck may have met the image between: the row must be written."""
    one: Item = {"username": {"S": "ann"}, "reviewed_at": {"S": "1"}, "rating": {"N": "1"}}
    other: Item = {**one, "rating": {"N": "2"}}
    linked_one: Item = {**one, LINK: {"N": "7"}}
    schema = evolve(empty(own=frozenset({LINK})), [one, other]).schema
    learner = Learner(stream_settings(schema, linked=linked), schema)
    there_and_back = records(schema, [(one, other), (other, one)])
    assert [found.echo for found in learner.preparer().prepare(there_and_back).prepared.changes] == [False]
    changes = [record.change for record in there_and_back]
    assert [found.echo for found in prepare(learner.settings, of_one_table(schema), "mysql", changes).changes] == [
        False
    ]
    ours = records(schema, [(one, linked_one)])
    assert [found.echo for found in learner.preparer().prepare(ours).prepared.changes] == [linked]
