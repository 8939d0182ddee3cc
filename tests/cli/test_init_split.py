"""`twinrow init` proposes the split of a table from a sample, as its user meets it; what it writes is copied so."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.entities.reading import DATA, items_of
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import put_all
from tests.fixtures.databases import Database
from tests.fixtures.pseudo_terminal import PseudoTerminal

from twinrow.change import Item
from twinrow.local_servers.servers import DynamoDBLocal

Filled = Callable[[str], tuple[str, list[Item]]]

REST_SHARE_MAX = 0.01
LARGE = ("amplify_datastore", "electrodb_taskmanager", "onetable_billing")
"""The data sets of at least 100 items."""
ONETABLE = {
    "format": "onetable:1.1.0",
    "version": "0.0.1",
    "indexes": {"primary": {"hash": "pk", "sort": "sk"}},
    "models": {
        "Account": {
            "pk": {"type": "string", "value": "account#${id}"}, "sk": {"type": "string", "value": "account#"},
            "id": {"type": "string"}, "name": {"type": "string"},
        },
        "User": {
            "pk": {"type": "string", "value": "account#${accountId}"},
            "sk": {"type": "string", "value": "user#${email}"},
            "accountId": {"type": "string"}, "email": {"type": "string"},
        },
    },
}  # fmt: skip


@pytest.fixture
def filled(dynamodb_client: Any) -> Iterator[Filled]:
    """A function that makes a table with a data set; it is gone after the test, since `init` shows every table."""
    made: list[str] = []

    def make(name: str) -> tuple[str, list[Item]]:
        told = json.loads((DATA / f"{name}.table.json").read_text(encoding="utf-8"))
        table = f"{name}-{uuid.uuid4().hex[:8]}"
        dynamodb_client.create_table(**{**told, "TableName": table})
        made.append(table)
        items = items_of(name)
        put_all(dynamodb_client, table, items)
        return table, items

    yield make
    for table in made:
        dynamodb_client.delete_table(TableName=table)


def _given(dynamodb: DynamoDBLocal, database: Database, table: str) -> Sequence[str]:
    return "--mysql", database.url, "--endpoint-url", dynamodb.endpoint_url, table, "--capture", "scan"


@pytest.mark.either_server
@pytest.mark.parametrize("name", LARGE)
def test_what_init_writes_leaves_at_most_one_in_a_hundred_items_in_the_rest(
    tmp_path: Path, dynamodb: DynamoDBLocal, filled: Filled, database: Database, name: str
) -> None:
    table, items = filled(name)
    command, password = InProcess(tmp_path), {"MYSQL_PASSWORD": database.server.password}
    made = command.run("init", *_given(dynamodb, database, table), "--yes")
    assert made.code == 0, made.err
    assert "at most 20 MB = 2,560 read units" in made.err
    entry = tomllib.loads((tmp_path / "twinrow.toml").read_text())["tables"][0]
    checked = command.run("check", env=password)
    assert checked.code == 0, checked.out
    done = command.run("sync", "--once", env=password)
    assert done.code == 0, done.err
    rest = int(database.query(f"SELECT COUNT(*) FROM `{entry['into']}`")[0][0])
    assert rest <= REST_SHARE_MAX * len(items)
    proof = command.run("verify", "--json", env=password).document
    assert proof["in_step"] is True
    ignored = sum(entity.get("ignore", False) for entity in entry["entities"])
    assert (proof["tables"][0]["rows"] < len(items)) == (ignored > 0)


@pytest.mark.either_server
def test_without_a_sample_nothing_is_read_and_no_split_is_proposed(
    tmp_path: Path, dynamodb: DynamoDBLocal, filled: Filled, database: Database
) -> None:
    table, _ = filled("amplify_datastore")
    made = InProcess(tmp_path).run("init", *_given(dynamodb, database, table), "--yes", "--sample", "0")
    assert made.code == 0, made.err
    assert "sample" not in made.err
    assert "entities" not in (tmp_path / "twinrow.toml").read_text()


@pytest.mark.either_server
def test_a_person_is_asked_before_the_sample_and_before_the_split(
    tmp_path: Path, dynamodb: DynamoDBLocal, filled: Filled, database: Database
) -> None:
    table, _ = filled("amplify_datastore")
    with PseudoTerminal(tmp_path, "init", *_given(dynamodb, database, table)) as terminal:
        terminal.asks("Read this sample")
        terminal.type("")
        terminal.wait_for("[[tables.entities]]")
        terminal.asks("so? It can be changed later")
        terminal.type("n")
        terminal.wait_for("check --fix")
        assert terminal.ended() == 0
    assert "entities" not in (tmp_path / "twinrow.toml").read_text()


@pytest.mark.either_server
def test_a_model_says_the_split_without_a_sample(
    tmp_path: Path, dynamodb: DynamoDBLocal, filled: Filled, database: Database
) -> None:
    table, _ = filled("onetable_billing")
    (tmp_path / "schema.json").write_text(json.dumps(ONETABLE), encoding="utf-8")
    command = InProcess(tmp_path)
    made = command.run(
        "init", *_given(dynamodb, database, table), "--yes", "--model", str(tmp_path / "schema.json")
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "read units" not in made.err
    entry = tomllib.loads((tmp_path / "twinrow.toml").read_text())["tables"][0]
    when = {entity["name"]: entity["when"] for entity in entry["entities"]}
    assert when["account"]["_type"] == "Account"
    (tmp_path / "twinrow.toml").unlink()
    (tmp_path / "schema.json").write_text("[]", encoding="utf-8")
    refused = command.run("init", *_given(dynamodb, database, table), "--yes", "--model", str(tmp_path / "schema.json"))
    assert (refused.code, "no model" in refused.err) == (2, True), refused
    assert not (tmp_path / "twinrow.toml").exists()
