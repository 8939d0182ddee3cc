"""Tables with protection, copied from DynamoDB Local: rows hold what the rules leave, and verify proves it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until
from tests.protect.values import SECRET, TABLE_SECRET

from twinrow.clock import Stop
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.protect.rules import hash_text
from twinrow.state import tables

PEOPLE = 12
WAIT_S = 60.0
RULES: dict[str, Any] = {
    "email": "hash",
    "phone": {"mask": 4},
    "ssn": "drop",
    "address.name": "hash",
}
STATE = (
    "checkpoint", "link", "recheck", "foreign_link", "tombstone", "dead_letter", "gap", "schema_log", "deferred",
    "mixed", "set_apart", "notice", "table",
)  # fmt: skip


def email(number: int) -> str:
    return f"Ada.Lovelace.{number:03}@example.com"


def phone(number: int) -> str:
    return f"+49-151-555-{number:07}"


def name(number: int) -> str:
    return f"Ada King {number:03} of Lovelace"


def person(number: int, **more: Wire) -> Wire:
    return {
        "PK": {"S": f"USER#{email(number)}"},
        "SK": {"S": "PROFILE"},
        "email": {"S": email(number)},
        "phone": {"S": phone(number)},
        "ssn": {"N": f"77{number:09}"},
        "address": {"M": {"name": {"S": name(number)}, "city": {"S": "London"}}},
        "total": {"N": str(number)},
        **more,
    }


def raw_values(number: int) -> list[str]:
    return [email(number), phone(number), name(number), f"77{number:09}"]


def copying_of(
    database: Database, dynamodb: DynamoDBLocal, client: Any, table: str, tmp: Any, **options: Any
) -> Copying:
    return Copying(database, client, dynamodb.endpoint_url, tmp, {table: options}, secret=TABLE_SECRET)


def everything_in(copying: Copying) -> str:
    """All that MySQL has of the tables and of Twinrow's state, as text; binary columns as they are."""
    tables = [*copying.tables, *(f"_twinrow_{part}" for part in STATE)]
    found = []
    for table in tables:
        columns = copying.database.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
            table,
        )
        listed = ", ".join(f"`{column}`" for (column,) in columns)
        found += copying.database.query(f"SELECT {listed} FROM `{table}`")
    return repr(found)


def test_attributes_are_hashed_masked_and_dropped_in_the_first_copy_and_behind_the_stream(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Any
) -> None:
    table = make_table(hash="PK:S", range="SK:S", stream="NEW_AND_OLD_IMAGES")
    put_all(dynamodb_client, table, [{**person(n), "PK": {"S": f"u{n}"}} for n in range(PEOPLE)])
    copying = copying_of(
        database, dynamodb, dynamodb_client, table, tmp_path, capture="stream", link=True, protect=RULES
    )  # fmt: skip
    copying.once_well()
    with copying.running():
        put_all(dynamodb_client, table, [{**person(PEOPLE), "PK": {"S": "u-new"}, "email": {"S": email(0)}}])
        wait_until(lambda: len(copying.rows("row_id")) == PEOPLE + 1, WAIT_S)
    rows = copying.rows("PK, email, phone, address", "PK IN ('u0', 'u-new')")
    assert [row[1] for row in rows] == [hash_text(SECRET.raw, email(0))] * 2, "equal values have equal hashes"
    assert rows[0][2] == "*" * (len(phone(0)) - 4) + phone(0)[-4:]
    assert json.loads(rows[0][3]) == {"name": hash_text(SECRET.raw, name(0)), "city": "London"}
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items) == (True, PEOPLE + 1), verdict
    told = everything_in(copying)
    for value in (value for number in range(PEOPLE + 1) for value in raw_values(number)):
        assert value not in told
    database.query(f"UPDATE `{table}` SET email = %s WHERE PK = 'u3'", hash_text(SECRET.raw, "somebody else"))
    assert copying.verify().different == 1
    copying.repair(execute=True)
    assert copying.verify().in_step


def test_a_key_is_hashed_and_sealed_and_its_item_is_found_all_the_same(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Any
) -> None:
    table = make_table(hash="PK:S", range="SK:S", stream="KEYS_ONLY")
    put_all(dynamodb_client, table, [person(n) for n in range(PEOPLE)])
    rules = {**RULES, "PK": {"hash_part": "USER#{email}"}}
    copying = copying_of(
        database, dynamodb, dynamodb_client, table, tmp_path, capture="stream", link=True, protect=rules
    )  # fmt: skip
    copying.once_well()
    assert copying.verify().in_step
    assert dict(copying.rows("row_id, PK"))[1].startswith("USER#")
    joined = database.query(f"SELECT COUNT(*) FROM `{table}` WHERE PK = CONCAT('USER#', email)")
    assert joined == [(PEOPLE,)], "an equal text has the same hash as an attribute and as a part"
    ids = dict(copying.rows("PK, row_id"))
    # a row that the repair must make again, by the key of its item; a row that it must delete, by its sealed key
    database.query(f"DELETE FROM `{table}` WHERE email = %s", hash_text(SECRET.raw, email(2)))
    dynamodb_client.delete_item(TableName=table, Key={"PK": person(4)["PK"], "SK": person(4)["SK"]})
    before = copying.verify()
    assert (before.missing, before.extra) == (1, 1), before
    copying.repair(execute=True)
    copying.once_well()
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items) == (True, PEOPLE - 1), verdict
    left = dict(copying.rows("PK, row_id"))
    assert left.items() <= ids.items()
    told = everything_in(copying)
    for value in (value for number in range(PEOPLE) for value in raw_values(number)):
        assert value not in told


@pytest.mark.parametrize("capture", ["pending-index", "scan"])
@pytest.mark.either_server
def test_links_marks_and_adopted_ids_find_their_items_behind_a_hashed_key(
    make_copying: MakeCopying, capture: str
) -> None:
    copying = make_copying(capture=capture, link=True, protect={"username": "hash", "text": "drop"})
    copying.secret = TABLE_SECRET
    make = marked if capture == "pending-index" else review
    put_all(copying.client, copying.table, [make(n) for n in range(PEOPLE)])
    copying.once_well()
    put_all(copying.client, copying.table, [make(n, rating={"N": "50"}) for n in range(3)])
    copying.client.delete_item(TableName=copying.table, Key=key(review(5)))
    copying.once_well()
    copying.repair(execute=True)
    ids = dict(copying.rows("reviewed_at, row_id"))
    assert len(ids) == PEOPLE - 1
    for item in copying.items():
        assert item["mysql_id"] == {"N": str(ids[item["reviewed_at"]["S"]])}
        assert "migrated" not in item
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items) == (True, PEOPLE - 1), verdict
    assert "user1'" not in everything_in(copying)
    with closing(copying.copies(Stop())[1].connect()) as session, session.transaction() as tx:
        tables.forget(tx, copying.table)
    copying.database.query(f"DROP TABLE `{copying.table}`")
    if capture == "scan":  # else an item without a mark waits for the next pass
        copying.once_well(adopt_links=True)
        assert dict(copying.rows("reviewed_at, row_id")) == ids


@pytest.mark.either_server
def test_a_number_that_is_a_key_is_hashed_too_and_where_is_asked_of_the_raw_item(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Any
) -> None:
    table = make_table(hash="id:N", range=None, stream="NEW_AND_OLD_IMAGES")
    items: list[Wire] = [
        {"id": {"N": str(770000000000 + n)}, "email": {"S": email(n % 3)}, "total": {"N": str(n)}}
        for n in range(PEOPLE)
    ]
    put_all(dynamodb_client, table, items)
    copying = copying_of(
        database, dynamodb, dynamodb_client, table, tmp_path, capture="stream", where={"email": email(1)},
        protect={"id": "hash", "email": "hash"}, attributes=["email"],
    )  # fmt: skip
    copying.once_well()
    assert {row[0] for row in copying.rows("email")} == {hash_text(SECRET.raw, email(1))}
    assert len(copying.rows("id")) == PEOPLE // 3
    put_all(dynamodb_client, table, [{**items[1], "email": {"S": email(2)}}, {**items[0], "email": {"S": email(1)}}])
    copying.once_well()
    verdict = copying.verify()
    assert (verdict.in_step, verdict.rows) == (True, PEOPLE // 3), verdict
    told = everything_in(copying)
    assert email(1) not in told
    assert "77000000000" not in told
    assert "total" not in told
