"""LOAD DATA against INSERT, on both servers: the same rows go in, the same rows come out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from tests.fixtures.databases import Database
from tests.fixtures.items import items
from tests.fixtures.schemas import schemas_and_items

from twinrow.change import Item
from twinrow.config import mysql_config
from twinrow.mysql import Connection, MySQL
from twinrow.schema.evolve import evolve
from twinrow.schema.row import Row, Unrepresentable, to_row
from twinrow.schema.table import KeyAttribute, Override, TableSchema, empty_schema
from twinrow.sink import bulk, statements, writer
from twinrow.sink.alone import Tried

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
ON_A_SHARED_SERVER = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def connection(database: Database) -> Connection:
    return MySQL(mysql_config(database.url, "test", {})).connect()


def rows_of(schema: TableSchema, seen: Sequence[Item], connection: Connection) -> list[Row]:
    """The rows of these items, one a key, less those that no row can hold."""
    rows: dict[bytes, Row] = {}
    for item in seen:
        try:
            row = to_row(schema, item, connection.flavour)
        except Unrepresentable:
            continue
        rows[row.key] = row
    return list(rows.values())


def made(connection: Connection, schema: TableSchema) -> None:
    connection.execute(f"DROP TABLE IF EXISTS `{schema.into}`")
    connection.execute(statements.create_table(schema, connection.flavour))


def stored(connection: Connection, schema: TableSchema) -> dict[bytes, tuple[object, ...]]:
    """Every row by its fingerprint, without the id and the time of writing."""
    found = connection.query(statements.select_rows(schema, "1 = 1"))
    return {row[1]: (row[2], *row[4:]) for row in found}


@ON_A_SHARED_SERVER
@given(drawn=schemas_and_items())
def test_rows_loaded_are_the_rows_inserted(connection: Connection, drawn: tuple[TableSchema, list[Item]]) -> None:
    schema, seen = drawn
    rows = rows_of(schema, seen, connection)
    made(connection, schema)
    with connection.transaction() as tx:
        assert bulk.insert_new(tx, schema, rows)
    loaded = stored(connection, schema)
    connection.execute(f"DELETE FROM `{schema.into}`")
    with connection.transaction() as tx:
        tried = Tried()
        writer._insert(tx, schema, rows, {}, "", writer.Written(), tried)
    assert not tried.refused
    assert loaded == stored(connection, schema)


@ON_A_SHARED_SERVER
@given(item=items(KEYS))
def test_every_type_of_column_is_loaded_as_it_is_inserted(connection: Connection, item: Item) -> None:
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), [item]).schema
    rows = rows_of(schema, [item], connection)
    made(connection, schema)
    with connection.transaction() as tx:
        assert bulk.insert_new(tx, schema, rows)
    loaded = stored(connection, schema)
    connection.execute("DELETE FROM `t`")
    with connection.transaction() as tx:
        writer._insert(tx, schema, rows, {}, "", writer.Written(), Tried())
    assert loaded == stored(connection, schema)


def test_a_duplicate_undoes_the_load(connection: Connection) -> None:
    schema = empty_schema("t", "t", KEYS, frozenset(), (), False)
    made(connection, schema)
    one, two = (
        to_row(schema, {"username": {"S": "a"}, "reviewed_at": {"S": text}}, connection.flavour) for text in ("1", "2")
    )
    with connection.transaction() as tx:
        assert bulk.insert_new(tx, schema, [one])
        assert not bulk.insert_new(tx, schema, [two, one])
    assert set(stored(connection, schema)) == {one.key}


def test_a_value_that_the_server_would_bend_undoes_the_load(connection: Connection) -> None:
    schema = evolve(
        empty_schema("t", "t", KEYS, frozenset(), (Override("word"),), False),
        [{"username": {"S": "a"}, "reviewed_at": {"S": "1"}, "word": {"S": "x"}}],
    ).schema
    made(connection, schema)
    connection.execute("ALTER TABLE `t` MODIFY `word` VARCHAR(2)")
    row = to_row(
        schema, {"username": {"S": "a"}, "reviewed_at": {"S": "1"}, "word": {"S": "too long"}}, connection.flavour
    )
    with connection.transaction() as tx:
        assert not bulk.insert_new(tx, schema, [row])
    assert stored(connection, schema) == {}
