"""Real servers: tables take as many parts as an entity may have, and a JOIN over a shared part uses its index."""

from __future__ import annotations

from tests.entities.reading import split_of
from tests.fixtures.databases import Database

from twinrow.entities.columns import indexes, part_columns
from twinrow.entities.part import Part, column_ddl, column_type
from twinrow.entities.split import PARTS_BYTES_MAX
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import record_bytes
from twinrow.schema.table import KeyAttribute, empty_schema
from twinrow.sink.statements import create_table

_KEYS = (KeyAttribute("PK", "S"), KeyAttribute("SK", "S"))
INDEX_CHARACTERS = 768
"""InnoDB's longest index key, 3,072 bytes, in characters of 4 bytes."""


def _make(database: Database, table: str, parts: list[Part]) -> None:
    flavour = database.flavour
    database.query(create_table(empty_schema("t", table, _KEYS, frozenset(), (), False), flavour))
    for one in part_columns(parts):
        database.query(
            f"ALTER TABLE {quote(table)} ADD COLUMN {quote(one.column)} {column_ddl(one.part.type, flavour)}"
        )


def test_a_table_takes_as_many_text_parts_as_are_allowed(database: Database) -> None:
    count = PARTS_BYTES_MAX // record_bytes(column_type("text"))
    assert count == 6
    others = [Part(f"n{n}", "uuid") for n in range(4)]
    _make(database, "entity", [*(Part(f"p{n}") for n in range(count)), *others])


def test_a_join_over_a_shared_part_uses_its_index(database: Database) -> None:
    split = split_of(
        'entities = [{ name = "customers", when = { PK = "C#{customer_id}", SK = "C" } },'
        '{ name = "orders", when = { PK = "C#{customer_id}", SK = "O#{day:date}" } }]'
    )
    for entity in split.entities:
        _make(database, entity.name, list(entity.parts))
        told, _ = indexes(split, entity, part_columns(entity.parts), {})
        for one in told:
            columns = f"{quote(one.column)}({INDEX_CHARACTERS})"
            database.query(f"ALTER TABLE {quote(entity.name)} ADD KEY {quote(one.name)} ({columns})")
        values = ", ".join(f"(UNHEX('{n:032x}'), 'customer-{n}')" for n in range(500))
        database.query(f"INSERT INTO {quote(entity.name)} (_twinrow_key, customer_id) VALUES {values}")
        database.query(f"ANALYZE TABLE {quote(entity.name)}")
    join = "SELECT COUNT(*) FROM orders JOIN customers USING (customer_id) WHERE orders.row_id < 5"
    assert database.query(join)[0][0] > 0
    plan = database.query(f"EXPLAIN {'FORMAT=TRADITIONAL ' if database.flavour == 'mysql' else ''}{join}")
    assert any("ref" in row and "_twinrow_index_customer_id" in row for row in plan), plan
