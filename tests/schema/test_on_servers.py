"""What is encoded is stored as it is, by real servers: no warning, nothing rounded, nothing taken for another."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymysql.connections import Connection
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import Cursor
from tests.fixtures.databases import Database
from tests.fixtures.items import (
    COSTLY_LAW,
    TEXT_EDGES,
    attribute_values,
    binaries,
    items,
    names,
    nested,
    numbers,
    texts,
)
from tests.fixtures.schemas import override_types, wide_names

from twinrow.change import AttributeValue, Item
from twinrow.decode.attribute import Kind, kind_of
from twinrow.decode.plain import settled
from twinrow.flavour import SqlValue
from twinrow.schema.cell import holds
from twinrow.schema.column_type import ColumnType, decode, encode, parse_type, render, same_stored
from twinrow.schema.evolve import evolve
from twinrow.schema.json_cell import JSON_KEY_BYTES_MAX, JSON_LEVELS_MAX
from twinrow.schema.naming import column_name, fold, quote
from twinrow.schema.row import differing, to_item, to_row
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema

# Dates as the server's text, as twinrow.mysql reads them, too.
CONVERSIONS = {
    code: decoder
    for code, decoder in pymysql.converters.conversions.items()
    if code not in (FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATE)
}
STRICT = "STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"


class Session:
    """A strict session in a time zone that is not UTC, in which a warning is a failure."""

    def __init__(self, connection: Connection[Cursor], flavour: Any) -> None:
        self.connection = connection
        self.flavour = flavour
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION sql_mode='{STRICT}', time_zone='+05:30'")

    def run(self, sql: str, *arguments: SqlValue) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            found = [tuple(row) for row in cursor.fetchall()]
            cursor.execute("SHOW WARNINGS")
            assert cursor.fetchall() == (), (sql, arguments)
            return found

    def table(self, columns: Sequence[tuple[str, ColumnType]]) -> None:
        body = ", ".join(f"{quote(name)} {render(ct, self.flavour)} NULL" for name, ct in columns)
        with self.connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS t")
        self.run(f"CREATE TABLE t ({body}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4")

    def there_and_back(self, values: Sequence[SqlValue]) -> tuple[Any, ...]:
        self.run("DELETE FROM t")
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO t VALUES ({marks})", *values)
        return self.run("SELECT * FROM t")[0]


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.connect(conv={**pymysql.converters.encoders, **CONVERSIONS}, binary_prefix=True) as connection:
        yield Session(connection, database.flavour)


def payloads(kind: str) -> st.SearchStrategy[AttributeValue]:
    values: dict[str, st.SearchStrategy[Any]] = {"S": texts(), "N": numbers(), "B": binaries(), "BOOL": st.booleans()}
    if kind in values:
        return values[kind].map(lambda payload: {kind: payload})
    return attribute_values().filter(lambda value: kind in value)


# Every type that can be asked for and every kind it holds, in one wide table.
TYPES = [
    *(parse_type(text) for text in (
        "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INT UNSIGNED", "BIGINT", "BIGINT UNSIGNED",
        "DECIMAL(38,0)", "DECIMAL(38,9)",
        "DECIMAL(65,27)", "DECIMAL(12,2)", "DECIMAL(65,30)", "DECIMAL(1,1)", "DECIMAL(65,0)", "DOUBLE",
        "BOOLEAN", "VARCHAR(3)",
        "VARCHAR(40)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "VARBINARY(3)", "VARBINARY(400)", "BLOB",
        "MEDIUMBLOB", "JSON",
        "DATE", "DATETIME", "DATETIME(3)", "DATETIME(6)",
    )),
    parse_type("DATETIME(3)", "epoch_ms"), parse_type("DATE", "epoch_ms"), parse_type("DATETIME(4)", "epoch_s"),
    parse_type("DATETIME(6)", "iso8601"),
]  # fmt: skip
SCALAR_KINDS: tuple[Kind, ...] = ("S", "N", "B", "BOOL")
CELLS: list[tuple[ColumnType, Kind]] = [(ct, kind) for ct in TYPES for kind in SCALAR_KINDS if holds(ct, kind)]


def check_cells(session: Session, cells: Sequence[tuple[ColumnType, Kind]], values: Sequence[AttributeValue]) -> None:
    encoded = [encode(ct, kind, value, session.flavour) for (ct, kind), value in zip(cells, values, strict=True)]
    stored = session.there_and_back([one.sql for one in encoded])
    for (ct, kind), value, one, cell in zip(cells, values, encoded, stored, strict=True):
        assert same_stored(ct, one.sql, cell, session.flavour), (ct, kind, value, one, cell)
        if one.exact:
            assert decode(ct, kind, cell) == settled(value), (ct, kind, value, one, cell)


def test_every_scalar_comes_back_from_every_type_as_it_was_written(session: Session) -> None:
    session.table([(f"c{number}", ct) for number, (ct, _) in enumerate(CELLS)])

    @settings(COSTLY_LAW, max_examples=60)
    @given(st.fixed_dictionaries({kind: payloads(kind) for kind in SCALAR_KINDS}))
    def law(drawn: dict[str, AttributeValue]) -> None:
        check_cells(session, CELLS, [drawn[kind] for _, kind in CELLS])

    law()


def test_edges_of_text_and_number_come_back_from_every_type(session: Session) -> None:
    session.table([(f"c{number}", ct) for number, (ct, _) in enumerate(CELLS)])
    # Each bound of each type, and its neighbours.
    bounds = [10**digits for digits in (1, 2, 10, 11, 29, 35, 38, 65)] + [
        2**bits for bits in (7, 8, 15, 23, 31, 32, 63, 64)
    ]
    near = [sign * (bound + step) for bound in bounds for step in (-1, 0, 1) for sign in (1, -1)]
    written = (
        [str(number) for number in near]
        + [f"{number}.5" for number in near]
        + [f"0.{'0' * 26}{digit}" for digit in "459"]
    )
    for text in written:
        values: dict[str, AttributeValue] = {"S": {"S": text}, "N": {"N": text}, "B": {"B": ""}, "BOOL": {"BOOL": True}}
        check_cells(session, CELLS, [values[kind] for _, kind in CELLS])
    for text in TEXT_EDGES:
        check_cells(session, CELLS, [{"S": text} if kind == "S" else {"NULL": True} for _, kind in CELLS])


def test_every_nested_value_comes_back_as_it_was_written(session: Session) -> None:
    types = [ColumnType("JSON"), ColumnType("MEDIUMTEXT")]
    session.table([(f"c{number}", ct) for number, ct in enumerate(types)])

    @settings(COSTLY_LAW, max_examples=100)
    @given(attribute_values().filter(lambda value: "NULL" not in value))
    def law(value: AttributeValue) -> None:
        check_cells(session, [(ct, kind_of(value)) for ct in types], [value] * len(types))

    law()


def test_text_that_is_json_comes_back_as_it_was_written(session: Session) -> None:
    session.table([("c", ColumnType("JSON"))])
    floats = st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1e-300)
    documents = st.recursive(
        st.none() | st.booleans() | st.integers() | floats | texts(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=6,
    )

    @settings(COSTLY_LAW, max_examples=150)
    @given(documents, st.booleans())
    def law(document: object, ascii_only: bool) -> None:
        text = json.dumps(document, ensure_ascii=ascii_only)
        check_cells(session, [(ColumnType("JSON"), "S")], [{"S": text}])

    law()


def test_any_override_makes_a_table_and_holds_its_values(session: Session) -> None:
    @settings(COSTLY_LAW, max_examples=25)
    @given(st.lists(st.tuples(override_types(), attribute_values()), min_size=1, max_size=8))
    def law(drawn: list[tuple[ColumnType, AttributeValue]]) -> None:
        cells: list[tuple[ColumnType, Kind]] = [(ct, kind_of(value)) for ct, value in drawn if "NULL" not in value]
        if cells:
            session.table([(f"c{number}", ct) for number, (ct, _) in enumerate(cells)])
            check_cells(session, cells, [value for _, value in drawn if "NULL" not in value])

    law()


def test_the_deepest_json_and_the_longest_key_are_taken_and_no_more_is_needed(session: Session) -> None:
    ct = ColumnType("JSON")
    session.table([("c", ct)])
    innermost: list[AttributeValue] = [{"S": "x"}, {"M": {}}, {"L": []}]
    for kind in ("L", "M"):
        for inside in innermost:
            for levels in (JSON_LEVELS_MAX - 1, JSON_LEVELS_MAX):
                value = nested(inside, levels, kind)
                check_cells(session, [(ct, kind_of(value))], [value])
    for length in (JSON_KEY_BYTES_MAX, JSON_KEY_BYTES_MAX + 1):
        check_cells(session, [(ct, "M")], [{"M": {"k" * length: {"N": "1"}}}])


def refused(session: Session, text: str) -> bool:
    try:
        session.run("INSERT INTO t VALUES (%s)", text)
    except pymysql.err.Error:
        return True
    return False


def test_the_limits_of_json_are_the_servers_own(session: Session) -> None:
    session.table([("c", ColumnType("JSON"))])
    deeper = JSON_LEVELS_MAX + 1
    assert refused(session, "[" * deeper + "]" * deeper) == (session.flavour == "mariadb")
    assert refused(session, json.dumps({"k" * (JSON_KEY_BYTES_MAX + 1): 1})) == (session.flavour == "mysql")


def test_a_long_text_and_a_long_binary_come_back(session: Session) -> None:
    cells: list[tuple[ColumnType, Kind]] = [
        (ColumnType("MEDIUMTEXT"), "S"),
        (ColumnType("MEDIUMBLOB"), "B"),
        (ColumnType("JSON"), "L"),
    ]
    session.table([(f"c{number}", ct) for number, (ct, _) in enumerate(cells)])
    values: list[AttributeValue] = [
        {"S": "ä😀\0'" * 50_000},
        {"B": "AP8n" * 130_000},
        {"L": [{"S": "\\\0" * 100_000}] * 2},
    ]
    check_cells(session, cells, values)


def test_keys_of_every_kind_and_size_come_back(session: Session) -> None:
    keys = (KeyAttribute("h", "S"), KeyAttribute("r", "B"))
    schema = empty_schema("t", "t", keys, frozenset(), (), False)
    session.table([(column.column, column.type) for column in schema.columns])
    for text, binary in (
        ("ä" * 1024, "AAAA" * 341),
        ("x" * 2048, "/w=="),
        ("😀" * 512, "AA=="),
        ("a ", "ICA="),
        ("\0", "AAA="),
    ):
        item: Item = {"h": {"S": text}, "r": {"B": binary}}
        row = to_row(schema, item, session.flavour)
        assert row.extra is None
        stored = session.there_and_back(row.values)
        assert differing(schema, row, stored, None, session.flavour) == ()
        assert to_item(schema, stored, None) == item


def with_extra(session: Session, schema: TableSchema) -> None:
    session.table([*((one.column, one.type) for one in schema.columns), ("_twinrow_extra", ColumnType("LONGTEXT"))])


def test_whole_items_come_back_from_their_rows(session: Session) -> None:
    @settings(COSTLY_LAW, max_examples=30)
    @given(st.lists(items(), min_size=1, max_size=3), items())
    def law(seen: list[Item], unseen: Item) -> None:
        keys = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
        schema = evolve(empty_schema("t", "t", keys, frozenset(), (), False), seen).schema
        with_extra(session, schema)
        for item in (*seen, unseen):
            row = to_row(schema, item, session.flavour)
            *stored, extra = session.there_and_back([*row.values, row.extra])
            assert extra == row.extra
            assert differing(schema, row, stored, extra, session.flavour) == ()
            expected = {name: settled(value) for name, value in item.items()}
            assert {name: settled(value) for name, value in to_item(schema, stored, extra).items()} == expected

    law()


def test_names_that_differ_to_us_differ_to_the_server(session: Session) -> None:
    @settings(COSTLY_LAW, max_examples=40)
    @given(st.lists(names(), min_size=1, max_size=25, unique=True))
    def law(attributes: list[str]) -> None:
        taken: list[str] = []
        for attribute in attributes:
            taken.append(column_name(attribute, taken))
        session.table([(name, ColumnType("BOOLEAN")) for name in taken])
        found = session.run(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 't' "
            "ORDER BY ordinal_position"
        )
        assert [name for (name,) in found] == taken

    law()


def test_every_character_can_stand_in_a_name(session: Session) -> None:
    characters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF]
    assigned = [one for one in characters if unicodedata.category(one) not in ("Cn", "Co", "Lo")]
    taken: list[str] = []
    seen: set[str] = set()
    for one in assigned:
        name = column_name(f"x{one}y", ())
        if fold(name) not in seen:
            seen.add(fold(name))
            taken.append(name)
    for first in range(0, len(taken), 1000):
        session.table([(name, ColumnType("BOOLEAN")) for name in taken[first : first + 1000]])


def test_the_fold_is_wider_than_what_the_server_compares_names_with(session: Session) -> None:
    collations = session.run(
        "SELECT collation_name FROM information_schema.collations "
        "WHERE collation_name IN ('utf8mb3_general_ci', 'utf8mb3_tolower_ci')"
    )
    codes = [code for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF]
    for (collation,) in collations:
        folds_by_weight: dict[str, set[str]] = {}
        for first in range(0, len(codes), 1000):
            selects = " UNION ALL ".join(
                f"SELECT {code}, HEX(WEIGHT_STRING(CONVERT(_ucs2 X'{code:04X}' USING utf8mb3) COLLATE {collation}))"
                for code in codes[first : first + 1000]
            )
            with session.connection.cursor() as cursor:
                cursor.execute(selects)
                for code, weight in cursor.fetchall():
                    folds_by_weight.setdefault(weight, set()).add(fold(chr(code)))
        assert not {weight: found for weight, found in folds_by_weight.items() if len(found) > 1}


def wide_item(kinds: Sequence[AttributeValue], count: int) -> Item:
    key: Item = {"username": {"S": "ä" * 1024}, "reviewed_at": {"S": "x" * 1024}}
    return {**key, **{name: kinds[number % len(kinds)] for number, name in enumerate(wide_names(count))}}


@pytest.mark.parametrize(
    "kinds",
    [
        [{"S": "x" * 60}],
        [{"S": "x" * 40}],
        [{"N": "9" * 38 + "." + "9" * 27}],
        [{"BOOL": True}],
        [{"L": [{"S": "x" * 100}]}],
        [{"S": "ä" * 30}, {"N": "1.5"}, {"BOOL": False}, {"B": "AAAA" * 20}, {"M": {"a": {"S": "x" * 60}}}],
    ],
)
def test_the_widest_row_that_we_learn_is_taken(session: Session, kinds: list[AttributeValue]) -> None:
    keys = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
    item = wide_item(kinds, 1500)
    schema = evolve(empty_schema("t", "t", keys, frozenset(), (), False), [item]).schema
    own = (
        "`row_id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, `_twinrow_key` BINARY(16) NOT NULL UNIQUE, "
        f"`_twinrow_extra` {render(ColumnType('LONGTEXT'), session.flavour)} NULL, "
        "`_twinrow_updated_at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), "
        "`_twinrow_deleted_at` DATETIME(6) NULL"
    )
    columns = [f"{quote(one.column)} {render(one.type, session.flavour)} NULL" for one in schema.columns]
    ending = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4"
    session.run(f"CREATE TABLE wide ({own}, {', '.join(columns[:2])}) {ending}")
    for first in range(2, len(columns), 100):
        adds = ", ".join(f"ADD COLUMN {column}" for column in columns[first : first + 100])
        session.run(f"ALTER TABLE wide {adds}, ALGORITHM=INSTANT")
    row = to_row(schema, item, session.flavour)
    names_in_order = ", ".join(["`_twinrow_key`", "`_twinrow_extra`", *(quote(one.column) for one in schema.columns)])
    marks = ", ".join(["%s"] * (len(row.values) + 2))
    session.run(
        f"INSERT INTO wide ({names_in_order.replace('%', '%%')}) VALUES ({marks})", row.key, row.extra, *row.values
    )
    stored = session.run("SELECT " + names_in_order + " FROM wide")[0]
    assert to_item(schema, stored[2:], stored[1]) == item
