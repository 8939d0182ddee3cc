"""The pages of a first copy: loaded together where they wait, each brought once, whatever a load does not take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.waiting import wait_until

from twinrow.capture.read_ahead import ReadAhead
from twinrow.mysql import Connection
from twinrow.schema.load_text import LoadText
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute, TableSchema
from twinrow.sink import bulk
from twinrow.state.checkpoint import Checkpoint
from twinrow.write.batch import Applied
from twinrow.write.load import Loader, ReadPage

ITEMS = 300
TEXT = {"S": "long " * 2000}
"""So long that each segment has more pages than the one that its columns are made of."""
WAIT_S = 30.0
KEYS = ("username", "reviewed_at")


@pytest.fixture
def copying(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> Copying:
    """A table of several pages, all of which are ready before the first is taken."""
    made = make_copying(capture="scan", segments=2)
    made.workers = 1
    # an attribute that is never more than NULL would have the first page applied, to be taught
    items = [review(n, text=TEXT, nothing={"S": ""}) for n in range(ITEMS)]
    put_all(made.client, made.table, items)
    take = ReadAhead.take

    def take_when_all_are_read(self: ReadAhead[ReadPage], wait_s: float) -> ReadPage | None:
        wait_until(lambda: not any(one.is_alive() for one in self._threads), WAIT_S, what="all pages are read")
        return take(self, wait_s)

    monkeypatch.setattr(ReadAhead, "take", take_when_all_are_read)
    return made


def test_pages_that_wait_are_one_commit(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = loads_of(monkeypatch, refused=0)
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ran.counts.applied == {("PUT", "SCAN"): ITEMS}
    assert loads == [ITEMS]


@pytest.mark.parametrize("refused", [0, 1000], ids=["loaded", "row-by-row"])
def test_rows_in_extra_are_counted_whichever_way_they_came(
    copying: Copying, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    exact = {"M": {"mint": {"N": "0.1234567890123456789012345"}}}  # a JSON column holds the nearest double
    put_all(copying.client, copying.table, [review(n, text=TEXT, nothing={"S": ""}, flavours=exact) for n in (3, 9)])
    loads = loads_of(monkeypatch, refused=refused)
    ran = copying.once_well()
    assert loads
    assert ran.counts.in_extra == 2


def test_pages_whose_load_is_not_taken_are_brought_once_each(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = loads_of(monkeypatch, refused=2)
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ran.counts.applied == {("PUT", "SCAN"): ITEMS}
    assert loads[0] == ITEMS
    assert len(loads) > 2, "the pages behind the first are tried again"


def test_a_page_with_a_deleted_item_alone_is_not_loaded(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = 0
    take, key = ReadAhead.take, {name: review(7)[name] for name in KEYS}
    load = Loader.load
    buried = fingerprint(tuple(KeyAttribute(name, "S") for name in KEYS), key)

    def take_after_a_delete(self: ReadAhead[ReadPage], wait_s: float) -> ReadPage | None:
        page = take(self, wait_s)
        if "Item" in copying.client.get_item(TableName=copying.table, Key=key):
            copying.client.delete_item(TableName=copying.table, Key=key)
            values = (copying.table, buried)
            copying.database.query(
                "INSERT INTO _twinrow_tombstone (table_name, key_hash, at) VALUES (%s, %s, 1)", *values
            )
        return page

    def counted(self: Loader, texts: Sequence[LoadText], parts: Mapping[str, Checkpoint]) -> Applied | None:
        nonlocal loaded
        applied = load(self, texts, parts)
        loaded += applied.written.inserted if applied else 0
        return applied

    monkeypatch.setattr(ReadAhead, "take", take_after_a_delete)
    monkeypatch.setattr(Loader, "load", counted)
    copying.once_well()
    copying.assert_equal(items=ITEMS - 1)
    assert ITEMS / 2 < loaded < ITEMS, "all but the one page"


def loads_of(monkeypatch: pytest.MonkeyPatch, *, refused: int) -> list[int]:
    """The rows of every load of pages; the first `refused` of them do nothing, as where the server bends a value."""
    loads: list[int] = []
    load_text = bulk.load_text

    def load(tx: Connection, schema: TableSchema, data: bytes, rows: int) -> bool:
        loads.append(rows)
        return len(loads) > refused and load_text(tx, schema, data, rows)

    monkeypatch.setattr(bulk, "load_text", load)
    return loads


def test_a_mysql_that_goes_back_between_two_loads_is_a_gap(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failover to a replica that was behind: the pages loaded before it are not read again by the scan itself."""
    load, loads = Loader.load, [0]

    def load_and_go_back(self: Loader, texts: Sequence[LoadText], parts: Mapping[str, Checkpoint]) -> Applied | None:
        applied = load(self, texts, parts)
        loads[0] += applied is not None
        if applied is not None and loads[0] == 2:
            copying.database.query(f"DELETE FROM `{copying.table}`")
            copying.database.query("UPDATE _twinrow_lease SET generation = 1, row_count = 0")
        return applied

    monkeypatch.setattr(Loader, "load", load_and_go_back)
    monkeypatch.setattr("twinrow.sync.snapshot.COMMIT_BYTES_MAX", 0)  # a page a load
    copying.once_well()
    assert loads[0] > 2
    assert copying.database.query("SELECT cause, closed_at IS NOT NULL FROM _twinrow_gap") == [("MYSQL_WENT_BACK", 1)]
    copying.assert_equal(items=ITEMS)
