"""`index`: built after the first copy, in step with the setting, and never another's."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all

from twinrow.app.check import indexes as check_indexes
from twinrow.app.check import mysql as check_mysql
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.errors import ConfigError, StartRefused
from twinrow.schema.column_type import parse_type
from twinrow.schema.table import Column, KeyAttribute, TableSchema
from twinrow.sink.indexes import PREFIX, index_of, name_of

ITEMS = 12
TEXT = {"type": "VARCHAR(191)", "widen": True}


def schema_of(page_bytes: int = 16_384, **types: str) -> TableSchema:
    columns = tuple(Column(name, name, "S", parse_type(ct), False, True) for name, ct in types.items())
    keys = (KeyAttribute("id", "S"),)
    return TableSchema("t", "t", 1, keys, columns, frozenset(), (), False, page_bytes)


def test_the_parts_of_an_index_fit_its_key() -> None:
    schema = schema_of(a="MEDIUMTEXT", b="BIGINT", c="JSON", d="VARCHAR(20)", e="TINYTEXT", f="BLOB")
    assert index_of(schema, ("a",)).parts == ("`a`(191)",)
    assert index_of(schema, ("b", "d")).parts == ("`b`", "`d`")
    assert index_of(schema, ("a", "e", "d", "f")).parts == ("`a`(191)", "`e`(191)", "`d`", "`f`(191)")
    assert index_of(schema, ("c", "b")).refused == "c"
    assert index_of(schema, ("b", "late")).lacks == "late"
    small = schema_of(4_096, a="MEDIUMTEXT", b="MEDIUMTEXT")
    assert index_of(small, ("a", "b")).parts == ("`a`(96)", "`b`(96)")


def test_names_are_the_same_always_and_of_mysqls_length() -> None:
    assert name_of(("a",)) == name_of(("a",)) != name_of(("a", "b"))
    assert name_of(("a_b",)) != name_of(("a", "b"))
    assert all(len(name_of(names)) <= 64 for names in [("x" * 255,), ("ü" * 200, "\0")])


@pytest.mark.parametrize(
    "line",
    ['index = [[]]', 'index = ["a", "a"]', 'index = [["a", "a"]]', 'index = ["mysql_id"]', 'index = [""]',
     'index = ["a"]\ncolumns.a.ignore = true'],
)  # fmt: skip
def test_what_can_be_no_index_is_refused_in_the_file(line: str) -> None:
    head = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "reviews"\ncapture = "scan"\nlink = true\n'
    with pytest.raises(ConfigError, match="index"):
        parse(head + line, "twinrow.toml", {})


def item(number: int, **more: Any) -> dict[str, Any]:
    return marked(number, **{"city": {"S": f"c{number}"}, **more})


def ours(copying: Copying) -> dict[str, list[tuple[str, int | None]]]:
    """The parts of each index that Twinrow has built, by its attributes."""
    found: dict[str, list[tuple[str, int | None]]] = {}
    for row in copying.database.query(f"SHOW INDEX FROM `{copying.table}`"):
        if str(row[2]).startswith(PREFIX):
            found.setdefault(str(row[2]), []).append((str(row[4]), row[7]))
    return found


def told(copying: Copying) -> list[str]:
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        registered = check_mysql.registered(session, context.name)
        return [finding.text for finding in check_indexes.look(session, context.settings, registered)]


def test_indexes_follow_their_setting_and_no_other_is_touched(make_copying: MakeCopying) -> None:
    copying = make_copying(index=["rating", ["city", "price"], "late"], columns={"city": TEXT})
    put_all(copying.client, copying.table, [item(n) for n in range(ITEMS)])
    assert told(copying) == ["3 to be built after the first copy"]
    copying.once_well()
    both, one, late = name_of(("city", "price")), name_of(("rating",)), name_of(("late",))
    assert ours(copying) == {one: [("rating", None)], both: [("city", 190), ("price", None)]}
    assert "(late) waits until an item has 'late'" in told(copying)[0]

    put_all(copying.client, copying.table, [item(1, late={"S": "x"}), item(2, city={"S": "y" * 500})])
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ours(copying)[late] == [("late", 191)]
    assert ours(copying)[both] == [("city", 190), ("price", None)], "the column has grown below its index"

    table = copying.table
    copying.database.query(f"ALTER TABLE `{table}` ADD INDEX `{PREFIX}theirs` (rating), ADD INDEX mine (price)")
    copying.change(index=["late"])
    copying.once_well()
    assert ours(copying).keys() == {late, f"{PREFIX}theirs"}
    copying.change(index=[])
    copying.once_well()
    assert ours(copying).keys() == {f"{PREFIX}theirs"}
    assert copying.database.query(f"SHOW INDEX FROM `{table}` WHERE Key_name = 'mine'")


@pytest.mark.either_server
def test_an_index_is_built_again_when_its_column_changes(make_copying: MakeCopying) -> None:
    copying = make_copying(index=["price"])
    put_all(copying.client, copying.table, [item(n) for n in range(ITEMS)])
    copying.once_well()
    copying.change(columns={"price": {"type": "VARCHAR(30)", "column": "cost"}})
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ours(copying) == {name_of(("price",)): [("cost", None)]}


@pytest.mark.either_server
def test_json_is_refused_at_the_start_of_a_copy_and_for_a_copy(make_copying: MakeCopying) -> None:
    copying = make_copying(index=["flavours"])
    put_all(copying.client, copying.table, [item(n) for n in range(ITEMS)])
    error = copying.once().outcome.error
    assert isinstance(error, StartRefused)
    assert "whose column is JSON" in str(error)
    copying.change(index=[])
    copying.once_well()
    copying.change(index=["tags"])
    error = copying.once().outcome.error
    assert isinstance(error, StartRefused)
