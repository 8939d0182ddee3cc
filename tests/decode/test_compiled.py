"""The compiled decoder against the general path: equal rows, or the page is left to the general path."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.items import items
from tests.fixtures.schemas import overrides_and_mixed_items, schemas_and_items

from twinrow.change import Item
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.flavour import Flavour
from twinrow.schema.evolve import evolve
from twinrow.schema.row import Unrepresentable, to_row
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
SLOW_TO_DRAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLAVOURS: st.SearchStrategy[Flavour] = st.sampled_from(["mysql", "mariadb"])


def raw(page: list[Item]) -> bytes:
    return msgspec.json.encode(page)


@SLOW_TO_DRAW
@given(drawn=schemas_and_items() | overrides_and_mixed_items(), flavour=FLAVOURS)
def test_a_page_that_fits_gives_the_general_rows(drawn: tuple[TableSchema, list[Item]], flavour: Flavour) -> None:
    schema, seen = drawn
    for item in seen:
        rows = PageDecoder(schema, flavour, schema.own, null_only(schema, [item])).rows(raw([item]))
        if rows is not None:
            assert rows == [to_row(schema, item, flavour)]
            assert not evolve(schema, [item]).steps, "the schema had something to learn"


@SLOW_TO_DRAW
@given(page=st.lists(items(KEYS), min_size=1, max_size=4), flavour=FLAVOURS)
def test_what_was_learned_from_a_page_fits_it(page: list[Item], flavour: Flavour) -> None:
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), page).schema
    kinds = {(name, *value) for item in page for name, value in item.items() if "NULL" not in value}
    one_kind_each = len({name for name, _ in kinds}) == len(kinds)
    plain_names = not any(one < " " or one in '"\\' for item in page for name in item for one in name)
    rows = PageDecoder(schema, flavour, schema.own, null_only(schema, page)).rows(raw(page))
    try:
        expected = [to_row(schema, item, flavour) for item in page]
    except Unrepresentable:
        assert rows is None
    else:
        assert rows == expected or (rows is None and not (one_kind_each and plain_names))


def reviewed(**more: dict[str, object]) -> Item:
    return {"username": {"S": "a"}, "reviewed_at": {"S": "1"}, **more}


def learned(*page: Item, own: frozenset[str] = frozenset()) -> TableSchema:
    return evolve(empty_schema("t", "t", KEYS, own, (), False), page).schema


def test_an_attribute_that_is_new_is_left_to_the_general_path() -> None:
    decoder = PageDecoder(learned(reviewed()), "mysql", frozenset())
    assert decoder.rows(raw([reviewed(rating={"N": "1"})])) is None


def test_a_value_of_another_kind_is_left_to_the_general_path() -> None:
    decoder = PageDecoder(learned(reviewed(rating={"N": "1"})), "mysql", frozenset())
    assert decoder.rows(raw([reviewed(rating={"S": "1"})])) is None


def test_a_number_that_widens_the_column_is_left_to_the_general_path() -> None:
    schema = learned(reviewed(rating={"N": "1.5"}))
    decoder = PageDecoder(schema, "mysql", frozenset())
    assert decoder.rows(raw([reviewed(rating={"N": "2"})])) is not None
    assert decoder.rows(raw([reviewed(rating={"N": "0.0000000001"})])) is None
    assert decoder.rows(raw([reviewed(rating={"N": "12345678901234567890"})])) is not None
    assert decoder.rows(raw([reviewed(rating={"N": "1" * 30})])) is None


def test_own_attributes_are_passed_over_or_refused() -> None:
    schema = learned(reviewed(), own=frozenset({"migrated", "mysql_id"}))
    decoder = PageDecoder(schema, "mysql", frozenset({"mysql_id"}))
    assert decoder.rows(raw([reviewed(mysql_id={"N": "1"})])) == [to_row(schema, reviewed(), "mysql")]
    assert decoder.rows(raw([reviewed(migrated={"S": "false"})])) is None


def test_null_in_a_column_and_without_one_is_kept_in_extra() -> None:
    schema = learned(reviewed(rating={"N": "1"}))
    item = reviewed(rating={"NULL": True}, nothing={"NULL": True})
    decoder = PageDecoder(schema, "mysql", frozenset(), null_only(schema, [item]))
    assert decoder.rows(raw([item])) == [to_row(schema, item, "mysql")]
    assert decoder.rows(raw([reviewed(nothing={"S": "something"})])) is None
