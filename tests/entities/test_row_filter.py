"""`where` of a table: asked of items and of JSON the answers are the same; moving times are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities.reading import LAW

from twinrow.entities.row_filter import checked, opened, row_filter
from twinrow.errors import ConfigError
from twinrow.wanted import WantedConfig

_TEXTS = st.sampled_from(["acme", "Acme", "", "a\u00e9", "\ud800", "\U0001f986", 'q"\\'])
_VALUES = st.one_of(
    _TEXTS.map(lambda text: {"S": text}), st.sampled_from([{"N": "7"}, {"N": "7.0"}, {"N": "8"}, {"N": "odd"}]),
    st.booleans().map(lambda held: {"BOOL": held}), st.sampled_from([{"NULL": True}, {"M": {}}, {}, {"L": []}]),
)  # fmt: skip
_ITEMS = st.lists(st.dictionaries(st.sampled_from(["tenant", "a.b", 'q"\\', "n", "other"]), _VALUES), max_size=6)
_WHERE: list[Any] = [
    {"tenant": "acme"}, {"a.b": 7}, {'q"\\': "acme"}, {"tenant": WantedConfig(other_than="acme")},
    {"n": WantedConfig(low=7, high=8)}, [{"tenant": "acme", "n": 7}, {"other": WantedConfig(exists=False)}],
]  # fmt: skip


@LAW
@given(_ITEMS, st.sampled_from(_WHERE))
def test_a_page_keeps_the_very_items_that_the_filter_takes(items: list[Any], where: Any) -> None:
    made = row_filter(where, "#")
    kept, left_out = made.of_page(json.dumps(items).encode())
    taken = [item for item in items if made.takes(item)]
    assert json.loads(kept) == taken
    assert left_out == len(items) - len(taken)
    assert [made.takes_json(json.dumps(item).encode()) for item in items] == [made.takes(item) for item in items]


def test_a_page_without_a_stranger_stays_the_same_object() -> None:
    page = b'[{"tenant":{"S":"acme"}}]'
    assert row_filter({"tenant": "acme"}, "#").of_page(page)[0] is page


@pytest.mark.parametrize("where", _WHERE)
def test_another_process_gets_the_same_filter(where: Any) -> None:
    made = row_filter(where, "#")
    assert opened(made.source) == made


@pytest.mark.parametrize(
    "bound", ["now", "now-90d", "-90d", "90d", "9 days", "9 days ago", "last 9 days", "P9D", "Today"]
)
@pytest.mark.parametrize("is_low", [True, False], ids=["from", "to"])
def test_a_time_that_moves_with_the_clock_is_refused(bound: str, is_low: bool) -> None:
    wanted = WantedConfig(low=bound) if is_low else WantedConfig(high=bound)
    with pytest.raises(ConfigError, match=r"`where\.at`: .*moves with the clock") as refused:
        checked({"at": wanted}, "#", frozenset(), frozenset(), "twinrow.toml: tables (t)")
    assert refused.value.exit_code == 2
    assert refused.value.where == "twinrow.toml: tables (t)"


@pytest.mark.parametrize("bound", ["2026-01-01", "nowhere", "A", "1700000000", "10", "Pre"])
def test_a_fixed_bound_is_taken(bound: str) -> None:
    row_filter({"at": WantedConfig(low=bound)}, "#")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({}, "`where` is empty"),
        ([], "`where` is an empty list"),
        ({"tenant": []}, "`where.tenant`: is an empty list"),
        ({"tenant": "{"}, "`where.tenant`: a { without its }"),
        ({"mysql_id": 7}, "`where.mysql_id`: this attribute is Twinrow's own"),
        ({"secret": "x"}, "`where.secret`: `columns.secret.ignore` leaves this attribute out"),
        ({"n": WantedConfig(low=8, high=7)}, "`where.n`: `from` is not less than `to`"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_key(where: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(where, "#", frozenset({"mysql_id"}), frozenset({"secret"}), "twinrow.toml: tables (t)")
    assert said in refused.value.what
