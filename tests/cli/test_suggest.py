"""`schema --suggest`: from a copy to overrides in the file, and the columns that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, config_text, pending_table
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

INDEX = ("migrated-index", "migrated:S", "ALL")
ITEMS = 60


def review(number: int, **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "username": {"S": f"user{number}"}, "reviewed_at": {"S": "2025-03-01"}, "migrated": {"S": "false"},
        "price": {"N": f"{number}.5"}, "createdAt": {"N": f"{1_700_000_000 + number}"},
        "day": {"S": f"2025-03-{1 + number % 28:02}T10:00:00.123Z"}, "city": {"S": "Zürich"},
        "note": {"S": "x" * 300}, "count": {"N": str(number)}, "zip": {"S": "x"} if number % 2 else {"N": "1"}, **more,
    }  # fmt: skip


def test_suggestions_become_columns_that_grow(
    tmp_path: Path, make_table: MakeTable, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database
) -> None:
    command, table = CommandLine(tmp_path), make_table(index=INDEX)
    put_all(dynamodb_client, table, [review(number) for number in range(ITEMS)])
    command.write_config(config_text(dynamodb, database, pending_table(table, into="reviews")))
    assert command.run("sync", "--once").code == 0

    told = command.run("schema", "--suggest", "--json").document["tables"][0]["suggestions"]
    assert {one["attribute"]: one["settings"] for one in told} == {
        "price": {"type": "DECIMAL(14,2)", "widen": True},
        "createdAt": {"type": "DATETIME", "from": "epoch_s", "widen": True},
        "day": {"type": "DATETIME(3)", "from": "iso8601"},
        "city": {"type": "VARCHAR(191)", "widen": True},
        "zip": {"type": "MEDIUMTEXT"},
    }

    before = (tmp_path / "twinrow.toml").read_text()
    printed = command.run("schema", "--suggest", "--write")
    assert printed.code == 0, printed.err
    assert printed.out.splitlines() == [one["line"] for one in told]
    after = (tmp_path / "twinrow.toml").read_text()
    assert [line for line in after.splitlines() if line not in printed.out.splitlines()] == before.splitlines()
    assert command.run("schema", "--suggest").out == ""

    assert command.run("reset", table, "--yes").code == 0
    copied = command.run("sync", "--once", "--adopt-links")
    assert copied.code == 0, copied.err
    shown = database.query("SELECT price, createdAt, day, city, zip FROM reviews WHERE username = 'user7'")
    assert [str(cell) for cell in shown[0]] == [
        "7.50",
        "2023-11-14 22:13:27",
        "2025-03-08 10:00:00.123000",
        "Zürich",
        "x",
    ]
    assert database.query("SELECT COUNT(*) FROM reviews WHERE _twinrow_extra IS NOT NULL") == [(ITEMS // 2,)]

    wide = review(7, price={"N": "7.125"}, createdAt={"N": "1700000007.25"}, city={"S": "y" * 400})
    put_all(dynamodb_client, table, [wide])
    assert command.run("sync", "--once").code == 0
    shown = database.query(
        "SELECT price, createdAt, LENGTH(city), _twinrow_extra FROM reviews WHERE username = 'user7'"
    )
    assert [str(cell) for cell in shown[0]] == ["7.125000000", "2023-11-14 22:13:27.250000", "400", "None"]
    types = {one["attribute"]: one["type"] for one in command.run("schema", "--json").document["tables"][0]["columns"]}
    assert (types["price"], types["createdAt"], types["city"]) == ("DECIMAL(38,9)", "DATETIME(3)", "MEDIUMTEXT")
    verified = command.run("verify", "--json")
    assert verified.document["in_step"] is True, verified
