"""Rules that come, change and go on a copy that is there: values leave MySQL in place, ids stay, verify agrees."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.copying import Copying, Wire, put_all
from tests.fixtures.databases import Database
from tests.protect.test_on_servers import copying_of, email, everything_in, person
from tests.protect.values import SECRET, TABLE_SECRET

from twinrow.app.check import protection as check_protection
from twinrow.clock import Stop
from twinrow.errors import StartRefused
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.protect.rules import hash_text
from twinrow.state import tables

PEOPLE = 12
RULES: dict[str, Any] = {"email": "hash", "phone": {"mask": 4}, "ssn": "hash", "address.name": "drop"}


@pytest.fixture
def copied(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Any
) -> Copying:
    """A copy of people without any rule."""
    table = make_table(hash="PK:S", range="SK:S", stream="NEW_AND_OLD_IMAGES")
    put_all(dynamodb_client, table, [anybody(n) for n in range(PEOPLE)])
    copying = copying_of(database, dynamodb, dynamodb_client, table, tmp_path, capture="stream", link=True)
    copying.once_well()
    return copying


def anybody(number: int) -> Wire:
    """A person under a key that tells nothing; some have an e-mail that is no text."""
    odd: Wire = {"email": {"L": [{"S": email(number)}]}} if number % 5 == 4 else {}
    return {**person(number), "PK": {"S": f"u{number}"}, **odd}


def gaps(copying: Copying) -> int:
    return int(copying.database.query("SELECT COUNT(*) FROM _twinrow_gap")[0][0])


def assert_hidden(copying: Copying, ids: dict[Any, Any]) -> None:
    told = everything_in(copying)
    for number in range(PEOPLE):
        for value in (email(number), f"77{number:09}", f"+49-151-555-{number:07}", f"Ada King {number:03}"):
            assert value not in told, value
    assert dict(copying.rows("PK, row_id")) == ids
    verdict = copying.verify()
    assert (verdict.in_step, verdict.items) == (True, PEOPLE), verdict


@pytest.mark.either_server
def test_rules_that_come_later_are_put_on_the_rows_without_a_reading(copied: Copying) -> None:
    ids = dict(copied.rows("PK, row_id"))
    before = gaps(copied)
    copied.secret = TABLE_SECRET
    copied.change(protect=RULES)
    ran = copied.once_well()
    assert gaps(copied) == before
    assert not ran.requests.get("scan"), "no item was read anew"
    assert copied.rows("email, ssn", "PK = 'u0'") == [
        (hash_text(SECRET.raw, email(0)), copied.rows("ssn", "PK = 'u0'")[0][0])
    ]
    assert len(copied.rows("ssn", "PK = 'u0'")[0][0]) == 64
    assert_hidden(copied, ids)


@pytest.mark.parametrize("point", ["after-protected-rows:1", "after-protected-columns:1", "before-schema-version:1"])
@pytest.mark.either_server
def test_a_pass_that_is_killed_goes_on(copied: Copying, point: str) -> None:
    ids = dict(copied.rows("PK, row_id"))
    copied.secret = TABLE_SECRET
    copied.change(protect=RULES)
    code, said = copied.process_once(environment={"TWINROW_FAIL_POINT": point})
    assert code == -9, said
    copied.once_well()
    assert_hidden(copied, ids)


@pytest.mark.either_server
def test_rules_that_change_empty_the_column_and_read_anew_and_rules_that_go_bring_values_back(copied: Copying) -> None:
    ids = dict(copied.rows("PK, row_id"))
    copied.secret = TABLE_SECRET
    copied.change(protect=RULES)
    copied.once_well()
    copied.change(protect={**RULES, "ssn": {"mask": 2}})
    copied.once_well()
    assert copied.rows("ssn", "PK = 'u7'") == [("*" * 9 + "07",)]
    assert_hidden(copied, ids)
    copied.change(protect={name: rule for name, rule in RULES.items() if name != "email"})
    copied.once_well()
    assert copied.rows("email", "PK = 'u1'") == [(email(1),)]
    assert copied.verify().in_step
    copied.change(protect={}, attributes=["total", "email"])
    copied.once_well()
    assert copied.verify().in_step
    assert "ada king" not in everything_in(copied).lower()


@pytest.mark.either_server
def test_a_rule_for_a_key_and_another_secret_are_refused(copied: Copying) -> None:
    copied.secret = TABLE_SECRET
    copied.change(protect={"PK": "hash"})
    error = copied.once().outcome.error
    assert isinstance(error, StartRefused), error
    assert "the rule for the key attribute 'PK'" in str(error)
    assert "sync --adopt-links" in str(error)
    copied.change(protect={"email": "hash"})
    copied.once_well()
    copied.secret = TABLE_SECRET + " another"
    error = copied.once().outcome.error
    assert isinstance(error, StartRefused), error
    assert "--rekey" in str(error)


def told_by_check(copying: Copying) -> str:
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        registered = tables.load(session, context.name)
    context.table.describe()
    protection = context.settings.protection
    assert protection is not None
    found = check_protection.look(context.table, protection, registered)
    return "\n".join(f"{finding.level}: {finding.text}" for finding in found)


@pytest.mark.either_server
def test_check_says_where_values_also_stand_and_what_the_next_start_does(copied: Copying) -> None:
    put_all(copied.client, copied.table, [{**anybody(1), "notes": {"S": f"wrote to {email(1)}"}}])
    copied.secret = TABLE_SECRET
    copied.change(protect={"email": "hash", "fone": {"mask": 2}})
    told = told_by_check(copied)
    assert "warning: values of 'email' stand in notes of the same items, too" in told
    assert "warning: no item of 12 has the protected attribute 'fone'" in told
    assert "ok: the rules are changed: the next start rewrites 12 rows inside MySQL" in told
    assert "binary logs and backups still hold them" in told
    assert email(1) not in told
    copied.once_well()
    assert "rules are changed" not in told_by_check(copied)
    copied.change(protect={"email": {"mask": 3}})
    assert "and reads the whole table again (a reconcile)" in told_by_check(copied)
