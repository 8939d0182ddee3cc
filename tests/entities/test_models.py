"""Models that the application's authors wrote: NoSQL Workbench and dynamodb-onetable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.entities.reading import items_of
from tests.entities.test_propose import counted, split_in

from twinrow.change import Item
from twinrow.entities.doubts import hidden
from twinrow.entities.models import read_model
from twinrow.entities.route import router
from twinrow.errors import ConfigError

_KINDS = {"PK": "S", "SK": "S"}


def _workbench(facets: dict[str, list[Item]]) -> str:
    return json.dumps({
        "ModelName": "shop",
        "DataModel": [{
            "TableName": "OnlineShop",
            "KeyAttributes": {
                "PartitionKey": {"AttributeName": "PK", "AttributeType": "S"},
                "SortKey": {"AttributeName": "SK", "AttributeType": "S"},
            },
            "TableFacets": [
                {"FacetName": name, "KeyAttributeAlias": {"PartitionKeyAlias": "PK", "SortKeyAlias": "SK"},
                 "TableData": rows, "NonKeyAttributes": []}
                for name, rows in facets.items()
            ],
        }],
    })  # fmt: skip


def _facets(*, with_type: bool) -> dict[str, list[Item]]:
    facets: dict[str, list[Item]] = {}
    for item in items_of("aws_online_shop"):
        row = item if with_type else {name: value for name, value in item.items() if name != "EntityType"}
        facets.setdefault(item["EntityType"]["S"], []).append(row)
    return facets


@pytest.mark.parametrize("with_type", [True, False])
def test_the_facets_of_a_workbench_model_are_the_entities(*, with_type: bool) -> None:
    proposal = read_model(_workbench(_facets(with_type=with_type)), "OnlineShop", "shop.json")
    split = split_in(proposal, _KINDS)
    items = [item for rows in _facets(with_type=with_type).values() for item in rows]
    assert counted(split, items) == {
        "customer": 3, "product": 2, "warehouse": 2, "warehouse_item": 3, "order_item": 2, "order": 1, "invoice": 1,
        "shipment": 2, "shipment_item": 3,
    }  # fmt: skip
    assert hidden(split) == ()
    assert all(("EntityType" in draft.when[0]) is with_type for draft in proposal.drafts)


def test_a_facet_with_rows_of_several_shapes_matches_any_of_them() -> None:
    facets: dict[str, list[Item]] = {
        "Counts": [{"PK": {"S": "USER#1"}, "SK": {"S": "COUNT"}}, {"PK": {"S": "POST#7#likes"}, "SK": {"S": "LIKES"}},
                   {"PK": {"S": "USER#2"}, "SK": {"S": "COUNT"}}, {"PK": {"S": "POST#8#likes"}, "SK": {"S": "LIKES"}}],
        "Users": [{"PK": {"S": "USER#1"}, "SK": {"S": "PROFILE"}, "name": {"S": "Ann"}},
                  {"PK": {"S": "USER#2"}, "SK": {"S": "PROFILE"}, "name": {"S": "Bob"}}],
    }  # fmt: skip
    proposal = read_model(_workbench({**facets, "Empty": []}), "OnlineShop", "shop.json")
    assert [one.name for one in proposal.drafts] == ["counts", "users"]
    assert len(proposal.drafts[0].when) == 2
    assert 'facet "Empty" has no rows in the model: no entity' in proposal.notes
    assert counted(split_in(proposal, _KINDS), [row for rows in facets.values() for row in rows]) == {
        "counts": 4, "users": 2,
    }  # fmt: skip


def _onetable() -> dict[str, Any]:
    key = {"type": "string"}
    return {
        "version": "0.0.1", "indexes": {"primary": {"hash": "pk", "sort": "sk"}, "gs1": {"hash": "gs1pk"}},
        "models": {
            "Account": {"pk": {**key, "value": "account#${id}"}, "sk": {**key, "value": "account#"},
                        "id": key, "name": {**key, "unique": True}},
            "User": {"pk": {**key, "value": "account#${accountId}"}, "sk": {**key, "value": "user#${email}"},
                     "accountId": key, "email": {**key, "unique": True}},
            "Product": {"pk": {**key, "value": "product#${id}"}, "sk": {**key, "value": "product#"}, "id": key},
            "Invoice": {"pk": {**key, "value": "account#${accountId}"}, "sk": {**key, "value": "invoice#${id}"},
                        "accountId": key, "id": key},
        },
    }  # fmt: skip


def test_the_models_of_a_onetable_schema_are_the_entities() -> None:
    proposal = read_model(json.dumps(_onetable()), "onetable-billing", "schema.json")
    split = split_in(proposal, {"pk": "S", "sk": "S"})
    assert counted(split, items_of("onetable_billing")) == {
        "account": 40, "user": 120, "product": 25, "invoice": 115, "unique": 160,
    }  # fmt: skip
    index = {one.name: one.index for one in proposal.drafts}
    assert index == {"account": ("id",), "user": ("accountId",), "product": (), "invoice": ("accountId",), "unique": ()}
    assert [one.name for one in proposal.drafts if one.ignore] == ["unique"]


def test_what_a_onetable_model_keeps_in_the_key_only_becomes_a_part() -> None:
    schema = _onetable()
    schema["params"] = {"typeField": "kind", "separator": "|"}
    schema["models"] = {
        "Log{1}": {
            "PK": {"map": "pk", "value": "log|${day:10}|${host}"}, "SK": {"map": "sk", "value": "${a}${b}"},
            "day": {"encode": ["pk", "|", 1]}, "host": {"map": "server.name"}, "a": {"encode": ["sk"]}, "b": {},
        }
    }  # fmt: skip
    proposal = read_model(json.dumps(schema), "logs", "schema.json")
    (draft,) = proposal.drafts
    assert draft.when == ({"kind": "Log{{1}}"},)
    assert draft.extract == {"pk": "log|{day}|{host}"}
    item: Item = {"pk": {"S": "log|2026-01-15|h1"}, "sk": {"S": "x"}, "kind": {"S": "Log{1}"}}
    target, texts = router(split_in(proposal, {"pk": "S", "sk": "S"}))(item)
    assert (target.entity, texts) == ("log_1", ("2026-01-15", "h1"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"), ("[]", "not a JSON object"), ("{}", "neither `DataModel` nor `models`"),
        ('{"DataModel": [{"TableName": "other"}]}', "has no table 'OnlineShop'"),
        ('{"DataModel": [{"TableName": "OnlineShop"}]}', "not shaped like a model"),
        ('{"DataModel": 7}', "not shaped like a model"), (_workbench({"a": []}), "no facet with rows"),
        ('{"models": {"A": {}}}', "not shaped like a model"),
        ('{"models": {}, "indexes": {"primary": {"hash": "pk"}}}', "has no models"),
        ('{"models": {"A": 7}, "indexes": {"primary": {"hash": "pk"}}}', "not shaped like a model"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_told(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_model(text, "OnlineShop", "shop.json")
    assert why in told.value.what
    assert told.value.where == "shop.json"
