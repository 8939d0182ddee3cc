"""The split that `init` proposes: of data sets and well-known designs; its text is always a valid split."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities import tables
from tests.entities.reading import LAW, items_of, keys_of

from twinrow.change import Item
from twinrow.entities.discriminator import find_discriminator, share_explained
from twinrow.entities.doubts import hidden, without_items
from twinrow.entities.draft import Proposal, entities_text, keys_text
from twinrow.entities.propose import pairs_of, propose
from twinrow.entities.route import router
from twinrow.entities.settings import read_keys
from twinrow.entities.shape import Beside, find_separator, shapes
from twinrow.entities.split import Around, Split, check_keys, read_split

_TABLE = '[[tables]]\nname = "t"\n'


def split_in(proposal: Proposal, kinds: dict[str, str]) -> Split:
    """The split that the text of a proposal says, checked as the configuration would be."""
    table = tomllib.loads(_TABLE + keys_text(proposal) + entities_text(proposal))["tables"][0]
    split = read_split(read_keys(table, "t"), Around(table["into"]), "t")
    check_keys(split, kinds, "t")
    return split


def proposed(items: list[Item], keys: tuple[str, ...], table: str = "app-main") -> tuple[Proposal, Split]:
    """The proposal, which must be there, and its split."""
    proposal = propose(items, keys, table)
    assert proposal is not None
    return proposal, split_in(proposal, dict.fromkeys(keys, "S"))


def counted(split: Split, items: list[Item]) -> dict[str, int]:
    """Items by entity, "" for the rest."""
    route = router(split)
    return dict(Counter(route(item)[0].entity for item in items))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("amplify_datastore", {"blog": 47, "comment": 37, "post": 36}),
        ("aws_chat", {"user": 5, "room_meta": 3}),
        ("aws_complaints", {"comm": 5, "metadata": 4}),
        ("aws_online_shop", {"customer": 3, "product": 2, "warehouse": 2, "warehouse_item": 3, "order_item": 2,
                             "order": 1, "invoice": 1, "shipment": 2, "shipment_item": 3}),
        ("aws_sessions", {"suuid_child": 3, "suuid_c": 3}),
        ("electrodb_taskmanager", {"office": 5, "employee": 500, "task": 600}),
        ("onetable_billing", {"account": 40, "user": 120, "product": 25, "invoice": 115, "unique": 160}),
    ],
)  # fmt: skip
def test_every_item_of_a_data_set_finds_its_entity(name: str, counts: dict[str, int]) -> None:
    items = items_of(name)
    proposal, split = proposed(items, keys_of(name), name)
    assert counted(split, items) == counts
    assert proposal.into == f"{name}_rest"
    assert hidden(split) == ()
    assert without_items(split, router(split), items) == ()
    for entity in split.entities:
        met = [item for item in items if router(split)(item)[0].entity == entity.name]
        assert not {name for item in met for name in item} & {part.name for part in entity.parts}


def test_a_state_in_the_key_is_no_kind_of_item() -> None:
    assert propose(items_of("aws_device_state_log"), keys_of("aws_device_state_log"), "log") is None


def test_nothing_is_proposed_for_a_table_of_one_entity() -> None:
    reviews: list[Item] = [
        {"username": {"S": f"user{n % 40}"}, "reviewed_at": {"S": f"2025-01-{n % 28 + 1:02}T00:00:00Z"},
         "rating": {"N": str(n % 5)}, "product": {"S": ["tea", "chai", "mint"][n % 3]}}
        for n in range(200)
    ]  # fmt: skip
    assert propose(reviews, ("username", "reviewed_at"), "reviews") is None
    assert propose([], ("id",), "empty") is None
    assert propose([{"id": {"N": str(n)}} for n in range(60)], ("id",), "numbers") is None


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (tables.instagram, {"user", "up_photo", "pl_like", "pc_comment", "follow"}),
        (tables.social_network, {"u_info", "u_count", "u_follower", "u_following", "u_post_p", "p_likelist_u",
                                 "p_likecount_count"}),
        (tables.typedorm, {"user", "order", "drm_gen_user_email"}),
        (tables.toolbox, {"trainer", "pokemon", "trainer_badge"}),
        (tables.chat, {"user_message", "room_meta"}),
    ],
)  # fmt: skip
def test_the_shapes_of_well_known_designs_are_found(made: Callable[[], list[Item]], names: set[str]) -> None:
    items = made()
    _, split = proposed(items, ("PK", "SK"))
    assert set(counted(split, items)) == names


def test_known_guards_are_proposed_as_ignored() -> None:
    typedorm, _ = proposed(tables.typedorm(), ("PK", "SK"))
    assert [one.name for one in typedorm.drafts if one.ignore] == ["drm_gen_user_email"]
    onetable, _ = proposed(items_of("onetable_billing"), ("pk", "sk"))
    assert [one.name for one in onetable.drafts if one.ignore] == ["unique"]


def test_items_without_the_discriminator_do_not_take_those_of_a_new_kind() -> None:
    items = tables.toolbox()
    _, split = proposed(items, ("PK", "SK"))
    route = router(split)
    badge = {"PK": {"S": "TRAINER:1"}, "SK": {"S": "BADGE:x"}}
    assert route(badge)[0].entity == "trainer_badge"
    assert route({**badge, "_et": {"S": "BADGE"}})[0].entity == ""


def test_parts_are_named_typed_and_left_to_the_attributes_that_hold_them() -> None:
    typedorm, split = proposed(tables.typedorm(), ("PK", "SK"))
    by_name = {one.name: one for one in typedorm.drafts}
    # The user's own key is in `id`, a text; so the part that is joined with it is a text, too.
    assert by_name["user"].extract == {}
    assert by_name["user"].index == ("id",)
    assert by_name["order"].extract == {"PK": "USER#{user_id}", "SK": "ORDER#{order_date:date}#{order_id:int}"}
    assert "JOIN order.user_id = user.id: 100% of the sample's order find their user" in typedorm.notes
    chat, _ = proposed(tables.chat(), ("PK", "SK"))
    assert {"PK": "User:{user_id}", "SK": "Message:{message_at*:datetime}"} in [one.when[0] for one in chat.drafts]
    entities = {entity.name: entity for entity in split.entities}
    assert [(part.name, part.type) for part in entities["order"].parts] == [
        ("user_id", "text"), ("order_date", "date"), ("order_id", "int"),
    ]  # fmt: skip


def test_a_key_in_another_case_is_told() -> None:
    proposal, _ = proposed(items_of("electrodb_taskmanager"), ("pk", "sk"))
    (office,) = [one for one in proposal.drafts if one.name == "office"]
    assert '"sk" holds "city" in another case: join by the attribute\'s column, not by the key' in office.notes
    assert office.extract == {}


def test_a_comment_tells_share_example_and_columns() -> None:
    proposal, _ = proposed(items_of("onetable_billing"), ("pk", "sk"))
    (account,) = [one for one in proposal.drafts if one.name == "account"]
    assert account.notes[0].startswith('account: 40 items (9%), for example "pk" = "account#')
    assert account.notes[1].startswith('columns: "id", "name", "balance"')
    text = entities_text(proposal)
    assert f"# {account.notes[0]}\n" in text
    assert 'when = { _type = "Account" }' in text


def test_rare_shapes_stay_in_the_rest_and_are_told() -> None:
    items = [*tables.instagram(), {"PK": {"S": "ODD#1"}, "SK": {"S": "ONE#2"}, "x": {"S": "y"}}]
    proposal, split = proposed(items, ("PK", "SK"))
    assert counted(split, items)[""] == 1
    assert any(note.startswith('in the rest: 1 of 1,015 items like "PK" = "ODD#1"') for note in proposal.notes)


def test_twinrows_own_attributes_tell_nothing() -> None:
    items = [{**item, "migrated": {"S": "false"}, "kind": {"S": "x" if n % 2 else "y"}}
             for n, item in enumerate(tables.instagram())]  # fmt: skip
    proposal = propose(items, ("PK", "SK"), "t", own=("kind", "migrated"))
    assert proposal is not None
    assert all("kind" not in rule for one in proposal.drafts for rule in one.when)


# ---- its steps


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["USER#1", "USER#2"], "#"), (["User:1", "Room:2", "a#b"], ":"), (["2023-04-01T12:00:00Z"], None),
        (["a|b", "c"], "|"), (["tenant/1"], "/"), (["plain"], None), ([], None), (["1#2", "3#4"], None),
    ],
)  # fmt: skip
def test_the_separator_stands_behind_a_first_word(values: list[str], separator: str | None) -> None:
    assert find_separator(values) == separator


def test_words_on_items_that_look_alike_are_values() -> None:
    same, other = Beside(frozenset({"a"})), Beside(frozenset({"b"}))
    profiles = ["U#ann", "U#bob"] * 5
    assert {one[1].hole for one in shapes(profiles, [same] * 10, "#")} == {True}
    kinds = ["PROFILE", "SETTINGS"] * 5
    assert {one[0].hole for one in shapes(kinds, [same, other] * 5, "#")} == {False}


def test_no_attribute_of_a_few_items_is_taken_for_a_discriminator() -> None:
    items = items_of("aws_sessions")
    assert find_discriminator(items, pairs_of(items, []), ("PK", "SK")) is None


def test_the_share_of_entropy() -> None:
    assert share_explained("aabb", "xxyy") == 1.0
    assert share_explained("abab", "xxyy") == 0.0
    assert share_explained("aaaa", "xxyy") == 0.0


# ---- the law: what is proposed is a valid split, whatever the items hold

_PIECES = st.sampled_from(
    ["USER", "ORDER", "_twinrow_x", "{", "}", '"', "\\", "\n", "\x7f", "é", "🦆", "", "a_b", "x=1", "7", "007",
     "2026-01-15", "2026-01-15T10:00:00Z", "row_id", "city_a", "city_b", "$svc", "N" * 70, "value"]
)  # fmt: skip
_KEYS = st.lists(_PIECES, min_size=1, max_size=9).map("#".join).filter(bool)
_ITEMS = st.fixed_dictionaries(
    {"PK": _KEYS.map(lambda text: {"S": text}), "SK": _KEYS.map(lambda text: {"S": text})},
    optional={
        "_type": _PIECES.map(lambda text: {"S": text}),
        "user_id": _PIECES.map(lambda text: {"S": text}),
        "number": st.just({"N": "7"}),
        'odd "name"': st.just({"BOOL": True}),
    },
)


@LAW
@given(st.lists(_ITEMS, min_size=1, max_size=12), st.integers(1, 4))
def test_what_is_proposed_is_a_valid_split(some: list[Any], times: int) -> None:
    items: list[Item] = some * times
    proposal = propose(items, ("PK", "SK"), "t")
    if proposal is None:
        return
    split = split_in(proposal, {"PK": "S", "SK": "S"})
    assert [draft.name for draft in proposal.drafts] == [entity.name for entity in split.entities]
    assert hidden(split) == ()
