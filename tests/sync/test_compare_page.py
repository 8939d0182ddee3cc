"""Digests of rows as the server prints them: equal digests mean equal rows, and the usual rows have equal digests."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from tests.fixtures.databases import Database
from tests.fixtures.schemas import schemas_and_items

from twinrow.capture.pages import Page
from twinrow.change import Item
from twinrow.compare.items import Comparer
from twinrow.compare.page import PageComparer
from twinrow.config import mysql_config
from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQL
from twinrow.schema.evolve import evolve
from twinrow.schema.naming import quote
from twinrow.schema.printed import digest_sql, page_digests, printer
from twinrow.schema.row import Row, Unrepresentable, differing, to_row
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema
from twinrow.sink import statements, writer
from twinrow.state import meta
from twinrow.table.catalogue import of_one_table
from twinrow.table.settings import Settings

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
ON_A_SHARED_SERVER = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SETTINGS = Settings(
    "t", "t", "scan", True, "mysql_id", False, False, None, 0, None, None, frozenset({"mysql_id"})
)  # fmt: skip


@pytest.fixture
def connection(database: Database) -> Connection:
    made = MySQL(mysql_config(database.url, "test", {})).connect()
    meta.install(made)
    return made


def stored(connection: Connection, schema: TableSchema, rows: list[Row]) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {quote(schema.into)}")
    connection.execute(statements.create_table(schema, connection.flavour))
    with connection.transaction() as tx:
        assert not writer.write(tx, schema, rows, {}).refused


def digest(schema: TableSchema, row: Row, flavour: Flavour) -> str:
    """The digest that the server should make of this row."""
    cells = [
        [None if value is None else printer(column.type, flavour)(value)]
        for column, value in zip(schema.columns, row.values, strict=True)
    ]
    return page_digests(cells, [row.extra], 1)[0]


@ON_A_SHARED_SERVER
@given(drawn=schemas_and_items())
def test_equal_digests_mean_equal_rows(connection: Connection, drawn: tuple[TableSchema, list[Item]]) -> None:
    schema, seen = drawn
    rows: dict[bytes, Row] = {}
    for item in seen:
        try:
            row = to_row(schema, item, connection.flavour)
        except Unrepresentable:
            continue
        rows[row.key] = row
    stored(connection, schema, list(rows.values()))
    digests = dict(
        connection.query(f"SELECT _twinrow_key, {digest_sql(schema, connection.flavour)} FROM {quote(schema.into)}")
    )
    for found in connection.query(statements.select_rows(schema, "1 = 1")):
        _, key, _, _, extra, *values = found
        for row in rows.values():
            if digest(schema, row, connection.flavour) == digests[key]:
                assert not differing(schema, row, values, extra, connection.flavour)


def usual(number: int, **more: dict[str, object]) -> Item:
    return {
        "username": {"S": "ä'\\\"\n"},
        "reviewed_at": {"S": str(number)},
        "whole": {"N": str(number - 2)},
        "price": {"N": f"-{number}.25"},
        "binary": {"B": "AP8n"},
        "truth": {"BOOL": True},
        "tags": {"SS": ["b", 'a"', "ä"]},
        "map": {"M": {"long": {"N": "4.5"}, "b": {"L": [{"N": "1"}, {"NULL": True}, {"S": ": ,"}]}, "ä": {"M": {}}}},
        "nothing": {"NULL": True},
        "empty": {"S": ""},
        **more,
    }


def compared(connection: Connection, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """(kinds of differences found, how many items were looked at by value)."""
    schema = evolve(empty_schema("t", "t", KEYS, SETTINGS.own, (), False), [usual(1)]).schema
    comparer = Comparer(connection, of_one_table(schema), SETTINGS, set())
    closer = 0
    by_value = comparer.page

    def counted(odd: list[Item], on_row: object) -> object:
        nonlocal closer
        closer += len(odd)
        return by_value(odd, on_row)  # type: ignore[arg-type]

    monkeypatch.setattr(comparer, "page", counted)
    pages = PageComparer(connection, comparer, SETTINGS)
    page = Page("0/1", msgspec.json.encode(items), None, 0.0)
    met: list[int] = []
    pages.page(page, met.append)  # it is here that the attribute which is NULL becomes known
    closer = 0
    found = pages.page(page, met.append)
    assert found.items == len(items)
    return [one.kind for one in found.found], closer


def linked(connection: Connection, items: list[Item]) -> list[Item]:
    """The items, copied, with their rows' ids."""
    schema = evolve(empty_schema("t", "t", KEYS, SETTINGS.own, (), False), [usual(1)]).schema
    rows = [to_row(schema, item, connection.flavour) for item in items]
    stored(connection, schema, rows)
    ids = dict(connection.query("SELECT _twinrow_key, row_id FROM t"))
    return [{**item, "mysql_id": {"N": str(ids[row.key])}} for item, row in zip(items, rows, strict=True)]


def test_usual_rows_are_told_equal_by_their_digests(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    items = linked(connection, [usual(number) for number in range(1, 40)])
    assert compared(connection, items, monkeypatch) == ([], 0)


@pytest.mark.parametrize(
    "change",
    [
        "whole = 7",
        "price = price + 0.000000001",
        "`binary` = 'x'",
        "truth = 0",
        "tags = '[]'",
        "username = 'a'",
        "`empty` = NULL",
        "_twinrow_extra = NULL",
        "map = JSON_SET(map, '$.long', 4.6)",
    ],
)
def test_a_cell_changed_by_hand_is_looked_at(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    items = linked(connection, [usual(number) for number in range(1, 10)])
    connection.execute(f"UPDATE t SET {change} WHERE row_id = 3")
    assert compared(connection, items, monkeypatch) == (["DIFFERENT"], 1)


def test_what_is_missing_or_unlinked_is_looked_at(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    items = linked(connection, [usual(number) for number in range(1, 10)])
    items[0] = {name: value for name, value in items[0].items() if name != "mysql_id"}
    connection.execute("DELETE FROM t WHERE row_id = 5")
    kinds, closer = compared(connection, items, monkeypatch)
    assert sorted(kinds) == ["MISSING", "UNLINKED"]
    assert closer == 2


def test_ids_of_rows_are_told_in_pages(connection: Connection) -> None:
    items = linked(connection, [usual(number) for number in range(1, 10)])
    connection.execute("UPDATE t SET _twinrow_deleted_at = NOW() WHERE row_id IN (2, 9)")
    schema = evolve(empty_schema("t", "t", KEYS, SETTINGS.own, (), False), [usual(1)]).schema
    comparer = Comparer(connection, of_one_table(schema), SETTINGS, set())
    (page,) = comparer.row_ids()
    assert (page.last, page.live, page.deleted) == (9, [1, 3, 4, 5, 6, 7, 8], 2)
    assert len(items) == 9
    assert [row.row_id for row in comparer.rows_of([1, 2, 3])] == [1, 3]
    assert list(comparer.row_ids(9)) == []
