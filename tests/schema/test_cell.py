"""Values in columns: exact means identical, and what is not exact never reaches the server unrounded."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fixtures.items import LAW, attribute_values, nested, numbers, texts, written_numbers
from tests.fixtures.schemas import column_types

from twinrow.change import AttributeValue
from twinrow.decode.attribute import Kind, kind_of
from twinrow.decode.plain import settled
from twinrow.flavour import (
    Flavour,
    SqlValue,  # fmt: skip
)
from twinrow.schema.cell import holds
from twinrow.schema.column_type import ColumnType, decode, encode, parse_type, same_stored
from twinrow.schema.json_cell import JSON_LEVELS_MAX
from twinrow.schema.sql_type import INTEGER_RANGES

FLAVOURS: tuple[Flavour, ...] = ("mysql", "mariadb")
written_values = attribute_values() | written_numbers().map(lambda number: {"N": number})


def after_mysql(ct: ColumnType, sql: SqlValue) -> SqlValue:
    """The cell as MySQL gives it back: JSON in another form, DECIMAL with the column's scale."""
    if ct.name == "JSON" and isinstance(sql, str):
        return json.dumps(_reversed(json.loads(sql)), ensure_ascii=False)
    if ct.name == "DECIMAL" and isinstance(sql, Decimal):
        return Decimal(f"{sql:.{ct.scale}f}")
    return sql


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {name: _reversed(one) for name, one in reversed(value.items())}
    return [_reversed(one) for one in value] if isinstance(value, list) else value


@LAW
@given(column_types(), st.sampled_from(get_args(Kind)), written_values)
def test_exact_means_that_the_very_value_comes_back(ct: ColumnType, column_kind: Kind, value: AttributeValue) -> None:
    for kind in (column_kind, kind_of(value)):
        if kind == "NULL":
            continue
        encoded = encode(ct, kind, value, "mysql")
        assert encoded == encode(ct, kind, value, "mariadb")
        stored = after_mysql(ct, encoded.sql)
        assert same_stored(ct, encoded.sql, stored, "mysql")
        assert same_stored(ct, encoded.sql, stored if ct.name == "DECIMAL" else encoded.sql, "mariadb")
        if encoded.exact:
            assert decode(ct, kind, stored) == settled(value)
            assert decode(ct, kind, encoded.sql) == settled(value)
            assert holds(ct, kind)
        if kind != kind_of(value) or not holds(ct, kind):
            assert encoded.sql is None
        decode(ct, kind, stored)


@LAW
@given(column_types(), written_values)
def test_nothing_is_left_for_the_server_to_round_or_cut(ct: ColumnType, value: AttributeValue) -> None:
    sql = encode(ct, kind_of(value), value, "mysql").sql if kind_of(value) != "NULL" else None
    if sql is None:
        return
    if ct.name in INTEGER_RANGES:
        low, high = INTEGER_RANGES[ct.name]
        assert type(sql) is int
        assert low <= sql <= high
    elif ct.name == "DECIMAL":
        assert isinstance(sql, Decimal)
        units = Fraction(sql) * 10 ** (ct.scale or 0)
        assert units.denominator == 1
        assert abs(units) < 10 ** (ct.length or 0)
    elif ct.name in ("VARCHAR", "VARBINARY"):
        assert isinstance(sql, str | bytes)
        assert len(sql) <= (ct.length or 0)
    elif ct.name in ("DATE", "DATETIME"):
        assert isinstance(sql, str)
        assert "1000-01-01" <= sql[:10] <= "9999-12-31"


@LAW
@given(numbers(), st.integers(1, 65), st.integers(0, 30))
def test_decimals_are_rounded_half_to_even_or_left_out(number: str, digits: int, scale: int) -> None:
    scale = min(scale, digits)
    encoded = encode(ColumnType("DECIMAL", digits, scale), "N", {"N": number}, "mysql")
    units = Fraction(number) * 10**scale
    if encoded.sql is None:
        assert abs(round(units)) >= 10**digits
        return
    assert isinstance(encoded.sql, Decimal)
    # Python rounds half to even, too.
    assert Fraction(encoded.sql) * 10**scale == round(units)
    assert encoded.exact == (round(units) == units)


@pytest.mark.parametrize(
    ("type_text", "value", "sql", "exact"),
    [
        ("BIGINT", {"N": "9223372036854775807"}, 9223372036854775807, True),
        ("BIGINT", {"N": "9223372036854775808"}, None, False),
        ("BIGINT", {"N": "1.5"}, 2, False),
        ("BIGINT", {"N": "2.5"}, 2, False),
        ("BIGINT", {"N": "1E+2"}, 100, False),
        ("BIGINT", {"N": "-0"}, 0, False),
        ("BIGINT", {"N": "-0.4"}, 0, False),
        ("BIGINT", {"S": "42"}, 42, True),
        ("BIGINT", {"S": "042"}, 42, False),
        ("BIGINT", {"S": "forty-two"}, None, False),
        ("BIGINT", {"S": ""}, None, False),
        ("TINYINT", {"N": "127"}, 127, True),
        ("TINYINT", {"N": "127.6"}, None, False),
        ("TINYINT", {"BOOL": True}, 1, True),
        ("INT UNSIGNED", {"N": "-1"}, None, False),
        ("BIGINT UNSIGNED", {"N": "18446744073709551615"}, 18446744073709551615, True),
        ("DECIMAL(5,2)", {"N": "999.99"}, Decimal("999.99"), True),
        ("DECIMAL(5,2)", {"N": "999.995"}, None, False),
        ("DECIMAL(5,2)", {"N": "1.005"}, Decimal("1.00"), False),
        ("DECIMAL(5,2)", {"N": "1.50"}, Decimal("1.50"), False),
        ("DECIMAL(5,5)", {"N": "0.5"}, Decimal("0.5"), True),
        ("DECIMAL(5,5)", {"N": "1"}, None, False),
        ("DECIMAL(29,29)", {"N": "1"}, None, False),
        ("DECIMAL(29,29)", {"N": "-1"}, None, False),
        ("DECIMAL(65,27)", {"N": "1E-130"}, Decimal(0), False),
        ("DECIMAL(65,27)", {"N": "9.9E125"}, None, False),
        ("DOUBLE", {"N": "0.1"}, 0.1, True),
        ("DOUBLE", {"N": "9007199254740993"}, 9007199254740992.0, False),
        ("DOUBLE", {"N": "-0"}, 0.0, False),
        ("DOUBLE", {"N": "100"}, 100.0, True),
        ("DOUBLE", {"S": "1e999"}, None, False),
        ("DOUBLE", {"S": "NaN"}, None, False),
        ("BOOLEAN", {"BOOL": False}, 0, True),
        ("BOOLEAN", {"N": "1"}, 1, True),
        ("BOOLEAN", {"N": "2"}, None, False),
        ("BOOLEAN", {"S": "true"}, 1, True),
        ("VARCHAR(3)", {"S": "ab "}, "ab ", True),
        ("VARCHAR(3)", {"S": "😀😀😀"}, "😀😀😀", True),
        ("VARCHAR(3)", {"S": "abcd"}, None, False),
        ("VARCHAR(5)", {"BOOL": False}, "false", True),
        ("VARCHAR(5)", {"N": "1.50"}, "1.50", True),
        ("TINYTEXT", {"S": "ä" * 128}, None, False),
        ("TINYTEXT", {"S": "ä" * 127}, "ä" * 127, True),
        ("TEXT", {"L": [{"N": "1"}, {"B": "AA=="}]}, '[1,"AA=="]', False),
        ("VARBINARY(2)", {"B": "AAE="}, b"\0\1", True),
        ("VARBINARY(2)", {"B": "AAEC"}, None, False),
        ("BLOB", {"B": "AB=="}, b"\0", False),
        ("BLOB", {"S": "ä"}, "ä".encode(), True),
        ("BLOB", {"L": []}, None, False),
        ("JSON", {"M": {"b": {"N": "1"}, "a": {"S": "ä"}}}, '{"a":"ä","b":1}', True),
        ("JSON", {"N": "12345678901234567890"}, "1.2345678901234567e19", False),
        ("JSON", {"NS": ["2", "1"]}, "[1,2]", True),
        ("JSON", {"S": "a"}, '"a"', True),
        ("JSON", {"S": '{"a":[1,2]}'}, '{"a":[1,2]}', True),
        ("JSON", {"S": '{"a": 1}'}, '{"a":1}', False),
        ("JSON", {"S": "[10.0,-0.25,0.1,123456789.012345]"}, "[10.0,-0.25,0.1,123456789.012345]", True),
        ("JSON", {"S": "[9088544342.689999]"}, "[9088544342.689999]", False),
        ("JSON", {"S": "[1e-30]"}, "[1e-30]", False),
        ("JSON", {"S": "[1e999]"}, '"[1e999]"', True),
        ("JSON", {"S": "[NaN]"}, '"[NaN]"', True),
        ("JSON", {"S": '["\\ud800"]'}, '"[\\"\\\\ud800\\"]"', True),
        ("JSON", {"S": "[" + "1" * 5000 + "]"}, '"[' + "1" * 5000 + ']"', True),
        ("JSON", {"S": "[" * 5000}, '"' + "[" * 5000 + '"', True),
    ],
)
def test_cells(type_text: str, value: AttributeValue, sql: SqlValue, exact: bool) -> None:
    encoded = encode(parse_type(type_text), kind_of(value), value, "mysql")
    assert (encoded.sql, encoded.exact) == (sql, exact)
    assert type(encoded.sql) is type(sql)


def test_json_that_a_server_refuses_stays_in_extra() -> None:
    ct = ColumnType("JSON")
    for kind in ("L", "M"):
        deepest = nested({"S": "[" * 99}, JSON_LEVELS_MAX, kind)
        assert encode(ct, kind_of(deepest), deepest, "mysql").exact
        deeper = nested({kind: {} if kind == "M" else []}, JSON_LEVELS_MAX, kind)
        assert encode(ct, kind_of(deeper), deeper, "mysql").sql is None
    for length, fits in ((65_535, True), (65_536, False)):
        value: AttributeValue = {"M": {"a": {"L": [{"M": {"k" * length: {"N": "1"}}}]}}}
        assert (encode(ct, "M", value, "mysql").sql is not None) == fits
    many: AttributeValue = {"L": [{"L": []}] * 100}
    assert encode(ct, "L", many, "mysql").exact


@pytest.mark.parametrize("kind", ["S", "M", "N"])
@pytest.mark.parametrize("type_text", ["MEDIUMTEXT", "VARCHAR(9)", "JSON", "BLOB", "DATETIME", "BIGINT", "DOUBLE"])
def test_lone_surrogates_are_refused_not_bent(type_text: str, kind: str) -> None:
    payloads = {"S": "a\ud800", "M": {"a": {"S": "\udfff"}}, "N": "\ud800"}
    ct = parse_type(type_text)
    if holds(ct, kind):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"surrogate|not a DynamoDB number"):
            encode(ct, kind, {kind: payloads[kind]}, "mysql")  # type: ignore[arg-type]


@LAW
@given(st.sampled_from(["MEDIUMTEXT", "BLOB", "JSON"]), texts(), texts())
@example("MEDIUMTEXT", "a", "a ")
@example("MEDIUMTEXT", "a", "A")
def test_text_is_compared_by_code_points(type_text: str, a: str, b: str) -> None:
    ct = parse_type(type_text)
    ours, theirs = (encode(ct, "S", {"S": text}, "mysql").sql for text in (a, b))
    if not (a.startswith(("{", "[")) and b.startswith(("{", "["))):
        assert all(same_stored(ct, ours, theirs, flavour) == (a == b) for flavour in FLAVOURS)


@pytest.mark.parametrize(
    ("type_text", "expected", "stored", "flavour", "same"),
    [
        ("JSON", '{"a":1,"b":2}', '{"b": 2, "a": 1}', "mysql", True),
        ("JSON", '{"a":1,"b":2}', '{"b": 2, "a": 1}', "mariadb", False),
        ("JSON", "[1]", "[1.0]", "mysql", False),
        ("JSON", "[1]", "[true]", "mysql", False),
        ("JSON", "[1]", "[1", "mysql", False),
        ("JSON", "[1]", None, "mysql", False),
        ("DECIMAL(5,2)", Decimal("1.5"), Decimal("1.50"), "mysql", True),
        ("DECIMAL(5,2)", Decimal("1.5"), Decimal("1.5"), "mysql", False),
        ("DECIMAL(5,2)", Decimal("1.5"), 1.5, "mysql", False),
        ("BIGINT", 1, 1, "mysql", True),
        ("BIGINT", 1, Decimal(1), "mysql", False),
        ("BIGINT", None, 0, "mysql", False),
        ("BIGINT", None, None, "mysql", True),
        ("DOUBLE", 0.1, 0.1, "mysql", True),
        ("DATETIME(3)", "2024-05-01 12:00:00.100", "2024-05-01 12:00:00.100", "mysql", True),
        ("DATETIME(3)", "2024-05-01 12:00:00.100", "2024-05-01 12:00:00.1", "mysql", False),
        ("BLOB", b"a", "a", "mysql", False),
    ],
)
def test_what_was_stored_is_compared_strictly(
    type_text: str, expected: SqlValue, stored: SqlValue, flavour: Flavour, same: bool
) -> None:
    assert same_stored(parse_type(type_text), expected, stored, flavour) == same


@pytest.mark.parametrize(
    ("type_text", "kind", "stored"),
    [
        ("JSON", "SS", "{}"),
        ("JSON", "M", "[1"), ("JSON", "NS", '["a"]'), ("BOOLEAN", "BOOL", 7), ("BOOLEAN", "S", -1),
        ("TINYINT", "BOOL", 2), ("DATETIME", "N", "0000-00-00 00:00:00"), ("BLOB", "S", b"\xff"),
        ("VARCHAR(9)", "BOOL", "maybe"),
    ],
)  # fmt: skip
def test_what_somebody_else_wrote_into_a_cell_does_no_harm(type_text: str, kind: Kind, stored: SqlValue) -> None:
    assert decode(parse_type(type_text), kind, stored) is None
