"""One folder, one case: `items.json` goes into DynamoDB, one sync, then `expected.sql` is asked of the copy.

- `items.json`: items in DynamoDB JSON. Three short forms keep large ones readable: `{"repeat": "x", "times": 9}` for a
  text, `{"nest": VALUE, "in": "M", "times": 9}` for a value, and an attribute `$many` with `name`, `count`, `value`.
- `case.json`, where needed: `hash` and `range` (null: none) as `attribute:type`, `columns` (overrides), and `server`
  (statements that root runs before: server variables, which are set back).
- `expected.sql`: queries of the table `items`, each followed by its rows as comments, one JSON array a row: decimals,
  dates and binary (as hex) are texts. `-- mysql [...]` or `-- mariadb [...]` holds on one of the servers only.

Every case is also proved from both sides: verify, and each item rebuilt from its row against what DynamoDB gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.copying import Copying, put_all
from tests.fixtures.databases import Database, server_as

from twinrow.dynamodb_wire import request_item
from twinrow.local_servers.servers import DynamoDBLocal

FOLDER = Path(__file__).parent
CASES = sorted(path.parent.name for path in FOLDER.glob("*/items.json"))
TABLE = "items"


@pytest.mark.parametrize("case", CASES)
def test_case(
    case: str, database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> None:
    folder = FOLDER / case
    told = json.loads((folder / "case.json").read_text()) if (folder / "case.json").exists() else {}
    items = [_item(one) for one in json.loads((folder / "items.json").read_text())]
    table = make_table(TABLE, hash=told.get("hash", "username:S"), range=told.get("range", "reviewed_at:S"))
    put_all(dynamodb_client, table, [request_item(item) for item in items])
    options = {"capture": "scan", "columns": told.get("columns", {})}
    copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: options})

    with server_as(database, told.get("server", [])):
        copying.once_well()
        copying.assert_equal(items=len(items))
        asked = list(_queries((folder / "expected.sql").read_text(), database.flavour))
        assert asked, f"{case}/expected.sql asks nothing"
        for sql, expected in asked:
            rows = [json.dumps(list(map(_shown, row)), ensure_ascii=False) for row in database.query(sql)]
            assert rows == expected, f"{sql}\nrows on {database.flavour}:\n" + "\n".join(f"-- {row}" for row in rows)


def test_every_folder_is_a_case() -> None:
    folders = sorted(path.name for path in FOLDER.iterdir() if path.is_dir() and not path.name.startswith("__"))
    assert folders == CASES
    assert len(CASES) >= 12


def _queries(text: str, flavour: str) -> Iterator[tuple[str, list[str]]]:
    """(query, rows) in their order; lines of prose begin with `-- #`."""
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line for line in block.splitlines() if not line.startswith("-- #")]
        sql = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
        rows = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        other = "mariadb" if flavour == "mysql" else "mysql"
        if sql:
            yield sql, [row.removeprefix(flavour).strip() for row in rows if not row.startswith(other)]


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if isinstance(value, str | int | float | None) else str(value)


def _item(told: dict[str, Any]) -> dict[str, Any]:
    item = {name: _value(value) for name, value in told.items() if name != "$many"}
    many = told.get("$many")
    if many is not None:
        item |= {many["name"].format(number): many["value"] for number in range(many["count"])}
    return item


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"repeat", "times"}:
        return value["repeat"] * value["times"]
    if value.keys() == {"nest", "in", "times"}:
        inner = value["nest"]
        for _ in range(value["times"]):
            inner = {"L": [inner]} if value["in"] == "L" else {"M": {"a": inner}}
        return inner
    return {name: _value(one) for name, one in value.items()}
