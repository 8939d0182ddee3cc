"""Tables of two sources that have one name, side by side in one MySQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import key, put_all, review
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

NAME = "reviews"
ITEMS = {"": 3, "eu:": 5}


def ids(client: Any) -> list[int]:
    items = client.scan(TableName=NAME, ConsistentRead=True)["Items"]
    return sorted(int(item["mysql_id"]["N"]) for item in items if "mysql_id" in item)


@pytest.mark.either_server
def test_two_tables_of_one_name_are_copied_linked_proved_and_left_each_by_itself(
    tmp_path: Path, database: Database, dynamodb: DynamoDBLocal, fresh_dynamodb: DynamoDBLocal
) -> None:
    clients = {"": tables.client(dynamodb.endpoint_url), "eu:": tables.client(fresh_dynamodb.endpoint_url)}
    for source, client in clients.items():
        tables.create_table(client, NAME)
        put_all(client, NAME, [review(number, source={"S": source or "home"}) for number in range(ITEMS[source])])
    command = CommandLine(tmp_path)
    command.write_config(
        f'[dynamodb]\nregion = "us-east-1"\nendpoint_url = "{dynamodb.endpoint_url}"\n'
        f'[mysql]\nurl = "{database.url}"\n'
        f'[[sources]]\nname = "eu"\nregion = "eu-west-1"\nendpoint_url = "{fresh_dynamodb.endpoint_url}"\n'
        '[defaults]\ncapture = "scan"\nlink = true\n'
        f'[[tables]]\nname = "{NAME}"\n[[tables]]\nname = "{NAME}"\nsource = "eu"\ninto = "{{source}}_{{name}}"\n'
    )
    try:
        done = command.run("sync", "--once")
        assert done.code == 0, done.err
        for source, into in (("", NAME), ("eu:", "eu_reviews")):
            rows = database.query(f"SELECT row_id, source FROM {into} ORDER BY row_id")
            assert [str(kept) for _, kept in rows] == [source or "home"] * ITEMS[source]
            assert ids(clients[source]) == [row_id for row_id, _ in rows]
        assert command.run("verify").code == 0
        status = command.run("status", "--json").document["tables"]
        assert {table["table"]: table["rows"] for table in status} == {"reviews": 3, "eu:reviews": 5}
        shown = command.run("item", "eu:reviews", "--key", json.dumps(key(review(4))))
        assert '"source": {"S": "eu:"}' in shown.out
        clients["eu:"].delete_item(TableName=NAME, Key=key(review(4)))
        assert command.run("sync", "eu:reviews", "--once").code == 0
        assert database.query("SELECT COUNT(*) FROM eu_reviews") == [(4,)]
        left = command.run("uninstall", "eu:reviews", "--execute", "--yes", "--drop-tables")
        assert left.code == 0, left.err
        assert ids(clients["eu:"]) == []
        assert len(ids(clients[""])) == ITEMS[""]
        assert command.run("verify", NAME).code == 0
    finally:
        for client in clients.values():
            client.delete_table(TableName=NAME)
            client.close()
