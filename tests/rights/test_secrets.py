"""No secret is shown, whatever is asked for and whatever fails: two canaries that must not turn up anywhere."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine, Done, config_of, end, pending_table
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

import twinrow
from twinrow import config
from twinrow.app.observe.watch import StatusSource
from twinrow.app.wiring import contexts_of, mysql_of
from twinrow.clock import Stop
from twinrow.local_servers.servers import DynamoDBLocal

PASSWORD = "canary-p@ss/w:rd%41"
AWS_SECRET = "canary-aws-secret"
CANARIES = (PASSWORD, quote(PASSWORD, safe=""), AWS_SECRET)
COMMANDS = (
    ("check",), ("check", "--json"), ("plan",), ("--verbose", "sync", "--once"), ("status",), ("status", "--json"),
    ("verify",), ("verify", "--json"), ("repair", "--execute"), ("schema",), ("schema", "--json"),
    ("dead-letters", "list", "--json"), ("item", "reviews", "--all"), ("iam-policy", "--account", "123456789012"),
    ("grants",), ("reset", "reviews"),
)  # fmt: skip


def clean(done: Done, what: object) -> Done:
    for canary in CANARIES:
        assert canary not in done.out + done.err, what
    return done


@pytest.fixture
def command(
    tmp_path: Path, database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CommandLine]:  # fmt: skip
    user = f"canary_{uuid.uuid4().hex[:8]}"
    database.query(f"CREATE USER '{user}'@'%%' IDENTIFIED BY %s", PASSWORD)
    database.query(f"GRANT ALL ON `{database.name}`.* TO '{user}'@'%'")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
    make_table("reviews", index=("migrated-index", "migrated:S", "ALL"))
    put_all(dynamodb_client, "reviews", [marked(number) for number in range(5)])
    made = CommandLine(tmp_path)
    url = database.server.url(database.name, user, PASSWORD)
    made.write_config(config_of(dynamodb.endpoint_url, url, pending_table("reviews")))
    yield made
    database.query(f"DROP USER '{user}'@'%'")


def test_no_command_shows_a_secret(command: CommandLine, database: Database) -> None:
    for arguments in COMMANDS:
        clean(command.run(*arguments), arguments)
    process = command.start("--verbose", "--json-logs", "sync")
    try:
        wait_until(lambda: command.run("status", "--json").document["tables"][0]["running"], 40, what="a running sync")
    finally:
        clean(end(process, signal.SIGINT), "a running sync")
    text = (command.folder / "twinrow.toml").read_text()
    for wrong in (
        text.replace("canary_", "nobody_"), text.replace(f":{database.server.port}/", ":1/"),
        text.replace(f"/{database.name}", "/nowhere"), text.replace("mysql://", "mysqlx://"), text + "nonsense = 1\n",
        text.replace(database.name, f"{database.name}?ssl_mode=VERIFY_CA"),
    ):  # fmt: skip
        assert wrong != text
        command.write_config(wrong)
        for arguments in (("sync", "--once"), ("check",)):
            assert clean(command.run(*arguments), (wrong, arguments)).code in (1, 2)


def test_neither_a_repr_nor_the_page_shows_a_secret(command: CommandLine) -> None:
    loaded = config.load(command.folder / "twinrow.toml")
    mysql = mysql_of(loaded)
    (context,) = contexts_of(loaded, loaded.tables, Stop(), mysql=mysql)
    face = twinrow.load(command.folder / "twinrow.toml")
    shown = [repr(one) for one in (loaded, loaded.mysql, mysql, mysql.settings, context, context.table.dynamodb, face)]
    command.run("sync", "--once")
    with StatusSource(mysql, loaded.tables) as source:
        wait_until(lambda: source.latest().status is not None, 20, what="a first status")
        shown += [source.body().decode(), repr(source.latest())]
    shown += [repr(face.status()), repr(face.sync_once())]
    for text in shown:
        for canary in CANARIES:
            assert canary not in text
