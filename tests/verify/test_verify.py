"""Verify and repair on real servers: rows changed, added and removed by hand are told apart, and mended when asked."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Wire, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import seeded
from tests.fixtures.waiting import wait_until

from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.flavour import SqlValue
from twinrow.mysql import Connection
from twinrow.state import recheck
from twinrow.verify.verdict import Verdict
from twinrow.verify.verify import verify_table

EVERYTHING = "*, _twinrow_key, _twinrow_extra, _twinrow_updated_at, _twinrow_deleted_at"
EXACT, BENT = "9088544342.689999", "9088544342.69"
COUNTS = ("missing", "extra", "different", "unlinked")
FULL: dict[str, Wire] = {
    "big": {"N": "12345678901234567890123456789012345678"},
    "ratio": {"N": "1.5"},
    "picture": {"B": b"\x00\xffpicture"},
    "flag": {"BOOL": True},
    "list": {"L": [{"N": "1.0"}, {"S": "x"}]},
    "numbers": {"NS": ["1", "2.5"]},
    "odd": {"N": "1E-130"},
}


def _found(verdict: Verdict) -> dict[str, int]:
    return {name: getattr(verdict, name) for name in COUNTS if getattr(verdict, name)}


def _sql(copying: Copying, sql: str) -> None:
    copying.database.query(sql.replace("{t}", f"`{copying.table}`"))


def _copied(make_copying: MakeCopying, items: int = 40, **options: Any) -> Copying:
    copying = make_copying(**options)
    put_all(copying.client, copying.table, [marked(n, **FULL) for n in range(items)])
    copying.once_well()
    copying.assert_equal(items=items)
    return copying


def test_what_a_hand_did_is_told_apart_left_alone_and_mended(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    ids = copying.rows("row_id, username, reviewed_at")
    _sql(copying, "UPDATE {t} SET rating = rating + 1 WHERE row_id IN (3, 4, 5)")
    _sql(copying, "DELETE FROM {t} WHERE row_id IN (7, 8)")
    _sql(
        copying, "INSERT INTO {t} (username, reviewed_at, _twinrow_key) VALUES ('nobody', 'never', 'sixteen bytes ok')"
    )
    copying.client.update_item(
        TableName=copying.table, Key=key(review(20)), UpdateExpression="SET mysql_id = :n",
        ExpressionAttributeValues={":n": {"N": "9999"}},
    )  # fmt: skip
    before = copying.rows(EVERYTHING)
    verdict = copying.verify()
    assert _found(verdict) == {"missing": 2, "extra": 1, "different": 3, "unlinked": 1}
    assert {tuple(one.attributes) for one in verdict.examples if one.kind == "DIFFERENT"} == {("rating",)}
    assert (verdict.items, verdict.rows) == (40, 39)

    dry = copying.repair(execute=False)
    assert _found(dry.found) == _found(verdict)
    assert dry.left is None
    assert copying.state("_twinrow_recheck") == 0
    assert copying.rows(EVERYTHING) == before

    mended = copying.repair(execute=True)
    assert mended.left is not None
    assert mended.left.in_step
    copying.assert_equal(items=40)
    kept = [one for one in ids if one[0] not in (7, 8)]
    assert [one for one in copying.rows("row_id, username, reviewed_at") if one in kept] == kept


def _columns(copying: Copying) -> dict[str, str]:
    found = copying.database.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND table_name = %s",
        copying.table,
    )
    return {str(name): str(kind).lower() for name, kind in found}


CHANGES = {
    "json": "'[1,2,3]'",
    "longtext": "CONCAT(COALESCE({c}, ''), ' ')",
    "mediumtext": "CONCAT(COALESCE({c}, ''), ' ')",
    "varchar": "CONCAT({c}, ' ')",
    "mediumblob": "CONCAT({c}, '\\0')",
    "binary": "INSERT({c}, 16, 1, CHAR(ASCII(SUBSTRING({c}, 16, 1)) ^ 1))",
    "decimal": "{c} + 0.000000001",
    "bigint": "{c} + 1",
    "tinyint": "1 - {c}",
    "datetime": "UTC_TIMESTAMP(6)",
    "double": "{c} * 2",
}


def test_one_byte_changed_in_any_column_of_any_row_is_found_and_mended(make_copying: MakeCopying) -> None:
    chance = seeded("bytes")
    copying = _copied(make_copying, items=30)
    columns = _columns(copying)
    del columns["row_id"], columns["_twinrow_updated_at"]
    assert {"_twinrow_key", "_twinrow_extra", "_twinrow_deleted_at", "username", "picture", "big"} <= columns.keys()
    changed = dict(zip(columns, chance.sample(range(1, 31), len(columns)), strict=True))
    for column, row_id in changed.items():
        before = copying.rows(f"`{column}`", f"row_id = {row_id}")
        how = CHANGES[columns[column]].replace("{c}", f"`{column}`")
        # A NULL becomes a value; a whole-number column holds no fraction.
        kind = columns[column]
        how = "1" if before == [(None,)] and kind in ("bigint", "tinyint", "decimal", "double") else how
        how = how.replace("0.000000001", "1") if before and str(before[0][0]).isdigit() else how
        _sql(copying, f"UPDATE {{t}} SET `{column}` = {how} WHERE row_id = {row_id}")
        assert copying.rows(f"`{column}`", f"row_id = {row_id}") != before, column
    verdict = copying.verify()
    # A fingerprint, a key column or a deletion by hand takes the row from its item: nobody has the one or the other.
    assert verdict.missing >= 2
    touched = {one.row_id for one in verdict.examples}
    lost = {changed["_twinrow_deleted_at"]}
    assert set(changed.values()) - lost <= touched
    mended = copying.repair(execute=True)
    assert mended.left is not None
    assert mended.left.in_step, mended.left
    copying.assert_equal(items=30)


def test_a_cell_changed_by_hand_is_set_right_with_what_waited_for_its_column(make_copying: MakeCopying) -> None:
    copying = make_copying(rebuild_rows_max=0)
    put_all(copying.client, copying.table, [marked(n, count={"N": "1"}) for n in range(3)])
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n, count={"N": "0.5"}) for n in range(3)])
    copying.once_well()
    _sql(copying, "UPDATE {t} SET count = 7 WHERE row_id = 2")
    verdict = copying.verify()
    assert _found(verdict) == {"different": 1}
    assert [tuple(one.attributes) for one in verdict.examples] == [("count",)]
    copying.change(rebuild_rows_max=1000)
    copying.once_well()
    assert copying.rows("count + 0e0") == [(0.5,)] * 3
    copying.assert_equal(items=3)


def test_a_number_that_the_server_itself_bends_is_no_difference(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    """MySQL 8 reads some doubles of 16 digits one unit off, wherever JSON is made of text; extra has them exactly."""
    copying = make_copying()
    odd, plain = {"M": {"mint": {"N": EXACT}}}, {"M": {"mint": {"N": "1.5"}}}
    put_all(copying.client, copying.table, [marked(n, flavours=odd, plain=plain) for n in range(3)])
    copying.once_well()
    _sql(copying, f"UPDATE {{t}} SET flavours = REPLACE(flavours, '{EXACT}', '{BENT}') WHERE row_id = 2")
    assert _found(copying.verify()) == {"different": 1}
    query = Connection.query
    asked: list[SqlValue] = []

    def of_mysql_8(self: Connection, sql: str, args: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        if "AS JSON" not in sql:
            return query(self, sql, args)
        asked.append(args[0])
        return [(str(one).replace(EXACT, BENT),) for (one,) in query(self, sql, args)]

    monkeypatch.setattr(Connection, "query", of_mysql_8)
    assert _found(copying.verify()) == ({} if database.flavour == "mysql" else {"different": 1})
    _sql(copying, f"UPDATE {{t}} SET flavours = REPLACE(flavours, '{BENT}', '9.5') WHERE row_id = 2")
    _sql(copying, "UPDATE {t} SET plain = REPLACE(plain, '1.5', '2.5') WHERE row_id = 3")
    assert _found(copying.verify()) == {"different": 2}
    assert all(EXACT in str(one) for one in asked), "a number that no server bends is not asked for"


def test_a_row_id_changed_by_hand_is_found_and_the_link_follows(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying, items=10)
    _sql(copying, "UPDATE {t} SET row_id = 777 WHERE row_id = 3")
    assert _found(copying.verify()) == {"unlinked": 1}
    assert copying.repair(execute=True).left is not None
    copying.assert_equal(items=10)
    assert (777,) in copying.rows("row_id")


def test_a_moving_table_gives_no_false_alarm(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying, items=60)
    chance, stop = seeded("moving"), threading.Event()

    def write() -> None:
        turn = 0
        while not stop.wait(0.02):
            turn += 1
            number = chance.randrange(80)
            copying.client.put_item(TableName=copying.table, Item=marked(number, turn={"N": str(turn)}))

    writer = threading.Thread(target=write, daemon=True)
    with copying.running():
        writer.start()
        verdicts = [copying.verify() for _ in range(3)]
        stop.set()
        writer.join()
        assert [_found(one) for one in verdicts] == [{}, {}, {}]
        wait_until(lambda: all("mysql_id" in item and "migrated" not in item for item in copying.items()), 30)
    copying.assert_equal()


def test_repair_beside_a_sync_that_runs_leaves_its_work_to_it(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying, items=30)
    _sql(copying, "UPDATE {t} SET price = 0 WHERE row_id < 6")
    _sql(copying, "DELETE FROM {t} WHERE row_id > 25")
    with copying.running():
        wait_until(lambda: copying.database.query("SELECT holder <> '' FROM _twinrow_lease") == [(1,)], 20)
        copying.client.put_item(TableName=copying.table, Item=marked(2, text={"S": "newer"}))
        mended = copying.repair(execute=True)
    assert mended.left is not None
    assert mended.left.in_step
    copying.assert_equal(items=30)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_rows_of_items_that_went_unmarked_are_extra_until_repaired(make_copying: MakeCopying, soft: bool) -> None:
    copying = _copied(make_copying, items=12, deletes="soft" if soft else "hard")
    for number in range(3):
        copying.client.delete_item(TableName=copying.table, Key=key(review(number)))
    assert _found(copying.verify()) == {"extra": 3}
    copying.repair(execute=True)
    copying.assert_equal(items=9)
    assert copying.verify().kept == (3 if soft else 0)
    assert len(copying.rows()) == (12 if soft else 9)


def test_many_differences_are_mended_slice_by_slice(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restore: what is confirmed is kept on disk, and never read all at once."""
    monkeypatch.setattr("twinrow.verify.suspects.SUSPECTS_A_ROUND_MAX", 20)
    monkeypatch.setattr("twinrow.verify.repair.SUSPECTS_A_ROUND_MAX", 20)
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(150)])
    copying.once_well()
    copying.database.query(f"DELETE FROM `{copying.table}` WHERE row_id > 30")
    copying.database.query(f"UPDATE `{copying.table}` SET rating = 7 WHERE row_id < 10")
    asked: list[int] = []
    get_items = DynamoDB.get_items

    def noted(self: DynamoDB, table: str, keys: list[Wire], *more: Any) -> list[Wire]:
        asked.append(len(keys))
        return get_items(self, table, keys, *more)

    monkeypatch.setattr(DynamoDB, "get_items", noted)
    repaired = copying.repair(execute=True)
    assert (repaired.found.missing, repaired.found.different) == (120, 9)
    assert repaired.left is not None
    assert repaired.left.in_step
    assert repaired.left.seconds > 0
    # a page's suspects come at once when it is compared; afterwards a slice at a time
    assert max(asked[-7:]) <= 20
    copying.assert_equal(items=150)


def test_a_verify_that_gets_no_page_says_why_and_ends(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = _copied(make_copying, items=2)
    reader = copying.reader()
    monkeypatch.setattr("twinrow.verify.verify.TROUBLE_S_MAX", 0.5)

    def away(*_: object, **__: object) -> None:
        raise Transient("DynamoDB is away")

    monkeypatch.setattr(DynamoDB, "scan_page", away)
    with pytest.raises(Transient, match="DynamoDB is away"):
        verify_table(reader)
    reader.connection.close()


def test_what_a_reconcile_suspects_too_is_still_repaired_as_known(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying, items=2)
    session = copying.copies(Stop())[1].connect()
    keys: list[tuple[bytes, Wire]] = [(key_hash, {}) for (key_hash,) in copying.rows("_twinrow_key")]
    recheck.add(session, copying.table, keys, recheck.REPAIR)
    recheck.add(session, copying.table, keys, "reconcile")
    assert recheck.count_of(session, copying.table, recheck.REPAIR) == 2
    session.close()


def test_no_room_for_what_is_to_be_mended_is_told_and_changes_nothing(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = _copied(make_copying, items=3)
    _sql(copying, "DELETE FROM {t} WHERE row_id = 1")
    full = partial(Path("/dev/full").open, "w+", encoding="ascii")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: full())
    with pytest.raises(TwinrowError, match="set TMPDIR"):
        copying.repair(execute=True)
    assert copying.state("_twinrow_recheck") == 0
    assert _found(copying.verify()) == {"missing": 1}
