"""The split that `init` proposes from a bounded sample: what is read, what is written, and which tables it names."""

from __future__ import annotations

import tomllib
from random import Random
from typing import Any
from zlib import crc32

import pytest
from tests.entities.reading import items_of, keys_of

from twinrow.app.setup import sampling, splitting
from twinrow.app.setup.choices import Choice
from twinrow.app.setup.entries import entry
from twinrow.change import Item
from twinrow.entities.draft import Draft, Proposal
from twinrow.entities.propose import propose
from twinrow.entities.route import router
from twinrow.entities.settings import read_keys
from twinrow.entities.split import Around, check_keys, read_split
from twinrow.table_description import TableDescription

LARGE = ("amplify_datastore", "electrodb_taskmanager", "onetable_billing")
"""The data sets of at least 100 items."""
REST_SHARE_MAX = 0.01


def _description(name: str, keys: tuple[str, ...]) -> TableDescription:
    kinds = tuple((key, "S") for key in keys)
    return TableDescription(name, "", "", "ACTIVE", kinds, 1000, 100_000, (), None, None, None, None, ())


def _segments(items: list[Item], hash_key: str) -> Any:
    """A scan of segments over these items: each item collection is in one segment, in its order."""

    def read(segment: int, total: int) -> list[Item]:
        mine = [item for item in items if crc32(item[hash_key]["S"].encode()) % total == segment]
        return mine[: sampling.ITEMS_A_SEGMENT_MAX]

    return read


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_most_one_in_a_hundred_items_stays_in_the_rest(name: str, seed: int) -> None:
    items, keys = items_of(name), keys_of(name)
    sample = sampling.sample(_segments(items, keys[0]), 500_000, 20, Random(seed))
    choice = splitting.with_split(Choice(_description(name, keys), "stream"), propose(sample, keys, name))
    (placed,) = splitting.placed([choice])
    table = tomllib.loads("\n".join(entry(placed)))["tables"][0]
    split = read_split(read_keys(table, "t"), Around(table["into"]), "t")
    check_keys(split, dict.fromkeys(keys, "S"), "t")
    route = router(split)
    assert sum(route(item)[0].entity == "" for item in items) <= REST_SHARE_MAX * len(items)


def test_the_bound_of_a_sample_is_told_in_bytes_and_units() -> None:
    assert str(sampling.bound(1, 20)) == "at most 20 MB = 2,560 read units"
    assert str(sampling.bound(3, 20)) == "at most 60 MB = 7,680 read units"


def test_a_large_table_is_read_at_random_places_a_page_each() -> None:
    asked: list[tuple[int, int]] = []

    def read(segment: int, total: int) -> list[Item]:
        asked.append((segment, total))
        return [{"id": {"S": str(segment)}}]

    items = sampling.sample(read, 5_000_000_000, 20, Random(7))
    assert len(items) == len(asked) == 20
    assert {total for _, total in asked} == {5_000}
    assert max(segment for segment, _ in asked) > 1_000


def test_empty_segments_are_made_good_for_within_a_bound() -> None:
    asked: list[int] = []

    def read(segment: int, total: int) -> list[Item]:
        asked.append(segment)
        return [] if segment % 2 else [{"id": {"S": str(segment)}}]

    assert 10 <= len(sampling.sample(read, 5_000_000_000, 20, Random(7))) <= 20
    assert len(asked) <= 20 + sampling.EMPTY_SEGMENTS_MAX
    asked.clear()
    assert sampling.sample(lambda segment, total: [], 5_000_000_000, 20, Random(7)) == []


def _split(into: str, *names: str) -> Proposal:
    return Proposal(into, "#", tuple(Draft(name, ({"PK": f"{name}#{{id}}"},)) for name in names))


def test_entities_of_two_tables_get_mysql_tables_of_their_own() -> None:
    choices = [
        Choice(_description("app", ("PK",)), "stream", split=_split("app_rest", "users", "orders")),
        Choice(_description("shop", ("PK",)), "stream", split=_split("app_rest", "Users", "carts")),
        Choice(_description("carts", ("PK",)), "stream"),
    ]
    placed = splitting.placed(choices)
    into = [draft.into or draft.name for choice in placed if choice.split is not None for draft in choice.split.drafts]
    rests = [choice.split.into for choice in placed if choice.split is not None]
    assert len({name.casefold() for name in [*into, *rests, "carts"]}) == 7
    assert into[:2] == ["users", "orders"]
    assert into[2:] == ["shop_Users", "shop_carts"]
    text = "\n".join(line for choice in placed for line in entry(choice))
    tables = tomllib.loads(text)["tables"]
    assert [entity.get("into") for entity in tables[1]["entities"]] == ["shop_Users", "shop_carts"]


def test_the_name_that_a_person_chose_is_that_of_the_rest() -> None:
    choice = Choice(_description("app", ("PK",)), "stream", into="everything_else")
    (placed,) = splitting.placed([splitting.with_split(choice, _split("app_rest", "users", "orders"))])
    assert tomllib.loads("\n".join(entry(placed)))["tables"][0]["into"] == "everything_else"
