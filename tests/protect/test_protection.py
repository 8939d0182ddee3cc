"""Rules over items: covered values are gone from the whole item, and all else stays as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import attribute_values
from tests.protect.values import EMAIL, PERSON, SECRET

from twinrow.change import AttributeValue, Item
from twinrow.protect.elsewhere import also_in
from twinrow.protect.protection import protection
from twinrow.protect.rules import Drop, Hash, Hiding, Mask, hash_text
from twinrow.protect.settings import PartConfig, rules_of

KEYS = ("PK", "SK")
RULES: dict[str, Hiding] = {
    "PK": rules_of({"PK": PartConfig("USER#{email}")}, {})["PK"],
    "email": Hash(),
    "phone": Mask(4),
    "ssn": Drop(),
    "address.street": Drop(),
    "friends.name": Hash(),
}


def test_a_person_is_protected_at_every_depth() -> None:
    hidden = protection(SECRET, RULES, KEYS).protect(PERSON)
    email = hash_text(SECRET.raw, EMAIL)
    assert hidden == {
        "PK": {"S": f"USER#{email}"},
        "SK": {"S": "PROFILE"},
        "email": {"S": email},
        "phone": {"S": "***********5678"},
        "address": {"M": {"city": {"S": "Berlin"}}},
        "friends": {"L": [{"M": {"name": {"S": hash_text(SECRET.raw, "Grace Hopper")}, "since": {"N": "1990"}}}]},
        "notes": {"S": f"wrote from {EMAIL}"},
    }


def test_the_item_itself_is_left_as_it_was() -> None:
    before = json.dumps(PERSON)
    protection(SECRET, RULES, KEYS).protect(PERSON)
    assert json.dumps(PERSON) == before


def test_an_item_without_a_covered_attribute_is_the_same_object() -> None:
    item: Item = {"PK2": {"S": "a"}, "total": {"N": "1"}}
    assert protection(SECRET, RULES, KEYS).protect(item) is item


def test_an_allow_list_keeps_the_keys_and_nothing_that_comes_later() -> None:
    hidden = protection(None, {}, KEYS, attributes=["phone"]).protect({**PERSON, "new": {"S": "x"}})
    assert hidden.keys() == {"PK", "SK", "phone"}


@given(attribute_values())
def test_nothing_of_a_covered_entry_stays_whatever_the_value_is(value: AttributeValue) -> None:
    secret_text = {"S": "the raw street of somebody"}
    rules = protection(SECRET, {"address.street": Hash()}, KEYS)
    for address in (
        {"M": {"street": secret_text, "x": value}},
        {"L": [{"M": {"street": secret_text}}, value]},
        secret_text,
    ):
        hidden = rules.protect({"address": address})
        assert "the raw street" not in json.dumps(hidden)


def test_a_text_where_a_map_was_expected_is_covered_by_the_rule_of_the_path() -> None:
    assert protection(SECRET, {"address.street": Drop()}, KEYS).protect({"address": {"S": "1 Main Street"}}) == {}


def test_an_attribute_whose_name_has_the_dot_is_covered_too() -> None:
    assert (
        protection(SECRET, {"address.street": Drop()}, KEYS).protect({"address.street": {"S": "1 Main Street"}}) == {}
    )


@given(
    st.dictionaries(st.sampled_from("abcde"), attribute_values(), max_size=4), st.sets(st.sampled_from(["a", "b", "c"]))
)
def test_attributes_without_a_rule_stay_as_they_are(item: Item, covered: set[str]) -> None:
    hidden = protection(SECRET, dict.fromkeys(covered, Hash()), ()).protect(item)
    assert {name: value for name, value in hidden.items() if name not in covered} == {
        name: value for name, value in item.items() if name not in covered
    }


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"PK": Drop()}, "can be hashed, or parts of it, and nothing else"),
        ({"PK": Mask(2)}, "can be hashed, or parts of it, and nothing else"),
        ({"PK.x": Hash()}, "has nothing inside"),
        ({"a": Hash(), "a.b": Drop()}, "remove one of the two"),
        ({"a.b": Drop(), "a": Hash()}, "remove one of the two"),
        ({"a..b": Drop()}, "is no path"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules: dict[str, Hiding], said: str) -> None:
    with pytest.raises(ValueError, match="'") as refused:
        protection(SECRET, rules, KEYS)
    assert said in str(refused.value)


def test_hashes_need_a_secret_and_drops_do_not() -> None:
    with pytest.raises(ValueError, match="secret"):
        protection(None, {"a": Hash()}, KEYS)
    assert protection(None, {"a": Drop()}, KEYS).protect({"a": {"S": "x"}}) == {}


def test_a_protected_value_that_also_stands_elsewhere_is_found() -> None:
    rules = protection(SECRET, {name: rule for name, rule in RULES.items() if name != "PK"}, KEYS)
    assert also_in(rules, [PERSON, {"PK": {"S": "a"}}]) == {"email": {"PK", "notes"}}


def test_short_texts_and_covered_places_are_no_warning() -> None:
    rules = protection(SECRET, {"a": Hash(), "m.b": Hash()}, ())
    item: Item = {"a": {"S": "abc"}, "m": {"M": {"b": {"S": "longer text"}, "c": {"S": "other"}}}, "z": {"S": "abc"}}
    assert also_in(rules, [item]) == {}
