"""Routing: the first entity that matches, as a slow model has it; parts; the rest; texts that make their own tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities.reading import LAW, WITH_ANSWERS, expected, items_of, naive, split_of, table_of
from tests.entities.test_condition import ODD

from twinrow.change import Item
from twinrow.entities.columns import value_table
from twinrow.entities.condition import AnyOf, Clause, Exists, parts_of
from twinrow.entities.part import Part
from twinrow.entities.route import Target, part_values, router
from twinrow.entities.settings import read_keys
from twinrow.entities.split import Around, Split, read_split

SHOP = """
entities = [
  { name = "orders", into = "shop_orders",\
    when = { _type = "Order", PK = "CUSTOMER#{customer_id}", SK = "ORDER#{ordered_on:date}#{order_id:int}" },\
    extract = { GSI1PK = "STATUS#{state}" } },
  { name = "customers", when = { _type = "Customer", PK = "CUSTOMER#{customer_id}" } },
  { name = "guards", ignore = true, when = { PK = "EMAIL#{email}" } },
  { name = "counts", when = [ { PK = "USER#{user_id}", SK = "COUNT" }, { PK = "POST#{post_id}#likecount" } ] },
]
"""


def _item(**texts: str) -> Item:
    return {name: {"S": text} for name, text in texts.items()}


def test_the_first_that_matches_has_the_item_and_its_parts_are_typed() -> None:
    route = router(split_of(SHOP))
    target, texts = route(_item(_type="Order", PK="CUSTOMER#c1", SK="ORDER#2026-01-15#7", GSI1PK="STATUS#paid"))
    parts = (Part("customer_id"), Part("ordered_on", "date"), Part("order_id", "int"), Part("state"))
    assert target == Target("row", "orders", "shop_orders", parts)
    assert part_values(target, texts) == (("c1", "2026-01-15", 7, "paid"), ())


def test_a_text_that_does_not_read_as_its_type_is_null_and_told() -> None:
    routed = router(split_of(SHOP))(_item(_type="Order", PK="CUSTOMER#c1", SK="ORDER#some day#x", GSI1PK="NEW"))
    assert routed[1] == ("c1", "some day", "x", None)
    assert part_values(*routed) == (("c1", None, None, None), ("ordered_on", "order_id"))


@pytest.mark.parametrize(
    ("item", "entity", "fate", "texts"),
    [
        (_item(_type="Customer", PK="CUSTOMER#1", SK="x"), "customers", "row", ("1",)),
        (_item(_type="Customer", PK="CUSTOMER#1#2"), "", "row", ()),
        (_item(_type="customer", PK="CUSTOMER#1"), "", "row", ()),
        (_item(_type="Customer ", PK="CUSTOMER#1"), "", "row", ()),
        ({**_item(PK="CUSTOMER#1"), "_type": {"N": "7"}}, "", "row", ()),
        ({**_item(PK="CUSTOMER#1"), "_type": {"NULL": True}}, "", "row", ()),
        (_item(PK="EMAIL#a@b"), "guards", "ignored", ()),
        (_item(PK="USER#u", SK="COUNT"), "counts", "row", ("u", None)),
        (_item(PK="POST#p#likecount", SK="COUNT"), "counts", "row", (None, "p")),
        ({}, "", "row", ()),
    ],
)
def test_where_an_item_goes(item: Item, entity: str, fate: str, texts: tuple[str | None, ...]) -> None:
    target, found = router(split_of(SHOP))(item)
    assert (target.entity, target.fate, found) == (entity, fate, texts)


def test_the_order_of_the_rules_decides() -> None:
    rules = ['{ name = "latest", when = { SK = "v0_{kind}" } }', '{ name = "versions", when = { SK = "v{n}_{kind}" } }']
    for order, first in ((rules, "latest"), (rules[::-1], "versions")):
        route = router(split_of(f"entities = [{', '.join(order)}]"))
        assert route(_item(SK="v0_Audit"))[0].entity == first
        assert route(_item(SK="v10_Audit"))[0].entity == "versions"


@pytest.mark.parametrize(
    ("unmatched", "fate", "into"),
    [("keep", "row", "rest"), ("ignore", "unmatched", None), ("dead-letter", "letter", None)],
)
def test_what_matches_nothing(unmatched: str, fate: str, into: str | None) -> None:
    route = router(split_of(f'unmatched = "{unmatched}"\n{SHOP}'))
    assert route(_item(PK="x")) == (Target(fate, "", into), ())  # type: ignore[arg-type]


def test_rows_are_wanted_of_some_items_only() -> None:
    route = router(split_of('where = { tenant = "acme" }\nentities = [{ name = "orders", when = { _type = "Order" }, '
                            'where = { status = { not = "DRAFT" } } }]'))  # fmt: skip
    assert route(_item(_type="Order", tenant="acme", status="PAID"))[0] == Target("row", "orders", "orders")
    assert route(_item(_type="Order", tenant="acme", status="DRAFT"))[0] == Target("filtered", "orders")
    assert route(_item(_type="Order", tenant="other", status="PAID"))[0] == Target("filtered")
    assert route(_item(tenant="acme"))[0] == Target("row", "", "rest")


def test_a_text_of_the_split_is_new_until_its_table_is_there_and_rest_beyond_the_bound() -> None:
    split = split_of('split = { attribute = "_type", into = "app_{value}", tables_max = 2 }\n'
                     'entities = [{ name = "guards", ignore = true, when = { _type = "_Unique" } }]')  # fmt: skip
    assert router(split)(_item(_type="Order"))[0] == Target("new", "Order", by_value=True)
    route = router(split, {"Order": "app_order"})
    assert route(_item(_type="Order"))[0] == Target("row", "Order", "app_order", by_value=True)
    assert route(_item(_type="Line"))[0].fate == "new"
    assert route(_item(_type="_Unique"))[0].fate == "ignored"
    full = router(split, {"Order": "app_order", "Line": "app_line"})
    assert full(_item(_type="Bill"))[0] == Target("row", "", "rest")
    ignoring = split_of('unmatched = "ignore"\nsplit = { attribute = "_type", tables_max = 1 }')
    assert router(ignoring, {"Order": "order"})(_item(_type="Bill"))[0] == Target("row", "", "rest")
    assert router(ignoring, {"Order": "order"})(_item(PK="x"))[0] == Target("unmatched")
    for odd in ({"S": ""}, {"N": "7"}, {"NULL": True}, {"S": 7}, {"S": ["x"]}, "x", None):
        assert route({"_type": odd})[0] == Target("row", "", "rest")  # type: ignore[dict-item]


def test_of_two_hundred_texts_fifty_get_tables() -> None:
    split = split_of('split = { attribute = "_type" }')
    tables: dict[str, str] = {}
    for n in range(200):
        target, _ = router(split, tables)(_item(_type=f"Type{n}"))
        if target.fate == "new":
            assert split.by_value is not None
            tables[target.entity] = value_table(split.by_value, target.entity, [*tables.values(), "rest"])
    assert len(tables) == 50
    assert router(split, tables)(_item(_type="Type49"))[0].into == "type49"
    assert router(split, tables)(_item(_type="Type50"))[0].into == "rest"


def test_many_rules_on_several_attributes_are_compiled_without_multiplying_them_out() -> None:
    whens = [{name: f"{name}{n}"} for name in "abcd" for n in range(100)]
    raw = {"entities": [{"name": f"e{n}", "when": when} for n, when in enumerate(whens)]}
    route = router(read_split(read_keys(raw, "t"), Around("rest"), "t"))
    for n, when in enumerate(whens):
        assert route({name: {"S": text} for name, text in when.items()})[0].entity == f"e{n}"
    assert route(_item(a="x", b="b7", d="d3"))[0].entity == "e107"


def test_long_keys_emoji_and_braces_are_texts_like_others() -> None:
    route = router(split_of('entities = [{ name = "a", when = { PK = "{{🦆}}#{x}", SK = "{y*}" } }]'))
    long = "é#{}" * 256
    assert route(_item(PK="{🦆}#{1}", SK=long))[1] == ("{1}", long)


@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_the_data_sets_have_their_right_answers(name: str) -> None:
    table = table_of(name)
    route = router(read_split(read_keys(table, name), Around(table["into"]), name))
    told = expected(name)
    counts: dict[str, int] = {}
    items = items_of(name)
    for item in items:
        target, texts = route(item)
        title = target.entity if target.fate == "row" else f"(ignored) {target.entity}"
        counts[title] = counts.get(title, 0) + 1
        if counts[title] == 1:
            found = {part.name: text for part, text in zip(target.parts, texts, strict=True)}
            assert found == told["example_parts"][title]
    assert counts == told["rows"]
    assert len(items) == told["items"]


# ---- the law: routing is what the first rule that matches says, tried one by one

_TEXTS = ["A", "B", "A#1", "A#2", "B#1", "B#1#2", "A#", "v1", "v1x", ""]
_WANTED = ["A", "B", "A#{x}", "B#{x}", "B#{x}#{y}", "{x}", "{x*}", "v{x}", "A#{x*}", "A#", 7, True, ["A", "B"],
           ["A#{x}", "B#{x}"], ["A", 7], {"exists": True}, {"exists": False}, ["A#{x}", "v{z}", "B"]]  # fmt: skip
_VALUES = [{"S": text} for text in _TEXTS] + [{"N": "7"}, {"N": "7.0"}, {"BOOL": True}, {"NULL": True}]

rules = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(_WANTED), min_size=1), min_size=1, max_size=24
)  # fmt: skip
items = st.dictionaries(st.sampled_from("abc"), st.sampled_from(_VALUES))


def _modelled(clause: Clause, item: Item) -> tuple[str, ...] | None:
    texts: list[str] = []
    for test in sorted(clause, key=lambda one: isinstance(one, AnyOf) and any(text.holes for text in one.texts)):
        value = item.get(test.attribute)
        if isinstance(test, Exists):
            if (value is not None) is not test.wanted:
                return None
            continue
        assert isinstance(test, AnyOf)
        if value is None:
            return None
        if "N" in value:
            held: Any = () if float(value["N"]) in {float(one) for one in test.numbers} else None
        elif "BOOL" in value:
            held = () if value["BOOL"] in test.booleans else None
        else:
            reads = [naive(one, "#", value["S"]) for one in test.texts] if "S" in value else []
            held = next((one for one in reads if one is not None), None)
        if held is None:
            return None
        texts += held
    seen: dict[str, str] = {}
    for part, text in zip(parts_of(clause), texts, strict=True):
        if seen.setdefault(part.name, text) != text:
            return None
    return tuple(texts)


def _first(split: Split, item: Item) -> tuple[str, tuple[str | None, ...]]:
    for entity in split.entities:
        for clause in entity.when:
            texts = _modelled(clause, item)
            if texts is not None:
                found = dict(zip((part.name for part in parts_of(clause)), texts, strict=True))
                return entity.name, tuple(found.get(part.name) for part in entity.parts)
    return "", ()


@LAW
@given(rules, st.lists(items, max_size=6))
def test_routing_is_what_the_first_rule_that_matches_says(whens: list[Any], every: list[Item]) -> None:
    raw = {"entities": [{"name": f"e{n}", "when": when} for n, when in enumerate(whens)]}
    split = read_split(read_keys(raw, "t"), Around("rest"), "t")
    route = router(split)
    for item in every:
        target, texts = route(item)
        assert (target.entity, texts) == _first(split, item)


@LAW
@given(rules, ODD)
def test_an_odd_item_is_routed_somewhere(whens: list[Any], item: Any) -> None:
    raw = {"entities": [{"name": f"e{n}", "when": when} for n, when in enumerate(whens)],
           "split": {"attribute": "b"}}  # fmt: skip
    route = router(read_split(read_keys(raw, "t"), Around("rest"), "t"))
    assert route(item)[0].fate in ("row", "new")
