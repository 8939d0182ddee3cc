"""Both renderings of an item's update mean the same: two small interpreters, and DynamoDB Local, give the same item."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import MakeTable

from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_wire import Statement, StatementAnswer, request_item
from twinrow.link.settle import CONDITION_FAILED
from twinrow.link.update import ItemUpdate, LinkRules, is_quotable, partiql, update_item
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state.outbox import ANY_IMAGE, PendingLink

Item = dict[str, dict[str, Any]]

KEY: Item = {"k": {"S": "x"}, 'r"r': {"N": "1"}}
NAMES = ["a", 'b"b', "c c", "size", "#n0", ":if0", "x.y", "k2", "ü"]
VALUES: list[dict[str, Any]] = [{"S": "1"}, {"N": "1"}, {"B": "AQ=="}, {"L": [{"B": "/w=="}]}, {"NULL": True}]

values = st.sampled_from(VALUES)
attributes = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


@st.composite
def updates(draw: st.DrawFn) -> ItemUpdate:
    sets = draw(attributes)
    removes = frozenset(draw(st.sets(st.sampled_from(NAMES), min_size=0 if sets else 1, max_size=3))) - sets.keys()
    if not sets and not removes:
        sets = {"a": {"S": "1"}}
    return ItemUpdate(KEY, sets, removes, draw(attributes), wants_old=draw(st.booleans()))


def by_statement(statement: Statement, item: Item) -> Item | None:
    """What the statement makes of the item; None: its condition fails. The names hold no placeholders here."""
    parameters = list(statement.parameters)
    name = '"((?:[^"]|"")+)"'
    text = statement.text.removesuffix(" RETURNING ALL OLD *")
    writes, _, where = re.sub(f"^UPDATE {name} ", "", text).partition(" WHERE ")
    made = dict(item)
    for found in re.finditer(rf"SET {name}=\?|REMOVE {name}", writes):
        if found[1] is not None:
            made[found[1].replace('""', '"')] = parameters.pop(0)
        else:
            made.pop(found[2].replace('""', '"'), None)
    asked = [found[1].replace('""', '"') for found in re.finditer(rf"{name}=\?", where)]
    assert where == " AND ".join('"' + one.replace('"', '""') + '"=?' for one in asked)
    assert len(asked) == len(parameters)
    return made if all(item.get(one) == value for one, value in zip(asked, parameters, strict=True)) else None


def by_parameters(asked: dict[str, Any], item: Item) -> Item | None:
    """What UpdateItem with these parameters makes of the item; None: its condition fails."""
    names, given_values = asked["ExpressionAttributeNames"], asked.get("ExpressionAttributeValues", {})
    used = set(re.findall(r"[#:]\w+", asked["UpdateExpression"] + " " + asked["ConditionExpression"]))
    assert used == names.keys() | given_values.keys(), "DynamoDB refuses placeholders that are not used"
    assert len(set(names.values())) == len(names)
    for condition in asked["ConditionExpression"].split(" AND "):
        exists = re.fullmatch(r"attribute_exists\((#\w+)\)", condition)
        if exists is not None:
            if names[exists[1]] not in item:
                return None
            continue
        alias, _, value = condition.partition(" = ")
        if item.get(names[alias]) != given_values[value]:
            return None
    made = dict(item)
    sets, _, removes = asked["UpdateExpression"].removeprefix("SET ").partition("REMOVE ")
    for one in filter(None, sets.strip().split(", ")):
        alias, _, value = one.partition(" = ")
        made[names[alias]] = given_values[value]
    for alias in filter(None, removes.split(", ")):
        made.pop(names[alias], None)
    return made


@given(updates(), attributes, st.booleans())
def test_both_renderings_make_the_same_item(update: ItemUpdate, others: Item, meets: bool) -> None:
    met = dict(update.only_if or {}) if meets else {}
    item = {**others, **met, **KEY}
    expected: Item | None = {name: value for name, value in item.items() if name not in update.removes}
    if any(item.get(name) != value for name, value in (update.only_if or {}).items()):
        expected = None
    elif expected is not None:
        expected |= update.sets
    assert by_statement(partiql("t", update), item) == expected
    assert by_parameters(update_item(update), item) == expected


@given(updates())
def test_neither_rendering_creates_an_item(update: ItemUpdate) -> None:
    assert by_statement(partiql("t", update), {}) is None
    assert by_parameters(update_item(update), {}) is None


@pytest.mark.parametrize(("sets", "removes"), [({}, ()), ({"a": {"S": "1"}}, ("a",))])
def test_what_is_no_update_of_an_item_is_refused(sets: Item, removes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="in one way"):
        ItemUpdate(KEY, sets, frozenset(removes))


MARK = {"S": "false"}


def test_a_condition_on_a_part_of_the_key_takes_no_other_item() -> None:
    """A mark that is a part of the key, as `check` may meet it: the key's own value stays in the statement."""
    update = ItemUpdate({"k": {"S": "x"}}, {"id": {"N": "1"}}, frozenset(), {"k": MARK})
    assert partiql("t", update).parameters == ({"N": "1"}, {"S": "x"}, MARK)
    assert by_parameters(update_item(update), {"k": {"S": "x"}}) is None


@pytest.mark.parametrize(
    ("row_id", "mark", "done", "text"),
    [
        (7, MARK, None, 'UPDATE "t" SET "id"=? REMOVE "mark" WHERE "k"=? AND "mark"=? RETURNING ALL OLD *'),
        (7, MARK, {"S": "true"}, 'UPDATE "t" SET "id"=? SET "mark"=? WHERE "k"=? AND "mark"=? RETURNING ALL OLD *'),
        (7, None, None, 'UPDATE "t" SET "id"=? WHERE "k"=? RETURNING ALL OLD *'),
        (None, MARK, None, 'UPDATE "t" REMOVE "mark" WHERE "k"=? AND "mark"=? RETURNING ALL OLD *'),
    ],
)
def test_a_link_sets_the_id_and_clears_the_mark_that_was_seen(
    row_id: int | None, mark: Item | None, done: Item | None, text: str
) -> None:
    rules = LinkRules("id", "mark", done, frozenset({"id", "mark"}))
    update = rules.update_of(PendingLink(b"", {"k": {"S": "x"}}, 1, b"digest", row_id, mark))
    assert partiql("t", update).text == text
    assert update.only_if == ({} if mark is None else {"mark": mark})


def test_the_image_before_is_asked_for_only_where_it_decides() -> None:
    rules = LinkRules("id", None, None, frozenset({"id"}))
    update = rules.update_of(PendingLink(b"", {"k": {"S": "x"}}, 1, ANY_IMAGE, 7, None))
    assert not update.wants_old
    assert partiql("t", update).text == 'UPDATE "t" SET "id"=? WHERE "k"=?'


def test_a_table_with_a_name_that_partiql_cannot_quote_is_known_before_a_call() -> None:
    key: Item = {"k": {"S": "x"}}
    assert LinkRules("id", "mark", None, frozenset()).unquotable(key) is None
    assert LinkRules("id", "#mark", None, frozenset()).unquotable(key) == "#mark"
    assert LinkRules(":id", None, None, frozenset()).unquotable(key) == ":id"
    assert LinkRules("id", None, None, frozenset()).unquotable({"a\n": {"S": "x"}}) == "a\n"


def test_dynamodb_takes_both_renderings_alike(dynamodb: DynamoDBLocal, make_table: MakeTable) -> None:
    """Other attributes than id and mark, binary ones among them, with every odd name that both can have."""
    name = make_table(hash="k:S", range=None)
    door = DynamoDB("us-east-1", dynamodb.endpoint_url)
    for number, value in enumerate(VALUES):
        sets = {one: value for one in NAMES[:5] if is_quotable(one)}
        before: Item = {"gone": value, "seen": value, "kept": {"N": "1"}}
        made, old = [], []
        for way in ("statement", "item"):
            key: Item = {"k": {"S": f"{way}{number}"}}
            put(door, name, key | before)
            failed = send(door, name, ItemUpdate(key, sets, frozenset({"gone"}), {"seen": {"S": "other"}}), way)
            assert failed.code in CONDITION_FAILED
            answer = send(door, name, ItemUpdate(key, sets, frozenset({"gone"}), {"seen": value}), way)
            assert answer.code is None, answer
            (found,) = [one for one in door.scan_page(name, 0, 1, None).items if one["k"] == key["k"]]
            made.append({one: value for one, value in found.items() if one != "k"})
            old.append({one: value for one, value in (answer.old or {}).items() if one != "k"})
        assert made == [{"seen": value, "kept": {"N": "1"}, **sets}] * 2
        assert old == [before, before]


def put(door: DynamoDB, name: str, item: Item) -> None:
    door.call("put_item", TableName=name, Item=request_item(item))


def send(door: DynamoDB, name: str, update: ItemUpdate, way: str) -> StatementAnswer:
    if way == "statement":
        return door.execute_statements(name, [partiql(name, update)])[0][0]
    return door.update_item(name, update.key, **update_item(update))[0]


def test_the_statement_names_the_table_as_its_source_in_dynamodb_does() -> None:
    update = ItemUpdate({"k": {"S": "x"}}, {"id": {"N": "1"}}, frozenset(), {}, wants_old=False)
    assert partiql("eu:reviews", update).text == 'UPDATE "reviews" SET "id"=? WHERE "k"=?'
