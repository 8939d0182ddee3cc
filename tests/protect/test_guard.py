"""The guard: what comes in is protected, keys go out as they are, and nothing that is odd slips through."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import attribute_values
from tests.protect.values import EMAIL, PERSON, SECRET, TABLE_SECRET

from twinrow.capture.key_hint import KeyHint, fold
from twinrow.change import SEALED_KEY, AttributeValue, Item
from twinrow.errors import Broken, StartRefused
from twinrow.protect.guard import Guard, TableProtection
from twinrow.protect.rules import Drop, Hash, Hiding, Mask
from twinrow.protect.secret import read_secret
from twinrow.protect.settings import PartConfig, rules_of
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute

KEYS = (("PK", "S"), ("SK", "S"))
PART = rules_of({"PK": PartConfig("USER#{email}")}, {})["PK"]
RULES: dict[str, Hiding] = {"PK": PART, "email": Hash(), "phone": Mask(4), "ssn": Drop(), "notes": Drop()}


def guard(rules: dict[str, Hiding] = RULES, **more: Any) -> Guard:
    return TableProtection("people", SECRET, rules, {}, **more).guard(KEYS)


def test_a_key_is_found_again_from_its_item_and_the_same_each_time() -> None:
    hidden = guard().item(PERSON)
    assert EMAIL not in json.dumps(hidden)
    assert guard().real_key({name: hidden[name] for name in ("PK", "SK", SEALED_KEY)}) == {
        "PK": PERSON["PK"], "SK": PERSON["SK"],
    }  # fmt: skip
    assert guard().item(PERSON) == hidden


def test_a_key_alone_has_the_same_fingerprint_and_seal_as_its_item() -> None:
    keys = tuple(KeyAttribute(name, "S", True) for name, _ in KEYS)
    key = guard().item({"PK": PERSON["PK"], "SK": PERSON["SK"]})
    hidden = guard().item(PERSON)
    assert fingerprint(keys, key) == fingerprint(keys, hidden)
    assert key[SEALED_KEY] == hidden[SEALED_KEY]


def test_a_sealed_key_opens_beside_its_own_hashes_and_with_its_own_secret_alone() -> None:
    hidden, other = guard().item(PERSON), guard().item({**PERSON, "SK": {"S": "OTHER"}})
    with pytest.raises(Broken, match="cannot be opened"):
        guard().real_key({**hidden, SEALED_KEY: other[SEALED_KEY]})
    with pytest.raises(Broken, match="cannot be opened"):
        TableProtection("people", read_secret(TABLE_SECRET + "!"), RULES, {}).guard(KEYS).real_key(hidden)
    with pytest.raises(Broken, match="is not sealed"):
        guard().real_key({name: hidden[name] for name in ("PK", "SK")})


def test_a_table_whose_key_shows_has_no_seal_and_its_keys_go_as_they_are() -> None:
    plain = guard({"email": Hash()})
    hidden = plain.item({**PERSON, SEALED_KEY: {"S": "of the app"}})
    assert hidden[SEALED_KEY] == {"S": "of the app"}
    assert plain.real_key({"PK": PERSON["PK"]}) == {"PK": PERSON["PK"]}
    assert plain.seen_keys == KEYS


def test_a_number_key_that_is_hashed_is_text_in_rows() -> None:
    made = TableProtection("people", SECRET, {"id": Hash()}, {}).guard((("id", "N"),))
    assert made.seen_keys == (("id", "S"),)
    assert made.item({"id": {"N": "7.0"}})["id"] == made.item({"id": {"N": "7"}})["id"]
    assert made.real_key(made.item({"id": {"N": "7"}})) == {"id": {"N": "7"}}


def test_a_key_can_be_hashed_and_nothing_else() -> None:
    with pytest.raises(StartRefused, match="'PK' is a key attribute"):
        TableProtection("people", SECRET, {"PK": Mask(2)}, {}).guard(KEYS)


def test_a_position_is_sealed_where_it_holds_what_a_rule_covers() -> None:
    real: Item = {"PK": PERSON["PK"], "SK": PERSON["SK"]}
    kept = guard().position(real)
    assert EMAIL not in json.dumps(kept)
    assert guard().real_position(kept) == real
    assert guard({"ssn": Drop()}).position(real) is real
    assert guard().position(None) is guard().real_position(None) is None


def test_an_item_that_the_app_calls_deleted_still_says_so() -> None:
    listed = guard({}, attributes=("email",), deleted="gone")
    assert listed.item({**PERSON, "gone": {"BOOL": True}})["gone"] == {"BOOL": True}
    assert "gone" not in listed.item({**PERSON, "gone": {"BOOL": False}})


def test_a_record_is_protected_in_its_key_and_both_images() -> None:
    key = {"PK": PERSON["PK"], "SK": PERSON["SK"]}
    change = {"SequenceNumber": "1", "Keys": key, "NewImage": PERSON, "OldImage": {**PERSON, "ssn": {"N": "5"}}}
    raw = json.dumps([{"eventName": "MODIFY", "dynamodb": change}]).encode()
    ((record,)) = json.loads(guard().records(raw))
    assert record["dynamodb"]["NewImage"] == record["dynamodb"]["OldImage"] == guard().item(PERSON)
    assert record["dynamodb"]["Keys"] == guard().item(key)
    assert EMAIL not in json.dumps(record)


ODD = st.recursive(
    st.sampled_from([None, EMAIL, 7, True]), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)
)


@given(
    value=ODD, place=st.sampled_from(["email", "phone", "ssn", "PK"]), kind=st.sampled_from(["S", "N", "M", "SS", "?"])
)
def test_no_value_of_a_covered_attribute_slips_through_however_odd_it_is(value: Any, place: str, kind: str) -> None:
    for image in ({"PK": {"S": "x"}, "SK": {"S": "y"}, place: value}, {"SK": {"S": "y"}, place: {kind: value}}):
        record = {"eventName": "MODIFY", "dynamodb": {"Keys": image, "NewImage": image, "OldImage": [image]}}
        assert EMAIL.encode() not in guard().records(json.dumps([record, image, [image]]).encode())


@given(attribute_values())
def test_items_with_equal_values_are_equal_behind_the_guard_and_others_are_not(value: AttributeValue) -> None:
    made = guard({"email": Hash()})
    assert made.item({**PERSON, "email": value}) == made.item({**PERSON, "email": value})
    if "NULL" not in value:
        assert made.item({**PERSON, "email": value}) != made.item(PERSON) or value == PERSON["email"]


def test_the_key_of_an_event_or_of_a_kinesis_record_is_protected_before_it_is_kept() -> None:
    keys = tuple(KeyAttribute(name, "S", True) for name, _ in KEYS)
    raw = {"PK": PERSON["PK"], "SK": PERSON["SK"]}
    ((found, hinted),) = fold(keys, [KeyHint("1", "people", raw)], guard().item).keys.items()
    assert found == fingerprint(keys, guard().item(PERSON))
    assert EMAIL not in repr(hinted)
    assert guard().real_key(hinted.key) == raw


def test_neither_secret_nor_rules_with_a_secret_show_it() -> None:
    protection = TableProtection("people", SECRET, RULES, {})
    for shown in (protection, guard(), guard().protection, protection.summary, SECRET):
        assert TABLE_SECRET not in repr(shown)
        assert SECRET.raw.hex() not in repr(shown)


KEY_TEXTS = st.one_of(st.text(max_size=12), st.builds("USER#{}".format, st.text(max_size=12)))


@given(KEY_TEXTS, KEY_TEXTS)
def test_each_key_has_a_fingerprint_of_its_own_and_is_found_again(one: str, other: str) -> None:
    keys = tuple(KeyAttribute(name, "S", True) for name, _ in KEYS)
    hidden = [guard().item({"PK": {"S": text}, "SK": {"S": "x"}}) for text in (one, other)]
    assert (fingerprint(keys, hidden[0]) == fingerprint(keys, hidden[1])) == (one == other)
    assert [guard().real_key(key)["PK"]["S"] for key in hidden] == [one, other]


@given(st.integers(-(10**20), 10**20), st.binary(min_size=1, max_size=20))
def test_numbers_and_binary_as_keys_are_found_again(number: int, raw: bytes) -> None:
    made = TableProtection("people", SECRET, {"n": Hash(), "b": Hash()}, {}).guard((("n", "N"), ("b", "B")))
    key: Item = {"n": {"N": str(number)}, "b": {"B": b64encode(raw).decode()}}
    assert made.real_key(made.item(key)) == key


def test_an_allow_list_keeps_what_leads_an_item_to_its_table() -> None:
    needed = frozenset({"kind", "PK"})
    with pytest.raises(StartRefused, match="`attributes` leaves out 'kind'"):
        guard({}, attributes=("email",), needed=needed)
    assert guard({}, attributes=("email", "kind"), needed=needed).item({**PERSON, "kind": {"S": "x"}}).keys() == {
        "PK", "SK", "email", "kind",
    }  # fmt: skip
    assert guard({}, needed=needed).item(PERSON) is PERSON
    with pytest.raises(StartRefused, match="leaves out 'kind'"):
        guard({}, attributes=(), needed=needed)
