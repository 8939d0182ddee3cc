"""The proposals of `init` and `add`: what a person's answer changes, and how many tables are written."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.app.setup import choices as choosing
from twinrow.app.setup import entries, init
from twinrow.app.setup.choices import Choice
from twinrow.config import parse
from twinrow.table_description import IndexDescription, TableDescription

BARE = TableDescription(
    name="reviews", arn="arn:aws:dynamodb:eu-west-1:123456789012:table/reviews", table_id="", status="ACTIVE",
    keys=(("username", "S"),), items=12_000, bytes=5_000_000, indexes=(), stream_arn=None, stream_view=None,
    provisioned_read=None, provisioned_write=None, replicas=(),
)  # fmt: skip
MARKS = IndexDescription("marks", (("migrated", "N"),), "ALL", (), "ACTIVE")
NAMES = ("reviews", "orders", "tmp-a", "tmp-b")


def _choices(capture: str = "stream") -> list[Choice]:
    return [Choice(replace(BARE, name=name), capture) for name in NAMES]


def _kept(choices: list[Choice]) -> list[str]:
    return [choice.description.name for choice in choices]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("-tmp-*", ["reviews", "orders"]),
        ("-orders -tmp-b", ["reviews", "tmp-a"]),
        ("orders tmp-a", ["orders", "tmp-a"]),
        ("tmp-* -tmp-b", ["tmp-a"]),
        ("*", list(NAMES)),
    ],
)
def test_tables_are_left_out_and_taken_by_name(answer: str, kept: list[str]) -> None:
    assert _kept(choosing.answered(_choices(), answer)) == kept


def test_an_answer_changes_the_tables_that_it_names_and_no_other() -> None:
    changed = choosing.answered(_choices(), "orders capture=pending-index into=purchases")
    assert choosing.shown(changed) == [
        "table     items  capture        link  into",
        "reviews  12,000  stream         no    reviews",
        "orders   12,000  pending-index  yes   purchases",
        "tmp-a    12,000  stream         no    tmp-a",
        "tmp-b    12,000  stream         no    tmp-b",
    ]
    linked = choosing.answered(changed, "* link=yes")
    assert [choice.linked for choice in linked] == [True] * 4
    assert choosing.answered(linked, "orders link=no")[1].link is False


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("ordres", r"no table 'ordres' \(did you mean orders\?\)"), ("-x*", "no table"),
        ("capture=scan", "name the tables"), ("orders capture=trigger", "none of pending-index"),
        ("orders link=maybe", "link=yes"), ("orders colour=red", "none of capture, link, into"),
        ("tmp-* into=x", "single table"), ("-*", "no table would be left"), ("orders into=_twinrow_x", "no copy"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_understood_says_why(answer: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        choosing.answered(_choices(), answer)


def test_two_tables_never_go_into_one_copy() -> None:
    choices = [Choice(replace(BARE, name=name), "scan") for name in ("Orders", "orders", "_twinrow_x", "n" * 80)]
    named = choosing.with_intos(choices)
    intos = [choice.into or choice.description.name for choice in named]
    assert len({into.casefold() for into in intos}) == 4
    assert intos[0] == "Orders"
    assert choosing.with_intos(named) == named
    (eu,) = choosing.with_intos([Choice(BARE, "scan", source="eu")], ["reviews"])
    assert eu.into == "eu_reviews"
    with pytest.raises(ValueError, match="same MySQL table"):
        choosing.answered(choosing.answered(_choices(), "orders into=x"), "reviews into=X")


some_choices = st.lists(
    st.builds(
        lambda capture, link, marked: Choice(replace(BARE, indexes=(MARKS,) if marked else ()), capture, link),
        st.sampled_from(["stream", "scan", "pending-index", "kinesis"]), st.sampled_from([None, True, False]),
        st.booleans(),
    ),
    min_size=1, max_size=9,
)  # fmt: skip


@given(some_choices)
def test_what_tables_share_is_written_once_and_means_the_same(choices: list[Choice]) -> None:
    choices = [
        replace(choice, description=replace(choice.description, name=f"t-{n}")) for n, choice in enumerate(choices)
    ]
    written = init.render("eu-west-1", None, "mysql://u@h/d", choices)
    each = [parse(init.render("eu-west-1", None, "mysql://u@h/d", [choice]), "x", {}).tables[0] for choice in choices]
    assert list(parse(written, "x", {}).tables) == each
    assert ("[defaults]" in written) == (len(choices) >= entries.SHARED_FROM)


def test_thirty_tables_alike_are_thirty_names() -> None:
    choices = [Choice(replace(BARE, name=f"table-{n}", indexes=(MARKS,)), "pending-index") for n in range(30)]
    written = tomllib.loads(init.render("eu-west-1", None, "mysql://u@h/d", choices))
    assert written["tables"] == [{"name": f"table-{n}"} for n in range(30)]
    assert written["defaults"]["pending_index"]["index"] == "marks"
