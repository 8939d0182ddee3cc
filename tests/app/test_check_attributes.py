"""A setting that names an attribute which no item has does nothing, and whoever wrote it believes that it does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from twinrow.app.check import attributes
from twinrow.app.check.finding import Finding
from twinrow.app.wiring import settings_of
from twinrow.change import Item
from twinrow.config import parse
from twinrow.errors import StartRefused
from twinrow.schema.evolve import evolve
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema
from twinrow.sync.named_attributes import refuse_paths
from twinrow.table.settings import Settings

ITEMS: tuple[Item, ...] = (
    {"id": {"S": "1"}, "email": {"S": "a@b"}, "address": {"M": {"city": {"S": "x"}}}, "dotted.name": {"S": "y"}},
    {"id": {"S": "2"}, "tags": {"L": []}},
)


def settings(*lines: str) -> Settings:
    text = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "reviews"\ncapture = "scan"\n' + "\n".join(lines)
    (table,) = parse(text, "twinrow.toml", {}).tables
    return settings_of(table, "twinrow.toml")


def copied(*items: Item) -> TableSchema:
    bare = empty_schema("reviews", "reviews", (KeyAttribute("id", "S"),), frozenset(), (), False)
    return evolve(bare, items).schema


def looked(given: Settings, items: Sequence[Item] = ITEMS, schema: TableSchema | None = None) -> list[Finding]:
    return list(attributes.look(given, items, schema))


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("columns.emial.ignore = true", "'email'"), ("columns.Email.ignore = true", "'email'"),
        ('columns.adress.type = "JSON"', "'address'"), ("columns.zzz.ignore = true", "look up"),
    ],
)  # fmt: skip
def test_an_attribute_that_no_item_has_is_warned_of_with_the_nearest_name(line: str, near: str) -> None:
    (found,) = looked(settings(line))
    assert found.level == "warning"
    assert "no item of 2 has the attribute" in found.text
    assert near in found.remedy


def test_an_attribute_that_the_copy_has_is_no_reason_to_warn() -> None:
    """A rare attribute is in none of a hundred items, and has a column all the same."""
    given = settings('columns.rare.type = "JSON"')
    assert [found.level for found in looked(given)] == ["warning"]
    assert [found.level for found in looked(given, schema=copied({"id": {"S": "1"}, "rare": {"S": "x"}}))] == ["ok"]


def test_settings_that_name_nothing_and_empty_tables_are_not_spoken_of() -> None:
    assert looked(settings()) == []
    assert looked(settings("columns.email.ignore = true"), items=()) == []
    assert [found.level for found in looked(settings("columns.email.ignore = true"))] == ["ok"]


@pytest.mark.parametrize("name", ["address.city", "address.city.zip", "tags.0"])
def test_a_path_into_a_map_is_refused_and_never_passed_over(name: str) -> None:
    given = settings(f'columns."{name}".ignore = true')
    (found,) = looked(given)
    assert (found.level, "is a path into" in found.text) == ("error", True)
    with pytest.raises(StartRefused, match="is a path into"):
        refuse_paths(given, copied(ITEMS[0], ITEMS[1]))
    with pytest.raises(StartRefused, match="is a path into"):
        refuse_paths(given, copied(), ITEMS)
    refuse_paths(given, copied(), ITEMS, among=("another",))


def test_an_attribute_whose_name_has_a_point_is_no_path() -> None:
    given = settings('columns."dotted.name".ignore = true')
    assert [found.level for found in looked(given)] == ["ok"]
    refuse_paths(given, copied(), ITEMS)
