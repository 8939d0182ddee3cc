"""Thirty tables from nothing to a service that runs, is watched and alerts: the commands of the page, as they are."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.docs.session import DOCUMENTED_DYNAMODB, DOCUMENTED_MYSQL, blocks
from tests.fixtures import tables
from tests.fixtures.copying import key, put_all, review
from tests.fixtures.databases import Database, connect
from tests.fixtures.waiting import is_running, wait_until
from tests.fixtures.webhook import Webhook, listening

from twinrow.local_servers.servers import DynamoDBLocal

PAGE = "docs/operating/many-tables.md"
TABLES = 30
ITEMS = 5
COMMANDS_MAX = 15
WAIT_S = 400.0
COMMAND_S = 400.0
CHANGED, REMOVED, NEW = "orders-07", "orders-12", "orders-31"


@dataclass
class Operator:
    """A folder in which the page's commands are run, with a MySQL user whose password is in a file."""

    folder: Path
    database: Database
    dynamodb: DynamoDBLocal
    webhook: Webhook

    @property
    def user(self) -> str:
        return f"op_{self.database.name[5:]}"

    def password(self, word: str) -> None:
        with closing(connect(self.database.server)) as root, root.cursor() as cursor:
            cursor.execute(f"ALTER USER '{self.user}'@'%%' IDENTIFIED BY %s", (word,))
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (self.user,))
            sessions = cursor.fetchall()
        (self.folder / "mysql-password").write_text(word)
        with closing(connect(self.database.server)) as root, root.cursor() as cursor:
            for (number,) in sessions:  # with the old password none of them comes back
                cursor.execute(f"KILL {number}")

    def run(self, command: str, *, code: int = 0) -> str:
        server = self.database.server
        real = command.replace(DOCUMENTED_MYSQL, f"{server.host}:{server.port}")
        real = real.replace("/analytics", f"/{self.database.name}").replace("mysql://twinrow:", f"mysql://{self.user}:")
        real = real.replace(DOCUMENTED_DYNAMODB, self.dynamodb.endpoint_url)
        real = real.replace(":8642", ":0").replace(":9642", ":0")
        environment = {
            **os.environ, "COLUMNS": "120", "NO_COLOR": "1", "SLACK_WEBHOOK": self.webhook.url,
            "MYSQL_PASSWORD_FILE": str(self.folder / "mysql-password"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        said = self.folder / "said"
        with said.open("w") as output:  # a pipe would be held open by the sync that goes on
            done = subprocess.run(
                ["bash", "-c", real], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False,
            )  # fmt: skip
        assert done.returncode == code, f"$ {command}\n{said.read_text()}\n{self.log()[-5000:]}"
        return said.read_text()

    def log(self) -> str:
        path = self.folder / "twinrow.log"
        return path.read_text() if path.exists() else ""

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.log(), WAIT_S, what=f"{text!r} in the log")

    def phases(self) -> dict[str, str]:
        there = self.database.query("SHOW TABLES LIKE '_twinrow_meta'")  # made last
        return dict(self.database.query("SELECT table_name, phase FROM _twinrow_table")) if there else {}


@pytest.fixture
def operator(fresh_dynamodb: DynamoDBLocal, database: Database, tmp_path: Path) -> Iterator[Operator]:
    with listening() as webhook:
        made = Operator(tmp_path, database, fresh_dynamodb, webhook)
        with closing(connect(database.server)) as root, root.cursor() as cursor:
            cursor.execute(f"CREATE USER '{made.user}'@'%'")
            cursor.execute(f"GRANT ALL ON `{database.name}`.* TO '{made.user}'@'%'")
        made.password("first p@ss/word?")
        try:
            yield made
        finally:
            pid = tmp_path / "twinrow.pid"
            if pid.exists() and is_running(int(pid.read_text())):
                os.kill(int(pid.read_text()), signal.SIGKILL)
            with closing(connect(database.server)) as root, root.cursor() as cursor:
                cursor.execute(f"DROP USER '{made.user}'@'%'")


def everything(client: Any, name: str) -> list[Any]:
    return list(client.scan(TableName=name, ConsistentRead=True)["Items"])


@pytest.mark.either_server
@pytest.mark.timeout(1500)
def test_thirty_tables_from_nothing_to_a_service_and_back(operator: Operator) -> None:
    client = tables.client(operator.dynamodb.endpoint_url)
    names = [f"orders-{number:02}" for number in range(1, TABLES + 1)]
    for name in names:
        tables.create_table(client, name)
        put_all(client, name, [review(number) for number in range(ITEMS)])
    before = {name: everything(client, name) for name in names}
    service, watched, added, left = (block.splitlines() for block in blocks(PAGE, "sh"))
    assert len([*service, *watched]) < COMMANDS_MAX

    for command in service:
        operator.run(command)
    assert any("test" in text for text in operator.webhook.texts)
    wait_until(lambda: list(operator.phases().values()) == ["LIVE"] * TABLES, WAIT_S, what="30 tables that are LIVE")
    metrics = re.search(r"Prometheus: (http://\S+)metrics", operator.log())
    assert metrics
    with urllib.request.urlopen(f"{metrics[1]}readyz") as answer:  # noqa: S310 - the address is from the log of the test
        assert answer.status == 200
    said = [operator.run(command) for command in watched]
    assert said[-1].count("no difference") == TABLES

    _a_mistake(operator)
    _changes(operator, client, added)
    _a_new_password(operator, client)

    kill, uninstall = left
    operator.run(kill)
    pid = int((operator.folder / "twinrow.pid").read_text())
    wait_until(lambda: not is_running(pid), WAIT_S, what="the end of the sync")
    assert "Traceback" not in operator.log()
    operator.run(f"twinrow uninstall {REMOVED} --execute --yes --stream --drop-tables")
    operator.run(uninstall)
    assert operator.database.query("SHOW TABLES") == []
    for name in names:
        described = client.describe_table(TableName=name)["Table"]
        assert not described.get("StreamSpecification", {}).get("StreamEnabled"), name
        if name != REMOVED:
            assert [item for item in everything(client, name) if item not in before[name]] == [], name
    client.close()


def _a_mistake(operator: Operator) -> None:
    config = operator.folder / "twinrow.toml"
    text = config.read_text()
    config.write_text(text.replace("lag_alert", "lag_alarm"))
    operator.says("the files are not taken")
    assert "lag_alarm" in operator.log()
    config.write_text(text)
    operator.says('the configuration was read again: no table changes"')


def _changes(operator: Operator, client: Any, added: list[str]) -> None:
    """A new table, a removed table and a changed setting; the other tables do not notice."""
    config = operator.folder / "twinrow.toml"
    tables.create_table(client, NEW)
    put_all(client, NEW, [review(1)])
    for command in added:
        operator.run(command)
    operator.says(f'the configuration was read again: new: {NEW}"')
    text = re.sub(rf'\[\[tables\]\]\nname = "{REMOVED}"\n(?:.+\n)*', "", config.read_text())
    text = text.replace(f'name = "{CHANGED}"\n', f'name = "{CHANGED}"\ndeletes = "soft"\n')
    assert REMOVED not in text
    config.write_text(text)
    changes = f"the configuration was read again: no longer copied: {REMOVED}; with other settings: {CHANGED}"
    operator.says(changes)
    # the new table may still be refused at that moment; no other table begins anew
    assert re.search(re.escape(changes) + rf'(; tried again: {NEW})?"', operator.log())
    wait_until(lambda: operator.phases().get(NEW) == "LIVE", WAIT_S, what="the new table")
    client.delete_item(TableName=CHANGED, Key=key(review(1)))
    kept = f"SELECT COUNT(*) FROM `{CHANGED}` WHERE _twinrow_deleted_at IS NOT NULL"
    wait_until(lambda: operator.database.query(kept) == [(1,)], WAIT_S, what="a row that is kept")
    put_all(client, REMOVED, [review(99)])
    assert operator.database.query(f"SELECT COUNT(*) FROM `{REMOVED}`") == [(ITEMS,)], "its copy stays as it was"


def _a_new_password(operator: Operator, client: Any) -> None:
    operator.password("second p@ss/word?")
    put_all(client, NEW, [review(2)])
    count = f"SELECT COUNT(*) FROM `{NEW}`"
    wait_until(lambda: operator.database.query(count) == [(2,)], WAIT_S, what="a change after the new password")
