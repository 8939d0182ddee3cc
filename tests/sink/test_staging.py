"""Rows by way of a temporary table, on both servers: the same rows, ids and counts as by multi-row upserts."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.fixtures.databases import Database
from tests.fixtures.items import items
from tests.fixtures.schemas import schemas_and_items
from tests.sink.test_bulk import KEYS, ON_A_SHARED_SERVER, made, rows_of, stored

from twinrow.change import Item
from twinrow.config import mysql_config
from twinrow.mysql import Connection, MySQL
from twinrow.schema.evolve import evolve
from twinrow.schema.row import Row, to_row
from twinrow.schema.table import TableSchema, empty_schema
from twinrow.sink import bulk, staging, writer
from twinrow.sink.alone import Judged
from twinrow.sink.writer import Existing, Written


@pytest.fixture
def connection(database: Database, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(bulk, "ROWS_MIN", 1)
    return MySQL(mysql_config(database.url, "test", {})).connect()


def write(connection: Connection, schema: TableSchema, rows: list[Row], *, staged: bool) -> Written:
    """Rows written in a transaction of their own; staged ones must have been taken by the temporary table."""
    filled = staging.fill(connection, schema, rows) if staged else None
    assert (filled is not None) == staged
    with connection.transaction() as tx:
        existing = writer.existing_rows(tx, schema, [row.key for row in rows], filled)
        return writer.write(tx, schema, rows, existing, staged=filled)


def deleted_softly(connection: Connection, schema: TableSchema, key: bytes) -> None:
    existing = writer.existing_rows(connection, schema, [key])
    assert writer.delete(connection, schema, existing, [key], soft=True) == (1, Judged())


@ON_A_SHARED_SERVER
@given(drawn=schemas_and_items())
def test_rows_staged_are_the_rows_upserted(connection: Connection, drawn: tuple[TableSchema, list[Item]]) -> None:
    schema, seen = drawn
    rows = rows_of(schema, seen, connection)
    if not rows:
        return
    found = []
    for staged in (False, True):
        made(connection, schema)
        write(connection, schema, [Row(rows[0].key, rows[-1].values, "{}")], staged=False)
        deleted_softly(connection, schema, rows[0].key)
        written = write(connection, schema, rows, staged=staged)
        assert written.ids == {key: one.row_id for key, one in writer.existing_rows(
            connection, schema, [row.key for row in rows]).items()}  # fmt: skip
        found.append((stored(connection, schema), written.inserted, written.updated, written.rows_delta))
    assert found[0] == found[1]


@ON_A_SHARED_SERVER
@given(item=items(KEYS))
def test_every_type_of_column_is_staged_as_it_is_inserted(connection: Connection, item: Item) -> None:
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), [item]).schema
    rows = rows_of(schema, [item], connection)
    found = []
    for staged in (False, True):
        made(connection, schema)
        write(connection, schema, rows, staged=staged)
        found.append(stored(connection, schema))
    assert found[0] == found[1]


def reviews(*numbers: int, word: str = "mint") -> list[Item]:
    return [{"username": {"S": "a"}, "reviewed_at": {"S": str(n)}, "word": {"S": word}} for n in numbers]


def table_of(connection: Connection, *seen: Item) -> TableSchema:
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), seen).schema
    made(connection, schema)
    return schema


def test_a_row_known_keeps_its_id_and_time_and_a_new_one_gets_an_id(connection: Connection) -> None:
    schema = table_of(connection, *reviews(1))
    one, two = (to_row(schema, item, connection.flavour) for item in reviews(1, 2))
    write(connection, schema, [one], staged=True)
    query = "SELECT row_id, _twinrow_updated_at FROM t ORDER BY row_id"
    before = connection.query(query)
    written = write(connection, schema, [one, two], staged=True)
    after = connection.query(query)
    assert after[:1] == before
    assert written.ids == {one.key: after[0][0], two.key: after[1][0]}
    assert (written.inserted, written.updated, written.rows_delta) == (1, 0, 1)


def test_a_row_that_the_table_refuses_is_told_apart_and_the_others_are_written(connection: Connection) -> None:
    """A CHECK that somebody has added."""
    schema = table_of(connection, *reviews(1))
    connection.execute("ALTER TABLE `t` ADD CONSTRAINT short CHECK (CHAR_LENGTH(`word`) < 5)")
    rows = [to_row(schema, item, connection.flavour) for item in (*reviews(1), *reviews(2, word="too long"))]
    written = write(connection, schema, rows, staged=True)
    assert set(stored(connection, schema)) == {rows[0].key}
    assert set(written.refused) == {rows[1].key}
    assert written.rows_delta == 1


def test_a_new_row_that_wants_an_id_gets_it(connection: Connection) -> None:
    schema = table_of(connection, *reviews(1))
    one, two = (to_row(schema, item, connection.flavour) for item in reviews(1, 2))
    staged = staging.fill(connection, schema, [one, two])
    with connection.transaction() as tx:
        written = writer.write(tx, schema, [one, two], {}, {two.key: 7}, staged=staged)
    assert written.ids[two.key] == 7
    assert len(stored(connection, schema)) == 2


def test_what_was_staged_and_is_not_wanted_is_not_written(connection: Connection) -> None:
    schema = table_of(connection, *reviews(1))
    one, two = (to_row(schema, item, connection.flavour) for item in reviews(1, 2))
    staged = staging.fill(connection, schema, [one, two])
    with connection.transaction() as tx:
        writer.write(tx, schema, [two], {one.key: Existing(1, False)}, staged=staged)
    assert set(stored(connection, schema)) == {two.key}


def test_a_batch_too_large_for_one_load_is_not_staged(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = table_of(connection, *reviews(1))
    monkeypatch.setattr(bulk, "LOAD_BYTES_MAX", 100)
    rows = [to_row(schema, item, connection.flavour) for item in reviews(1, word="x" * 200)]
    assert staging.fill(connection, schema, rows) is None


def test_a_value_that_the_server_would_bend_is_not_staged(connection: Connection) -> None:
    schema = table_of(connection, *reviews(1))
    row = to_row(schema, reviews(1)[0], connection.flavour)
    assert staging.fill(connection, schema, [Row(row.key, ("a" * 2049, *row.values[1:]), None)]) is None
