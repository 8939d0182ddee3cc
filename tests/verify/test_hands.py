"""One byte changed by hand in any column, a row or a link: found and mended while an application goes on writing."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest
from tests.conftest import MakeCopying, Tell
from tests.fixtures.copying import Copying, Wire, comparable, key, marked, put_all, review, wire
from tests.fixtures.databases import Database
from tests.fixtures.killing import seeded
from tests.fixtures.waiting import wait_until

from twinrow.verify.verdict import Verdict

STILL = 60
"""Items that nobody writes after the first copy: what a hand does to their rows stays until it is mended."""
MOVING = range(STILL, STILL + 40)
WRITE_PAUSE_S = 0.05
TRIES_MAX = 60
SETTLE_S = 30.0
FULL: dict[str, Wire] = {
    "big": {"N": "12345678901234567890123456789012345678"},
    "ratio": {"N": "1.5"},
    "odd": {"N": "1.25E-60"},
    "picture": {"B": b"\x00\xffpicture"},
    "flag": {"BOOL": True},
    "list": {"L": [{"N": "1.0"}, {"S": "x y"}, {"M": {"deep": {"BOOL": False}}}]},
    "numbers": {"NS": ["1", "2.5"]},
    "visited_at": {"N": "1714567890123"},
    "half": {"N": "0.5"},
    "short": {"S": "in a VARCHAR"},
}
OVERRIDES = {
    "visited_at": {"type": "DATETIME(3)", "from": "epoch_ms"},
    "half": {"type": "DOUBLE"},
    "short": {"type": "VARCHAR(40)"},
}
NOT_CONTENT = ("row_id", "_twinrow_updated_at")
"""An id changed by hand is told by its link; when a row was written last is no part of its item."""
BYTES_OF_TEXT = "0123456789abcxyz ,.-\u00e4"


OTHER_CHANGES = 4
"""Of a round, beside one of each column: a row removed, a row added, a link changed, a link taken away."""
REMOVED, OTHER_LINK = "removed", "SET mysql_id = :n"
LOSE_THEIR_ID = ("_twinrow_key", "username", "reviewed_at", REMOVED, OTHER_LINK)
"""After these the item carries an id that is not its row's."""
LOST_MAX = 2
"""The third on one item would stop the table, as it should: then something else writes the ids."""


@dataclass
class Hand:
    """Somebody with SQL and a DynamoDB client who changes one thing at a time, and what was changed."""

    copying: Copying
    chance: random.Random
    numbers: list[int] = field(default_factory=list)
    """Items not touched yet in this round."""
    touched: dict[int, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    """Row ids by review time, as a round begins."""
    row_ids: set[int] = field(default_factory=set)
    """Of the rows touched, and of the one added."""
    lost: Counter[int] = field(default_factory=Counter)
    """How often an item has carried an id that was not its row's, over all rounds."""

    def round(self, columns: dict[str, str]) -> None:
        """Each column of some row, a row removed, a row added, a link changed and a link taken away."""
        self.numbers = self.chance.sample(range(STILL), STILL)
        self.touched, self.row_ids = {}, set()
        # asked before the first change: one byte of a key may make it that of another item
        self.rows = dict(self._run("SELECT reviewed_at, row_id FROM {t}"))
        for column, kind in columns.items():
            self.change(column, kind)
        self._run(f"DELETE FROM {{t}} WHERE row_id = {self._row(REMOVED)}")
        name = self.chance.randbytes(16)
        self._run("INSERT INTO {t} (username, reviewed_at, _twinrow_key) VALUES ('nobody', 'never', %s)", name)
        self.row_ids.add(self._run("SELECT row_id FROM {t} WHERE _twinrow_key = %s", name)[0][0])
        self._link(OTHER_LINK, {":n": {"N": "999999"}})
        self._link("REMOVE mysql_id", None)

    def change(self, column: str, kind: str) -> None:
        """Change one byte of one cell (of a NULL: its being NULL) to something that the server takes."""
        row_id = self._row(column)
        shown = f"SELECT HEX(`{column}`), CAST(`{column}` AS CHAR) FROM {{t}} WHERE row_id = {row_id}"
        change = f"UPDATE {{t}} SET `{column}` = %s WHERE row_id = {row_id}"
        before = self._run(shown)
        for _ in range(TRIES_MAX):
            try:
                if kind in ("binary", "mediumblob"):
                    self._run(change, self._other_bytes(before[0][0]))
                else:
                    self._run(change, self._other_text(before[0][1]))
            except pymysql.err.MySQLError:
                continue  # no JSON, no date, no number: another byte
            if self._run(shown) != before:
                return
        raise AssertionError(f"no other value found for {column} ({kind}): {before}")

    def _other_bytes(self, before: str) -> bytes:
        raw = bytearray.fromhex(before)
        raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return bytes(raw)

    def _other_text(self, text: str | None) -> str:
        one = self.chance.choice(BYTES_OF_TEXT)
        if not text:
            return self.chance.choice(("1", "x", "2024-01-01"))
        at = self.chance.randrange(len(text))
        return text[:at] + one + text[at + 1 :]

    def _row(self, what: str) -> int:
        """The row of an item not touched yet."""
        number = self._number(what)
        row_id = int(self.rows[review(number)["reviewed_at"]["S"]])
        self.row_ids.add(row_id)
        return row_id

    def _number(self, what: str) -> int:
        """An item not touched yet in this round."""
        if what not in LOSE_THEIR_ID:
            number = self.numbers.pop()
        else:
            number = next(one for one in self.numbers if self.lost[one] < LOST_MAX)
            self.numbers.remove(number)
            self.lost[number] += 1
        self.touched[number] = what
        return number

    def _link(self, expression: str, values: Wire | None) -> None:
        number = self._number(expression)
        more = {"ExpressionAttributeValues": values} if values else {}
        self.copying.client.update_item(
            TableName=self.copying.table, Key=key(review(number)), UpdateExpression=expression, **more
        )

    def _run(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        return self.copying.database.query(sql.replace("{t}", f"`{self.copying.table}`"), *args)


@contextmanager
def _application(copying: Copying, chance: random.Random) -> Iterator[list[int]]:
    """Writers of the other items; how many writes there were."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        while not stop.wait(WRITE_PAUSE_S):
            written[0] += 1
            more: Wire = {"turn": {"N": str(written[0])}}
            if chance.random() < 0.1:
                more["deleted"] = {"BOOL": True}
            copying.client.put_item(TableName=copying.table, Item=marked(chance.choice(MOVING), **more))

    writer = threading.Thread(target=write, name="application", daemon=True)
    writer.start()
    try:
        yield written
    finally:
        stop.set()
        writer.join()


def _columns(copying: Copying) -> dict[str, str]:
    found = copying.database.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND table_name = %s",
        copying.table,
    )
    return {str(name): str(kind).lower() for name, kind in found if name not in NOT_CONTENT}


def _told(verdict: Verdict) -> set[int]:
    """The items that a verdict names, by their number."""
    return {int(one.key["reviewed_at"]["S"][-8:]) for one in verdict.examples if one.kind != "EXTRA"}


def _extra(verdict: Verdict) -> set[int | None]:
    """The ids of the rows that are nobody's."""
    return {one.row_id for one in verdict.examples if one.kind == "EXTRA"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.faults)])
def test_whatever_a_hand_changes_is_found_and_mended_while_an_application_writes(
    make_copying: MakeCopying, database: Database, rounds: int, tell: Tell
) -> None:
    chance = seeded("hands")
    copying = make_copying(pending_index={"deleted": "deleted"}, columns=OVERRIDES)
    put_all(copying.client, copying.table, [marked(n, **FULL) for n in range(STILL)])
    put_all(copying.client, copying.table, [marked(n) for n in MOVING])
    copying.once_well()
    columns = _columns(copying)
    assert {"_twinrow_key", "_twinrow_extra", "_twinrow_deleted_at", "username", *FULL} <= columns.keys()
    hand = Hand(copying, chance)
    with copying.running(), _application(copying, random.Random(chance.random())) as written:
        for _ in range(rounds):
            hand.round(columns)
            before = written[0]
            verdict = copying.verify()
            assert written[0] > before, "nothing was written while it looked"
            missed = {number: what for number, what in hand.touched.items() if number not in _told(verdict)}
            assert not missed, f"not found: {missed}"
            assert _told(verdict) == hand.touched.keys(), f"a false alarm: {verdict}"
            assert hand.row_ids >= _extra(verdict) != set(), f"a false alarm: {verdict}"
            # An id that names no row lets the sync look at the whole table, so repair itself may find less.
            mended = copying.repair(execute=True)
            assert mended.left is not None
            assert mended.left.in_step, mended.left
        wait_until(lambda: _is_linked(copying), SETTLE_S, what="links of all that was written")
    copying.once_well()
    copying.assert_equal()
    still = {item["reviewed_at"]["S"]: item for item in copying.items() if "turn" not in item}
    for number in range(STILL):
        item = wire(marked(number, **FULL))
        found = still[item["reviewed_at"]["S"]]
        unlinked = {name: value for name, value in found.items() if name != "mysql_id"}
        assert comparable(unlinked) == comparable({name: item[name] for name in item if name != "migrated"})
    tell(
        f"hands, {database.flavour}, seed {chance.begun_with}: {rounds * (len(columns) + OTHER_CHANGES)} changes "
        f"by hand found and mended, {written[0]:,} written meanwhile, differences = 0"
    )


def _is_linked(copying: Copying) -> bool:
    return all("migrated" not in item and ("deleted" in item or "mysql_id" in item) for item in copying.items())
