"""A changed split: what moves, what is renamed, and when DynamoDB must be read; in doubt it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities.reading import LAW, split_of
from tests.entities.test_route import items

from twinrow.change import Item
from twinrow.entities.changed import Changed, changed, unsplit
from twinrow.entities.doubts import hidden
from twinrow.entities.route import router
from twinrow.entities.settings import read_keys
from twinrow.entities.split import Around, Split, read_split

_A = '{ name = "a", when = { t = "A" } }'
_B = '{ name = "b", when = { t = "B" } }'
_GUARD = '{ name = "g", ignore = true, when = { PK = "G#{x}" } }'


def _entities(*entities: str) -> str:
    return f"entities = [{', '.join(entities)}]"


def _changed(before: str, after: str, *lacking: str) -> Changed:
    return changed(split_of(before), split_of(after), lacking)


def test_nothing_has_changed() -> None:
    same = f'where = {{ t = ["A", "B"] }}\nunmatched = "ignore"\n{_entities(_A, _GUARD)}'
    assert not _changed(same, same).anything
    assert not changed(unsplit("rest"), unsplit("rest")).anything


def test_a_table_that_is_split_for_the_first_time_moves_rows_and_reads_nothing() -> None:
    told = changed(unsplit("rest"), split_of(_entities(_A, _B, _GUARD)))
    assert told == Changed(added=("a", "b"), rows_move=True)
    back = changed(split_of(_entities(_A, _B)), unsplit("rest"))
    assert back == Changed(removed=("a", "b"), rows_move=True)


def test_a_new_table_name_is_a_rename_and_nothing_else() -> None:
    told = _changed(_entities(_A), _entities('{ name = "a", into = "as", when = { t = "A" } }'))
    assert told == Changed(renamed=(("a", "a", "as"),))
    assert changed(unsplit("old"), unsplit("new")) == Changed(renamed=(("", "old", "new"),))


def test_the_order_of_the_rules_moves_rows() -> None:
    assert _changed(_entities(_A, _B), _entities(_B, _A)) == Changed(rows_move=True)


def test_parts_that_changed_are_made_anew() -> None:
    with_parts = '{ name = "a", when = { t = "A" }, extract = { PK = "A#{x}" } }'
    typed = with_parts.replace("{x}", "{x:int}")
    assert _changed(_entities(with_parts), _entities(typed)) == Changed(parts=("a",))
    assert _changed(_entities(_A), _entities(with_parts)) == Changed(parts=("a",))
    assert _changed(_entities(with_parts), f'separator = ":"\n{_entities(with_parts)}').parts == ("a",)


@pytest.mark.parametrize(
    ("before", "after", "reads"),
    [
        # ignored entities
        (_entities(_A, _GUARD), _entities(_A), True),
        (_entities(_A, _GUARD), _entities(_A, _GUARD, _B), False),
        (_entities(_A, _GUARD), _entities(_A, _B, _GUARD), True),
        (_entities(_A, _GUARD), _entities(_GUARD, _A), False),
        (_entities(_GUARD, _A), _entities(_A, _GUARD), True),
        (_entities(_GUARD), _entities(_GUARD.replace("G#{x}", "{x*}")), False),
        (_entities(_GUARD), _entities(_GUARD.replace("G#{x}", "G#1")), True),
        (_entities(_GUARD), _entities(_GUARD.replace('"g"', '"guards"')), False),
        (_entities(_A), _entities(_A, _GUARD), False),
        (_entities(_GUARD), f'separator = ":"\n{_entities(_GUARD)}', True),
        # unmatched
        (f'unmatched = "ignore"\n{_entities(_A)}', _entities(_A), True),
        (f'unmatched = "ignore"\n{_entities(_A)}', f'unmatched = "ignore"\n{_entities(_A, _B)}', True),
        (_entities(_A), f'unmatched = "ignore"\n{_entities(_A)}', False),
        # where: tighter needs nothing, looser does
        ('where = { t = "A" }', 'where = { t = ["A", "B"] }', True),
        ('where = { t = ["A", "B"] }', 'where = { t = "A" }', False),
        ('where = { t = "A" }', 'where = { t = "A", n = 7 }', False),
        ('where = { t = "A" }', "", True),
        ("", 'where = { t = "A" }', False),
        ("where = { n = { from = 1, to = 9 } }", "where = { n = { from = 2, to = 9 } }", False),
        ("where = { n = { from = 1, to = 9 } }", "where = { n = { from = 1 } }", True),
        ("where = { n = { from = 1 } }", "where = { n = { from = 0 } }", True),
        ('where = { n = { not = "A" } }', 'where = { n = { not = "A" }, t = "x" }', False),
        ('where = { n = { not = "A" } }', 'where = { n = { not = "B" } }', True),
        # where of an entity
        (_entities('{ name = "a", when = { t = "A" }, where = { n = [1, 2] } }'),
         _entities('{ name = "a", when = { t = "A" }, where = { n = 1 } }'), False),
        (_entities('{ name = "a", when = { t = "A" }, where = { n = 1 } }'), _entities(_A), True),
        (_entities('{ name = "a", when = { t = "A" }, where = { n = 1 } }'), _entities(_B), True),
    ],
)  # fmt: skip
def test_when_dynamodb_must_be_read(before: str, after: str, *, reads: bool) -> None:
    assert bool(_changed(before, after).reasons) is reads


def test_a_rule_on_what_no_row_holds_is_tried_on_the_items() -> None:
    told = _changed(_entities(_A), _entities('{ name = "a", when = { secret = "A" } }'), "secret", "other")
    assert told.reasons == ("attribute 'secret' decides, and the rows do not hold it",)
    assert _changed(_entities(_A), _entities(_A, _B), "secret").reasons == ()


def test_a_range_tells_that_the_attribute_is_there() -> None:
    split = split_of(_entities('{ name = "a", when = { t = { exists = true } } }', '{ name = "b", when = { t = 7 } }'))
    assert [one.entity for one in hidden(split)] == ["b"]


# ---- the law: an item that gets a row, or another table, is never overlooked

_RULES = st.dictionaries(
    st.sampled_from("ab"), st.sampled_from(["A", "B", "A#{x}", "{x*}", 7, ["A", "B"], {"exists": True}]), min_size=1
)
_FILTERS = st.dictionaries(
    st.sampled_from("abc"),
    st.sampled_from(
        ["A", ["A", "B"], 7, {"exists": True}, {"not": "A"}, {"from": 1, "to": 9}, {"from": 5}, {"from": "A"}]
    ),
    min_size=1,
)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Splits of few rules, so that two of them often differ in one thing."""
    entities = []
    for name in draw(st.permutations(["e0", "e1", "e2"])):
        one: dict[str, Any] = {"name": name, "when": draw(_RULES)}
        if draw(st.booleans()):
            one["ignore"] = True
        elif draw(st.booleans()):
            one["where"] = draw(_FILTERS)
        entities.append(one)
    raw: dict[str, Any] = {
        "entities": entities[: draw(st.integers(1, 3))],
        "unmatched": draw(st.sampled_from(["keep", "ignore"])),
    }
    if draw(st.booleans()):
        raw["where"] = draw(_FILTERS)
    return read_split(read_keys(raw, "t"), Around("rest"), "t")


@LAW
@given(splits(), splits(), st.lists(items, min_size=1, max_size=8))
def test_no_item_that_gets_a_row_or_another_table_is_overlooked(before: Split, after: Split, every: list[Item]) -> None:
    told = changed(before, after)
    was, now = router(before), router(after)
    for item in every:
        old, new = was(item)[0], now(item)[0]
        if old.fate != "row" and new.fate == "row":
            assert told.reasons
        if old.fate == "row" and (new.fate != "row" or new.entity != old.entity):
            assert told.rows_move
