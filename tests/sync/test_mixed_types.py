"""Values of another type than their column: SQL shows NULL, so they are counted, told, and an override shows them."""

from __future__ import annotations

import tomllib
from contextlib import closing
from typing import Any
from unittest.mock import Mock

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import CommandLine
from tests.fixtures.copying import Copying, put_all, review

from twinrow.app.columns.mixed import MixedColumn
from twinrow.app.observe import status
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.state import mixed

NUMBER = {"N": "1234"}
TEXTS, NUMBERS = 40, 5


def copied(make_copying: MakeCopying, **options: Any) -> Copying:
    """Most `zip` are texts; the first items have numbers."""
    copying = make_copying(capture="scan", link=False, **options)
    put_all(
        copying.client, copying.table,
        [review(n, zip=NUMBER if n < NUMBERS else {"S": "01234"}) for n in range(NUMBERS + TEXTS)],
    )  # fmt: skip
    copying.once_well()
    return copying


def told(copying: Copying) -> tuple[MixedColumn, ...]:
    """What `status` tells; each in a note, too."""
    config = parse(copying.text())
    with closing(copying.copies(Stop())[1].connect()) as session:
        (one,) = status.collect(session, config.chosen([])).tables
    assert all(any(column.override in note for note in one.notes) for column in one.mixed)
    return one.mixed


def test_values_of_another_type_are_told_with_the_override_that_shows_them(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    assert copying.rows("COUNT(*), COUNT(zip)") == [(NUMBERS + TEXTS, TEXTS)]
    (found,) = told(copying)
    assert (found.attribute, found.type, found.nulls, found.values) == ("zip", "S", NUMBERS, NUMBERS + TEXTS)
    assert (found.kinds, found.override) == ({"N": NUMBERS}, 'columns.zip.type = "MEDIUMTEXT"')

    copying.config_file()
    shell = CommandLine(copying.folder)
    (document,) = shell.run("schema", "--json").document["tables"]
    assert [(one["attribute"], one["nulls"], one["override"]) for one in document["mixed"]] == [
        ("zip", NUMBERS, found.override)
    ]
    assert f"An override shows them: {found.override}\n" in shell.run("schema").out

    name = f'name = "{copying.table}"\n'
    pasted = copying.text().replace(name, f"{name}{found.override}\n")
    (entry,) = tomllib.loads(pasted)["tables"]
    shell.write_config(pasted)
    done = shell.run("sync", "--once")
    assert done.code == 0, done.err
    copying.change(columns=entry["columns"])
    assert told(copying) == ()
    assert dict(copying.rows("zip, COUNT(*)", "1=1 GROUP BY zip", order="zip")) == {"01234": TEXTS, "1234": NUMBERS}
    copying.assert_equal(items=NUMBERS + TEXTS)


def test_an_item_counts_once_however_often_it_is_written_and_no_more_when_it_is_gone(make_copying: MakeCopying) -> None:
    copying = copied(make_copying)
    for word in ("once", "twice", "thrice"):
        put_all(copying.client, copying.table, [review(1, zip=NUMBER, word={"S": word})])
        copying.once_well()
    assert [(one.nulls, one.values) for one in told(copying)] == [(NUMBERS, NUMBERS + TEXTS)]

    gone = {name: review(0)[name] for name in ("username", "reviewed_at")}
    copying.client.delete_item(TableName=copying.table, Key=gone)
    put_all(copying.client, copying.table, [review(1, zip={"S": "now a text"})])
    count_is_old(copying)
    copying.once_well()
    assert [(one.nulls, one.values) for one in told(copying)] == [(NUMBERS - 2, NUMBERS + TEXTS - 1)]

    put_all(copying.client, copying.table, [review(n, zip={"S": "a text"}) for n in range(1, NUMBERS)])
    count_is_old(copying)
    copying.once_well()
    assert told(copying) == ()
    assert copying.state("_twinrow_mixed") == 0


def test_a_few_strays_are_not_told(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = copied(make_copying)
    monkeypatch.setattr(mixed, "REPORTED_SHARE", NUMBERS / (NUMBERS + TEXTS))
    assert told(copying) == ()


def test_a_table_of_one_type_each_is_not_counted(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n, migrated={"S": "false"}) for n in range(5)])
    asked = Mock(wraps=mixed.of_table)
    monkeypatch.setattr(mixed, "of_table", asked)
    copying.once_well()
    assert asked.call_count == 1, "once, at the start"


def count_is_old(copying: Copying) -> None:
    copying.database.query("UPDATE _twinrow_mixed SET counted_at = counted_at - 4000")
