"""Names of columns: the attribute's own where possible, never two that MySQL takes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW, names

from twinrow.schema.naming import NAME_CHARACTERS_MAX, column_name, fold, is_reserved, quote, valid_name


@pytest.mark.parametrize(
    "attribute",
    ["rating", "visited at", "select", "a`b", "id", "größe", "日本語", "%", "1", "x" * 64, " a", "_twinrow", "a.b"],
)
def test_names_that_mysql_takes_stay_as_they_are(attribute: str) -> None:
    assert column_name(attribute, ()) == attribute


@pytest.mark.parametrize(
    ("attribute", "start"),
    [
        ("row_id", "row_id_"), ("ROW_ID", "ROW_ID_"), ("_twinrow_extra", "attribute_twinrow_extra_"),
        ("db_trx_id", "attribute_db_trx_id_"),
        ("DB_ROLL_PTRS", "attribute_DB_ROLL_PTRS_"), ("DB_ROW_ID", "attribute_DB_ROW_ID_"),
        ("_TWINROW_", "attribute_TWINROW__"),
        ("_TWINROW_key", "attribute_TWINROW_key_"), ("a ", "a_"), ("a\u00a0", "a_"), ("\0", "__"),
        ("😀 mood", "_ mood_"),
        ("x" * 65, "x" * 57 + "_"), ("\ud800", "__"), ("FTS_DOC_ID", "FTS_DOC_ID_"),
    ],
)  # fmt: skip
def test_other_names_get_a_readable_form_with_a_suffix(attribute: str, start: str) -> None:
    name = column_name(attribute, ())
    assert name.startswith(start)
    assert len(name) == len(start) + 6
    assert column_name(attribute, ()) == name


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Rating", "rating"), ("\u2131", "f"), ("İ", "i"), ("\u0131", "i"), ("é", "e"), ("e\u0301", "é"), ("ß", "s"),
        ("\u1e9e", "ß"), ("ς", "Σ"),
        ("Å", "\u212b"), ("\uff41", "a"), ("ﬁ", "fi"), ("\u017f", "s"), ("\u0345", "\u03b9"), ("µ", "\u03bc"),
        ("_TwinRow_Extra", "_twinrow_extra"),
    ],
)  # fmt: skip
def test_names_that_look_alike_to_mysql_fold_to_one(a: str, b: str) -> None:
    assert fold(a) == fold(b)
    taken = column_name(b, ())
    assert fold(column_name(a, [taken])) != fold(taken)


@LAW
@given(names(), names())
def test_the_fold_works_character_by_character(a: str, b: str) -> None:
    assert fold(a + "x" + b) == fold(a) + "x" + fold(b)


@LAW
@given(st.lists(names(), max_size=30))
def test_any_attributes_get_different_valid_names(attributes: list[str]) -> None:
    taken: dict[str, str] = {}
    for attribute in dict.fromkeys(attributes):
        taken[attribute] = column_name(attribute, list(taken.values()))
    assert len({fold(name) for name in taken.values()}) == len(taken)
    for name in taken.values():
        assert valid_name(name)
        assert not is_reserved(name)
        assert len(name) <= NAME_CHARACTERS_MAX
        quote(name)


@LAW
@given(names(), st.lists(names(), max_size=5))
def test_the_same_names_taken_give_the_same_name(attribute: str, taken: list[str]) -> None:
    assert column_name(attribute, taken) == column_name(attribute, tuple(reversed(taken)))


def test_a_suffix_that_is_taken_grows() -> None:
    first = column_name("a", ["A"])
    second = column_name("a", ["A", first])
    assert len(second) == len(first) + 1
    assert second.startswith(first)


def test_names_are_quoted() -> None:
    assert quote("a`b") == "`a``b`"
    for name in ("", "a\0b", "😀", "\ud800"):
        with pytest.raises(ValueError, match="not a MySQL name"):
            quote(name)
    with pytest.raises(ValueError, match="never empty"):
        column_name("", ())
