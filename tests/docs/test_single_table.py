"""docs/single-table.md is run: its session on real servers, and its JOIN against what the items say."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from tests.docs.session import blocks, run, shape, steps
from tests.fixtures import tables
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database

from twinrow.app.demo import shop
from twinrow.change import Item
from twinrow.local_servers.servers import DynamoDBLocal

PAGE = "docs/single-table.md"
CUSTOMERS = 40


@pytest.fixture
def items(fresh_dynamodb: DynamoDBLocal, monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """The shop's items, written into its table."""
    monkeypatch.setattr(shop, "CUSTOMERS", CUSTOMERS)
    client = tables.client(fresh_dynamodb.endpoint_url)
    tables.create_table(client, "shop", hash="PK:S", range="SK:S", index=None)
    every = shop.items()
    put_all(client, "shop", every)
    client.close()
    return every


def _joined(items: list[Item]) -> list[tuple[str, int, int]]:
    """City, orders, drinks, by the items alone."""
    cities = {item["PK"]["S"]: item["city"]["S"] for item in items if item.get("_type") == {"S": "Customer"}}
    orders = {
        item["SK"]["S"].rpartition("#")[2]: cities[item["PK"]["S"]]
        for item in items
        if item.get("_type") == {"S": "Order"}
    }
    drinks: dict[str, int] = defaultdict(int)
    for item in items:
        if item.get("_type") == {"S": "OrderLine"}:
            drinks[orders[item["PK"]["S"].partition("#")[2]]] += int(item["quantity"]["N"])
    return sorted((city, sum(at == city for at in orders.values()), count) for city, count in drinks.items())


def _shape_of(text: str) -> str:
    # the two servers say their versions each in its own way
    return re.sub(r"^MySQL .*$", "MySQL", shape(text), flags=re.MULTILINE)


@pytest.mark.either_server
def test_the_session_of_the_shop(
    items: list[Item], fresh_dynamodb: DynamoDBLocal, database: Database, tmp_path: Path
) -> None:
    (block,) = blocks(PAGE, "console")
    for step in steps(block):
        output = run(step.command, tmp_path, database, fresh_dynamodb)
        assert _shape_of(output) == _shape_of(step.output), f"$ {step.command}\n{output}"
    (sql,) = [block for block in blocks(PAGE, "sql") if "GROUP BY" in block]
    found = [(str(city), int(orders), int(drinks)) for city, orders, drinks in database.query(sql.strip().rstrip(";"))]
    assert sorted(found) == _joined(items)
