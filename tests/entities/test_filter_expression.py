"""`where` sent to DynamoDB: on the real engine it takes the very items that the condition takes."""

from __future__ import annotations

from typing import Any

import pytest

from twinrow.change import Item
from twinrow.entities.condition import filter_of, read_condition
from twinrow.entities.filter_expression import filter_expression
from twinrow.wanted import WantedConfig

_VALUES: list[dict[str, Any]] = [
    {"S": "A"}, {"S": "a"}, {"S": "A "}, {"S": "7"}, {"S": ""}, {"S": "A#"}, {"S": "A#1"}, {"S": "A#1#2"}, {"S": "aé"},
    {"S": "\uffff"}, {"S": "🦆"}, {"N": "7"}, {"N": "7.0"}, {"N": "-1E-130"}, {"N": "0"}, {"N": "8"}, {"N": "1E125"},
    {"BOOL": True}, {"BOOL": False}, {"NULL": True}, {"M": {}}, {"L": [{"S": "A"}]}, {"SS": ["A"]}, {"NS": ["7"]},
    {"B": "QQ=="},
]  # fmt: skip
ITEMS: list[Item] = [
    {"username": {"S": f"user{n}"}, "a.b": value} for n, value in enumerate(_VALUES)
] + [{"username": {"S": "none"}}, {"username": {"S": "both"}, "a.b": {"S": "A"}, "c": {"N": "7"}}]  # fmt: skip

EXACT: list[Any] = [
    {"a.b": "A"}, {"a.b": 7}, {"a.b": True}, {"a.b": False}, {"a.b": ["A", 7, True]}, {"a.b": "A#{x*}"},
    {"a.b": ["A#{x*}", "A"]}, {"a.b": WantedConfig(exists=True)}, {"a.b": WantedConfig(exists=False)},
    {"a.b": WantedConfig(other_than="A")}, {"a.b": WantedConfig(other_than=["A", 7])},
    {"a.b": WantedConfig(other_than="A#{x*}")}, {"a.b": WantedConfig(low=7)}, {"a.b": WantedConfig(low=0, high=7)},
    {"a.b": WantedConfig(high=0)}, {"a.b": WantedConfig(low="A", high="a")}, {"a.b": WantedConfig(low="\uffff")},
    {"a.b": WantedConfig(low=7, other_than=8)}, {"a.b": "A", "c": 7}, [{"a.b": 7}, {"c": 7}], {"username": "user3"},
]  # fmt: skip
INEXACT: list[Any] = [
    {"a.b": "A#{x}"}, {"a.b": "{x*}"}, {"a.b": "A#{x*}#"}, {"a.b": ""}, {"a.b": 10**130}, {"a.b": int("1" * 39)},
    {"a.b": "A#{x*}", "c": "B#{x*}"}, {"a.b": [f"v{n}" for n in range(101)]}, {"a.b": WantedConfig(other_than="A#{x}")},
]  # fmt: skip


def test_dynamodb_takes_the_items_that_the_condition_takes(make_table: Any, dynamodb_client: Any) -> None:
    table = make_table(range=None)
    for item in ITEMS:
        sent = {name: {"B": b"A"} if "B" in value else value for name, value in item.items()}
        dynamodb_client.put_item(TableName=table, Item=sent)
    for wanted in EXACT:
        condition = read_condition(wanted, filtering=True)
        told = filter_expression(condition)
        assert told is not None, wanted
        values = {"ExpressionAttributeValues": told.values} if told.values else {}
        found = dynamodb_client.scan(
            TableName=table, FilterExpression=told.expression, ExpressionAttributeNames=told.names, **values
        )["Items"]
        keeps = filter_of(condition, "#")
        assert {one["username"]["S"] for one in found} == {
            item["username"]["S"] for item in ITEMS if keeps(item)
        }, wanted  # fmt: skip


@pytest.mark.parametrize("wanted", INEXACT)
def test_what_dynamodb_has_no_expression_for_is_not_sent(wanted: Any) -> None:
    assert filter_expression(read_condition(wanted, filtering=True)) is None


def test_no_condition_is_no_expression() -> None:
    assert filter_expression(()) is None
