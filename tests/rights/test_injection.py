"""Names that mean something in SQL or PartiQL are names and nothing else, the whole way on the real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, config_text
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

EVIL = (
    "'; DROP TABLE victim; --",
    '" REMOVE "username" WHERE 1=1 --',
    "`x` = 1); DELETE FROM victim; -- ",
    "a%sb%(c)s",
    "back\\slash",
    'x"; DROP TABLE victim; /*',
)
ITEMS = 6


def toml(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text)


@pytest.mark.parametrize("turn", [0, 3])
def test_a_name_is_a_name(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database, turn: int
) -> None:
    """As key, mark, link attribute, data, column of an override and MySQL table, in a table with `.` and `-`."""
    database.query("CREATE TABLE victim (n INT)")
    key, mark, link, data, column, into = EVIL[turn:] + EVIL[:turn]
    index = ("index-1.of_x", f"{mark}:S", "ALL")
    table = make_table(f"odd.name-{turn}_{database.name[-8:]}", hash=f"{key}:S", range=None, index=index)
    items = [
        {key: {"S": f"{data}{n}"}, mark: {"S": "false"}, data: {"S": into}, "over": {"N": str(n)}} for n in range(ITEMS)
    ]
    put_all(dynamodb_client, table, items)
    text = (
        f'[[tables]]\nname = {toml(table)}\ninto = {toml(f"t{into}".rstrip())}\ncapture = "pending-index"\n'
        f"link_attribute = {toml(link)}\n[tables.pending_index]\nindex = {toml(index[0])}\nattribute = {toml(mark)}\n"
        f"[tables.columns.over]\ncolumn = {toml(f'c{column}'.rstrip())}\n"
    )
    command = CommandLine(tmp_path)
    command.write_config(config_text(dynamodb, database, text))

    done = command.run("sync", "--once")
    assert done.code == 0, done.err
    assert command.run("verify").code == 0
    dynamodb_client.delete_item(TableName=table, Key={key: items[0][key]})
    assert command.run("repair", "--execute").code == 0
    assert command.run("verify").code == 0
    rebuilt = [json.loads(line) for line in command.run("item", table, "--all").out.splitlines()]
    expected = [{part: value for part, value in item.items() if part != mark} for item in items[1:]]
    assert sorted(rebuilt, key=lambda item: str(item[key])) == sorted(expected, key=lambda item: str(item[key]))
    assert command.run("schema", "--views").code == 0
    linked = dynamodb_client.scan(TableName=table)["Items"]
    assert all(link in item and mark not in item for item in linked)
    assert database.query("SHOW TABLES LIKE 'victim'") == [("victim",)]
    assert command.run("reset", table, "--yes").code == 0
    assert database.query("SHOW TABLES LIKE 'victim'") == [("victim",)]
