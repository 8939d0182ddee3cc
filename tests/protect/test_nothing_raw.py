"""The whole story of protected tables, and then a search for 40 known values in everything that was written or told."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import Copying, Wire, put_all
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until
from tests.protect.test_on_servers import email, person, raw_values
from tests.protect.values import SECRET, TABLE_SECRET

from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.protect.rules import hash_text

PEOPLE = 10
WAIT_S = 120.0
UNFIT = "\ud83d"
"""A lone surrogate: no column of MySQL holds it, so an item with it becomes a dead letter."""
PERSON_RULES: dict[str, Any] = {
    "PK": {"hash_part": "USER#{email}"}, "email": "hash", "phone": {"mask": 4}, "address.name": "hash", "ssn": "drop",
}  # fmt: skip
ORDER_RULES: dict[str, Any] = {"email": "hash"}
PATHS = ("/", "/api/status", "/api/history", "/metrics", "/healthz", "/readyz")


def known_values() -> list[str]:
    """40 values of the app that MySQL, logs and answers must not have."""
    return [value for number in range(PEOPLE) for value in raw_values(number)]


def forms(value: str) -> list[bytes]:
    """The value as it may stand somewhere: as text, in JSON, in base64, in UTF-16, and a number as InnoDB stores it."""
    number = [int(value).to_bytes(8, "big")[1:]] if value.isdigit() else []
    return [
        *number,
        value.encode(), json.dumps(value).strip('"').encode(), base64.b64encode(value.encode())[:-4],
        value.encode("utf-16-le"), value.encode().hex().encode(),
    ]  # fmt: skip


def order(number: int, **more: Wire) -> Wire:
    return {"id": {"S": f"o{number}"}, "email": {"S": email(number)}, "total": {"N": "3"}, **more}


class Story:
    """Two tables, their copies, and everything that was said about them."""

    def __init__(self, copying: Copying, line: CommandLine, people: str, orders: str) -> None:
        self.copying = copying
        self.line = line
        self.people = people
        self.orders = orders
        self.said: list[str] = []
        self.line.write_config(copying.text())

    def run(self, *arguments: str, code: int | None = 0) -> Any:
        """A command, whose words are kept."""
        done = self.line.run(*arguments)
        self.said += [done.out, done.err]
        assert code is None or done.code == code, done
        return done

    def look_at_the_page(self, address: str, letters: list[int]) -> None:
        """Every answer of the page that needs no token, and the metrics."""
        paths = [*PATHS, f"/api/table?name={self.people}", f"/api/dead-letters?table={self.people}"]
        paths += [f"/api/item?table={self.people}&id={number}" for number in letters]
        for path in paths:
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
                    self.said.append(answer.read().decode())
            except urllib.error.HTTPError as refusal:
                self.said.append(refusal.read().decode())

    def assert_silent(self, folder: Path) -> None:
        """None of the known values stands in what was said, or in any file of the server."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        wanted = [(value, form) for value in known_values() for form in forms(value)]
        told = "\n".join(self.said).encode("utf-8", "surrogatepass")
        assert not [value for value, form in wanted if form in told]
        assert any(path.suffix == ".ibd" for path in files)
        for path in files:
            content = path.read_bytes()
            assert not [value for value, form in wanted if form in content], path


def test_no_known_value_is_in_the_data_directory_the_logs_or_the_answers(
    fresh_mysql_server: MySQLServer,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
) -> None:
    people = make_table(hash="PK:S", range="SK:S", stream="NEW_AND_OLD_IMAGES")
    orders = make_table(hash="id:S", range=None, stream="NEW_AND_OLD_IMAGES")
    database = Database(fresh_mysql_server, "protected")
    database.create()
    tables: dict[str, Wire] = {
        people: {"capture": "stream", "link": True, "protect": PERSON_RULES},
        orders: {"capture": "stream", "protect": ORDER_RULES},
    }
    copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, tables, secret=TABLE_SECRET)
    story = Story(copying, CommandLine(tmp_path), people, orders)
    put_all(dynamodb_client, people, [person(n) for n in range(PEOPLE - 2)])
    put_all(dynamodb_client, orders, [order(n) for n in range(PEOPLE)])
    put_all(dynamodb_client, people, [{**person(PEOPLE - 2), "notes": {"S": UNFIT}}])
    story.run("check", code=None)
    story.run("plan", code=None)
    # a kill behind the first rows, then a run that ends, with a dead letter
    code, said = copying.process_once(environment={"TWINROW_FAIL_POINT": "after-rows:1"})
    story.said.append(said)
    assert code == -9, said
    story.run("--verbose", "sync", "--once", code=3)
    story.run("verify", "--json", code=3)
    (letter,) = story.run("dead-letters", "list", "--json", code=3).document["dead_letters"]
    assert letter["key"]["PK"] == {"S": "USER#" + hash_text(SECRET.raw, email(PEOPLE - 2))}
    assert letter["item"]["email"] == {"S": hash_text(SECRET.raw, email(PEOPLE - 2))}
    # a running sync with its page, writes and deletes beside it
    process = copying.process(once=False, arguments=["--serve", "127.0.0.1:0"])
    try:
        wait_until(lambda: "http://127.0.0.1:" in process.said(), WAIT_S)
        address = process.said().partition("http://")[2].split()[0].partition("/")[0].rstrip(",;.")
        put_all(dynamodb_client, people, [person(PEOPLE - 1), {**person(1), "total": {"N": "99"}}])
        dynamodb_client.delete_item(TableName=people, Key={"PK": person(0)["PK"], "SK": person(0)["SK"]})
        emails = {hash_text(SECRET.raw, email(n)) for n in range(1, PEOPLE) if n != PEOPLE - 2}
        wait_until(lambda: {row[0] for row in copying.rows("email", table=people)} == emails, WAIT_S)
        story.look_at_the_page(address, [letter["id"]])
    finally:
        process.kill(2)
        story.said.append(process.said())
    # the item is mended, and its dead letter tried again; a row is lost and another is wrong, and repair mends both
    put_all(dynamodb_client, people, [person(PEOPLE - 2)])
    story.run("dead-letters", "retry", people)
    story.run("sync", "--once")
    database.query(f"DELETE FROM `{people}` WHERE email = %s", hash_text(SECRET.raw, email(2)))
    database.query(f"UPDATE `{people}` SET phone = 'x' WHERE email = %s", hash_text(SECRET.raw, email(3)))
    found = story.run("verify", people, "--json", code=3).document["tables"][0]
    assert (found["missing"], found["different"]) == (1, 1)
    story.run("repair", people, "--execute", "--json", code=None)
    story.run("sync", "--once")
    verdicts = story.run("verify", "--json").document["tables"]
    assert [(verdict["in_step"], verdict["items"]) for verdict in verdicts] == [(True, PEOPLE - 1), (True, PEOPLE)]
    for row_id, *_ in copying.rows("row_id", table=people):
        story.run("item", people, "--row-id", str(row_id))
    item = story.line.run("item", people, "--key", json.dumps({"PK": person(4)["PK"], "SK": person(4)["SK"]}))
    assert "attributes are protected" in item.err
    assert item.document["email"] == {"S": hash_text(SECRET.raw, email(4))}
    story.run("status", "--json", code=None)
    story.run("schema", people, code=None)
    joined = database.query(f"SELECT COUNT(*) FROM `{people}` p JOIN `{orders}` o ON o.email = p.email")
    assert joined == [(PEOPLE - 1,)], "equal e-mails of two tables JOIN"
    linked = {row[0]: row[1] for row in copying.rows("email, row_id", table=people)}
    for item_there in copying.items(people):
        assert item_there["mysql_id"] == {"N": str(linked[hash_text(SECRET.raw, item_there["email"]["S"])])}
    folder = Path(database.query("SELECT @@datadir")[0][0])
    database.query("SET GLOBAL innodb_fast_shutdown = 0")
    fresh_mysql_server.shut_down()
    story.assert_silent(folder)


@pytest.mark.parametrize("value", known_values()[:1])
def test_the_search_finds_a_value_that_is_there(value: str) -> None:
    assert any(form in f"a log with {value} in it".encode() for form in forms(value))
