"""Views: nested maps as columns, lists and sets as rows, on both servers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.fixtures.databases import Database

from twinrow.change import Item
from twinrow.decode.attribute import plain
from twinrow.schema.evolve import evolve
from twinrow.schema.naming import quote
from twinrow.schema.row import to_row
from twinrow.schema.table import KeyAttribute, Override, TableSchema, empty_schema
from twinrow.schema.views import KEYS_A_MAP_MAX, views
from twinrow.sink import statements

KEYS = (KeyAttribute("username", "S"), KeyAttribute("at", "N"))


def _learned(items: list[Item], *, soft: bool = False, overrides: tuple[Override, ...] = ()) -> TableSchema:
    return evolve(empty_schema("reviews", "reviews", KEYS, frozenset(), overrides, soft), items).schema


def _samples(schema: TableSchema, items: list[Item]) -> dict[str, list[object]]:
    wanted = [column.attribute for column in schema.columns if column.type.name == "JSON"]
    return {name: [plain(item[name]) for item in items if name in item] for name in wanted}


def _load(database: Database, schema: TableSchema, items: list[Item]) -> None:
    database.query(statements.create_table(schema, database.flavour))
    for item in items:
        row = to_row(schema, item, database.flavour)
        names = ", ".join(["`_twinrow_key`", *(quote(column.column) for column in schema.columns)])
        marks = ", ".join(["%s"] * (1 + len(row.values)))
        database.query(f"INSERT INTO {quote(schema.into)} ({names}) VALUES ({marks})", row.key, *row.values)


def _made(database: Database, items: list[Item], sampled: list[Item] | None = None, **arguments: Any) -> list[str]:
    schema = _learned(items, **arguments)
    _load(database, schema, items)
    made = [
        view.sql for view in views(schema, _samples(schema, items if sampled is None else sampled), database.flavour)
    ]
    for statement in made:
        database.query(statement)
    return made


def _item(number: int, **attributes: dict[str, Any]) -> Item:
    return {"username": {"S": f"user{number}"}, "at": {"N": str(number)}, **attributes}


def test_nested_maps_become_columns(database: Database) -> None:
    flavours = {
        "M": {"mint": {"N": "4.5"}, "sweet": {"BOOL": True}, "note": {"S": "fresh"}, "by": {"M": {"who": {"S": "ann"}}}}
    }
    _made(database, [_item(1, flavours=flavours), _item(2)])

    found = database.query(
        "SELECT username, flavours_mint, flavours_sweet, flavours_note, flavours_by_who FROM reviews_flat "
        "ORDER BY row_id"
    )
    assert found == [("user1", 4.5, 1, "fresh", "ann"), ("user2", None, None, None, None)]


def test_lists_and_sets_become_rows_with_their_key(database: Database) -> None:
    stops = {"L": [{"M": {"city": {"S": "Ulm"}, "km": {"N": "12"}}}, {"M": {"city": {"S": "Köln"}}}]}
    one = _item(1, tags={"SS": ["b", "a"]}, counts={"NS": ["2", "1.5"]}, stops=stops)
    inside = _item(2, more={"M": {"pages": {"L": [{"N": "7"}, {"N": "8"}]}}}, tags={"SS": ["c"]})
    _made(database, [one, inside])

    assert database.query("SELECT username, at, position, value FROM reviews_tags ORDER BY row_id, position") == [
        ("user1", 1, 1, "a"), ("user1", 1, 2, "b"), ("user2", 2, 1, "c"),
    ]  # fmt: skip
    assert database.query("SELECT value FROM reviews_counts ORDER BY position") == [(1.5,), (2.0,)]
    assert database.query("SELECT position, city, km FROM reviews_stops ORDER BY position") == [
        (1, "Ulm", 12.0), (2, "Köln", None),
    ]  # fmt: skip
    assert database.query("SELECT username, value FROM reviews_more_pages ORDER BY position") == [
        ("user2", 7.0), ("user2", 8.0),
    ]  # fmt: skip


def test_what_the_sample_did_not_show_is_null_or_text_never_a_false_number(database: Database) -> None:
    sampled = [_item(1, m={"M": {"n": {"N": "1"}, "b": {"BOOL": False}, "id": {"N": "9007199254740993"}}})]
    later = [
        _item(2, m={"M": {"n": {"S": "twelve"}, "b": {"S": "no"}, "id": {"N": "1.5"}}}),
        _item(3, m={"M": {"n": {"L": []}, "b": {"NULL": True}, "id": {"S": "x"}, "unseen": {"N": "1"}}}),
        _item(4, m={"M": {"id": {"N": "1E+60"}, "n": {"N": "-0.000000001"}}}),
    ]
    _made(database, sampled + later, sampled)

    found = database.query("SELECT m_n, m_b, m_id FROM reviews_flat ORDER BY row_id")
    assert found[0] == (1.0, 0, Decimal(9007199254740993))
    assert found[1] == (None, None, Decimal("1.5"))
    assert found[2] == (None, None, None)
    assert found[3] == (-1e-09, None, None)
    ((cell,),) = database.query("SELECT m FROM reviews_flat WHERE username = 'user3'")
    assert json.loads(cell)["unseen"] == 1, "the whole JSON column is in the view too"


def test_mixed_types_are_text_and_null_is_null(database: Database) -> None:
    items = [
        _item(1, m={"M": {"x": {"N": "5"}}}),
        _item(2, m={"M": {"x": {"S": "five"}}}),
        _item(3, m={"M": {"x": {"NULL": True}}}),
    ]
    _made(database, items)
    assert database.query("SELECT m_x FROM reviews_flat ORDER BY row_id") == [("5",), ("five",), (None,)]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a.b",
        "a`b",
        "a-b",
        "it's",
        "",
        "😀",
        "$",
        "*",
        "[0]",
        "%s",
        "select",
        "row_id",
        "ä",
        "x" * 200,
        "a ",
        "?",
    ],
)
def test_any_key_that_a_path_can_name_has_its_column(database: Database, name: str) -> None:
    item = _item(1, m={"M": {name: {"S": "here"}, "other": {"S": "there"}}})
    schema = _learned([item])
    _load(database, schema, [item])
    (flat,) = (view.sql for view in views(schema, _samples(schema, [item]), database.flavour))
    database.query(flat)
    (row,) = database.query("SELECT * FROM reviews_flat")
    assert sorted(row[-2:]) == ["here", "there"]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "--", '"); DROP TABLE reviews; --', "\0"])
def test_a_key_that_would_need_escapes_stays_in_its_json_column(database: Database, name: str) -> None:
    made = _made(database, [_item(1, m={"M": {name: {"S": "here"}, "other": {"S": "there"}}})])
    assert made[0].count(" PATH ") == 1
    ((cell, other),) = database.query("SELECT m, m_other FROM reviews_flat")
    assert (json.loads(cell)[name], other) == ("here", "there")


def test_names_of_views_and_columns_never_collide(database: Database) -> None:
    items = [
        _item(
            1,
            m={"M": {"a": {"N": "1"}, "A": {"N": "2"}}},
            m_a={"N": "3"},
            value={"L": [{"M": {"position": {"N": "4"}}}]},
            flat={"SS": ["x"]},
            **{"y" * 80: {"SS": ["z"]}},
        ),
    ]
    made = _made(database, items)
    assert len(made) == 4
    (row,) = database.query("SELECT * FROM reviews_flat")
    assert {1.0, 2.0} <= set(row[-2:])
    names = [
        row[0]
        for row in database.query("SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()")
    ]
    assert len(names) == 4
    assert "reviews_flat" in names


def test_names_that_differ_in_leading_blanks_only_are_told_apart_in_views(database: Database) -> None:
    """The servers take blanks and control characters off the front of a view's column: it could not be read."""
    names = ["a", " a", "  a", "\x01a", "_a", " ", "\x7f", "b"]
    inner = {"x": {"N": "1"}, " x": {"N": "2"}}
    items = [_item(1, m={"L": [{"M": inner}]}, **{name: {"S": f"cell {n}"} for n, name in enumerate(names)})]
    _made(database, items)
    (row,) = database.query("SELECT * FROM reviews_flat")
    assert {f"cell {n}" for n in range(len(names))} <= set(row)
    (row,) = database.query("SELECT * FROM reviews_m")
    assert {1.0, 2.0} <= set(row)


def test_a_map_of_ids_stays_json_and_many_maps_stay_within_a_join(database: Database) -> None:
    wide = {"M": {f"id{number}": {"N": "1"} for number in range(KEYS_A_MAP_MAX + 1)}}
    maps = {f"map{number}": {"M": {"a": {"N": "1"}}} for number in range(70)}
    made = _made(database, [_item(1, wide=wide, inside={"M": {"wide": wide}}, **maps)])
    assert "id7" not in made[0]
    ((cell,),) = database.query("SELECT inside_wide FROM reviews_flat")
    assert len(json.loads(cell)) == KEYS_A_MAP_MAX + 1
    assert "map0_a" in made[0]


def test_deeply_nested_values_end_as_json(database: Database) -> None:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(25):
        value = {"M": {"k": value}}
    made = _made(database, [_item(1, m=value)])
    (row,) = database.query("SELECT * FROM reviews_flat")
    assert len(made) == 1
    assert "deep" in str(row[-1])


def test_rows_kept_after_a_delete_are_in_no_view(database: Database) -> None:
    _made(database, [_item(1, tags={"SS": ["a"]}), _item(2, tags={"SS": ["b"]})], soft=True)
    database.query("UPDATE reviews SET _twinrow_deleted_at = UTC_TIMESTAMP(6) WHERE username = 'user1'")
    assert database.query("SELECT username FROM reviews_flat") == [("user2",)]
    assert database.query("SELECT value FROM reviews_tags") == [("b",)]


def test_an_empty_sample_still_gives_views(database: Database) -> None:
    made = _made(database, [_item(1, m={"M": {}}, l={"L": []}, ns={"NS": ["1"]})], sampled=[])
    assert len(made) == 3
    assert database.query("SELECT value FROM reviews_ns") == [(1.0,)]
    assert database.query("SELECT value FROM reviews_l") == []


def test_views_of_a_name_taken_by_a_table_are_renamed(database: Database) -> None:
    item = _item(1, tags={"SS": ["a"]})
    schema = _learned([item])
    taken = ["reviews_flat", "REVIEWS_TAGS"]
    made = [view.sql for view in views(schema, _samples(schema, [item]), database.flavour, taken=taken)]
    assert not any("`reviews_flat`" in one or "`reviews_tags`" in one for one in made)
