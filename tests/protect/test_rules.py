"""Hashes, masks and templates: what a protected value looks like, and that nothing of the raw one is left in it."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import attribute_values
from tests.protect.values import EMAIL, SECRET, TABLE_SECRET

from twinrow.change import AttributeValue
from twinrow.decode.attribute import same_value
from twinrow.entities.template import parse_template
from twinrow.protect.rules import HASH_CHARACTERS, Drop, Hash, Mask, hash_text, hash_value, hide, masked
from twinrow.protect.settings import MaskConfig, PartConfig, rules_of


def test_a_hash_is_what_anybody_with_the_secret_computes() -> None:
    expected = hmac.new(SECRET.raw, b"S\0" + EMAIL.encode(), hashlib.sha256).hexdigest()
    assert hide(Hash(), SECRET.raw, {"S": EMAIL}) == {"S": expected}
    assert len(expected) == HASH_CHARACTERS


@pytest.mark.parametrize(("a", "b"), [("10", "1E1"), ("0.50", "0.5"), ("-0", "0")])
def test_numbers_of_equal_value_have_equal_hashes(a: str, b: str) -> None:
    assert hash_value(SECRET.raw, {"N": a}) == hash_value(SECRET.raw, {"N": b})


def test_a_text_and_a_number_of_the_same_digits_have_different_hashes() -> None:
    assert hash_value(SECRET.raw, {"N": "10"}) != hash_value(SECRET.raw, {"S": "10"})


@given(attribute_values(), attribute_values())
def test_values_have_equal_hashes_exactly_where_they_are_equal(a: AttributeValue, b: AttributeValue) -> None:
    assert (hash_value(SECRET.raw, a) == hash_value(SECRET.raw, b)) == same_value(a, b)


@pytest.mark.parametrize("value", [{}, {"N": "x"}, {"S": 1}, {"Q": "a"}, {"B": "?"}, {"S": "\ud800"}, {"L": [{}]}])
def test_a_value_that_cannot_be_read_is_hashed_and_not_kept(value: AttributeValue) -> None:
    hidden = hide(Hash(), SECRET.raw, value)
    assert hidden is not None
    assert len(hidden["S"]) == HASH_CHARACTERS


@given(st.text(max_size=40), st.integers(0, 64))
def test_a_mask_shows_the_last_characters_and_never_a_whole_text(text: str, shown: int) -> None:
    hidden = masked(shown, text)
    assert len(hidden) == len(text)
    if len(text) > shown:
        assert hidden == "*" * (len(text) - shown) + text[len(text) - shown :]
    else:
        assert set(hidden) <= {"*"}


def test_a_mask_covers_members_of_lists_and_sets_and_leaves_out_what_it_cannot_show() -> None:
    hidden = hide(
        Mask(2), b"", {"L": [{"S": "12345"}, {"B": "AAEC"}, {"M": {"a": {"S": "raw"}}}, {"L": [{"N": "678"}]}]}
    )
    assert hidden == {"L": [{"S": "***45"}, {"L": [{"S": "*78"}]}]}
    assert hide(Mask(1), b"", {"SS": ["ab", "cb"]}) == {"SS": ["*b"]}
    assert hide(Mask(2), b"", {"M": {"a": {"S": "raw"}}}) is None


def test_null_says_nothing_and_stays() -> None:
    for rule in (Hash(), Mask(1), Drop()):
        assert hide(rule, SECRET.raw, {"NULL": True}) == {"NULL": True}


def test_a_part_of_a_key_has_the_hash_of_the_attribute_with_the_same_text() -> None:
    rules = rules_of({"PK": PartConfig("USER#{email}")}, {})
    assert hide(rules["PK"], SECRET.raw, {"S": f"USER#{EMAIL}"}) == {"S": f"USER#{hash_text(SECRET.raw, EMAIL)}"}


def test_the_part_of_an_entitys_template_is_hashed_and_the_others_stay() -> None:
    rules = rules_of({"SK": PartConfig("email")}, {"SK": parse_template("ORDER#{day:date}#{email}")})
    hidden = hide(rules["SK"], SECRET.raw, {"S": f"ORDER#2026-01-15#{EMAIL}"})
    assert hidden == {"S": f"ORDER#2026-01-15#{hash_text(SECRET.raw, EMAIL)}"}


@pytest.mark.parametrize("value", [{"S": f"CUSTOMER#{EMAIL}"}, {"S": f"USER#{EMAIL}#x"}, {"N": "7"}])
def test_a_key_that_does_not_match_the_template_is_hashed_whole(value: AttributeValue) -> None:
    rules = rules_of({"PK": PartConfig("USER#{email}")}, {})
    assert hide(rules["PK"], SECRET.raw, value) == {"S": hash_value(SECRET.raw, value)}


@pytest.mark.parametrize(
    ("part", "template", "said"),
    [
        ("email", None, 'hash_part = "USER#{email}"'),
        ("USER#{", None, "without its }"),
        ("phone", "USER#{email}", "has no part 'phone'; it has email"),
        ("day", "ORDER#{day:date}", "is of type date, and a hash is text"),
    ],
)
def test_a_part_that_cannot_be_hashed_is_refused(part: str, template: str | None, said: str) -> None:
    templates = {"PK": parse_template(template)} if template else {}
    with pytest.raises(ValueError, match=r"PK|USER") as refused:
        rules_of({"PK": PartConfig(part)}, templates)
    assert said in str(refused.value)


def test_the_settings_words_are_rules() -> None:
    assert rules_of({"a": "hash", "b": "drop", "c": MaskConfig(4)}, {}) == {"a": Hash(), "b": Drop(), "c": Mask(4)}


def test_nothing_shows_the_secret() -> None:
    assert TABLE_SECRET not in repr(SECRET)
    assert SECRET.raw.hex() not in repr(SECRET)
