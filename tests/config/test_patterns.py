"""`match`, `exclude`, `tags`, `into` and `source`: which tables a part stands for, and what their copies are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.config import parse
from twinrow.config.patterns import TABLES_MAX, into_of
from twinrow.config.resolve import Found, with_found
from twinrow.errors import ConfigError

MYSQL = "[mysql]\nurl = 'mysql://u@h/d'\n[defaults]\ncapture = 'scan'\n"
PROD = MYSQL + "[[tables]]\nmatch = 'prod-*'\nexclude = ['prod-tmp-*', 'prod-old']\ninto = '{rest}'\n"


def test_a_pattern_takes_what_it_matches_and_calls_it_by_the_rest() -> None:
    config = parse(PROD + "[[tables]]\nname = 'prod-orders'\nlink = true\n")
    pattern = config.patterns[0]
    names = ["prod-reviews", "prod-tmp-1", "prod-old", "test-reviews", "prod-orders", "prod-users"]
    taken = [name for name in names if pattern.takes(name)]
    assert taken == ["prod-reviews", "prod-orders", "prod-users"]
    both, refused = with_found(config, [Found(pattern, name) for name in taken])
    assert not refused
    assert [(one.name, one.into_name, one.linked) for one in both.tables] == [
        ("prod-orders", "orders", True), ("prod-reviews", "reviews", False), ("prod-users", "users", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "name", "into"),
    [
        ("match = 'prod-*'", "prod-a", "prod-a"),
        ("match = 'prod-*'\nstrip_prefix = 'prod-'", "prod-a", "a"),
        ("match = '*'\nstrip_prefix = 'prod-'", "test-a", "test-a"),
        ("match = 'prod-*'\nstrip_prefix = 'prod-'\ninto = 'dyn_{name}'", "prod-a", "dyn_a"),
        ("match = ['a-*', 'b-*']\ninto = '{rest}'", "b-x", "x"),
        ("match = 'app-*-prod-*'\ninto = '{rest}'", "app-x-prod-y", "x_y"),
        ("match = 'a?c-*'\ninto = '{rest}'", "abc-d", "d"),
        ("tags = { twinrow = 'yes' }\ninto = '{rest}_{other}'", "abc", "abc_{other}"),
        ("match = 'x.y*'\ninto = '{rest}'", "x.yz", "z"),
    ],
)
def test_the_copy_is_called_by_a_template(part: str, name: str, into: str) -> None:
    config = parse(MYSQL + f"[[tables]]\n{part}\n")
    assert config.patterns[0].takes(name)
    both, refused = with_found(config, [Found(config.patterns[0], name)])
    assert ([one.into_name for one in both.tables], refused) == ([into], {})


def test_a_dot_is_a_dot() -> None:
    assert not parse(MYSQL + "[[tables]]\nmatch = 'x.y*'\n").patterns[0].takes("xayz")


@given(st.text(alphabet="ab-.*?", min_size=1, max_size=8))
def test_a_pattern_takes_what_its_stars_are_put_in_for(glob: str) -> None:
    pattern = parse(MYSQL + f"[[tables]]\nmatch = 'xyz*{glob}'\n").patterns[0]
    name = "xyz" + glob.replace("*", "some").replace("?", "q")
    assert pattern.takes(name)
    assert into_of("{rest}", name, strip="", rest=pattern.rest(name), source=None) is not None


def test_what_two_patterns_take_and_what_collides_is_refused_alone() -> None:
    config = parse(
        PROD + "[[tables]]\nmatch = '*-users'\n[[tables]]\nmatch = 'test-*'\ninto = '{rest}'\n"
    )  # fmt: skip
    prod, users, test = config.patterns
    found = [
        Found(prod, "prod-users"), Found(users, "prod-users"), Found(prod, "prod-a"), Found(test, "test-a"),
        Found(prod, "prod-b"), Found(test, "test-_twinrow_x"),
    ]  # fmt: skip
    both, refused = with_found(config, found)
    assert [one.name for one in both.tables] == ["prod-a", "prod-b"]
    assert "two patterns take it" in refused["prod-users"]
    assert "goes into the same MySQL table as prod-a" in refused["test-a"]
    assert "_twinrow_" in refused["test-_twinrow_x"]


def test_two_patterns_on_a_table_of_the_file_are_an_error_of_the_file() -> None:
    with pytest.raises(ConfigError, match="two patterns take it"):
        parse(PROD + "[[tables]]\nmatch = '*-users'\n[[tables]]\nname = 'prod-users'\n")


def test_a_pattern_brings_two_hundred_tables_and_the_rest_is_refused() -> None:
    config = parse(PROD)
    names = [f"prod-{n:03}" for n in range(TABLES_MAX + 5)]
    both, refused = with_found(config, [Found(config.patterns[0], name) for name in reversed(names)])
    assert [one.name for one in both.tables] == names[:TABLES_MAX]
    assert sorted(refused) == names[TABLES_MAX:]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[tables]]\nmatch = 'a-*'\ncapture = 'pending-index'\n", "no [tables.pending_index]"),
        ("[[tables]]\nmatch = 'a-*'\nreconcile_every = '1x'\n", "`reconcile_every`"),
        ("[[tables]]\nmatch = 'a-*'\n[[tables]]\nmatch = 'a-*'\n", "the same pattern is there twice"),
        ("[[tables]]\nexclude = 'a-*'\n", "lacks the required field `name`"),
    ],
)
def test_a_mistake_in_a_pattern_is_an_error_before_any_table_is_found(text: str, part: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(MYSQL + text)
    assert part in str(refused.value)


SOURCES = (
    "[[sources]]\nname = 'eu'\nregion = 'eu-west-1'\n[[sources]]\nname = 'us'\nrole_arn = 'arn:aws:iam::1:role/r'\n"
)


def test_tables_of_one_name_in_several_sources_have_names_of_their_own() -> None:
    config = parse(
        MYSQL + SOURCES + "[[tables]]\nname = 'reviews'\n"
        "[[tables]]\nname = 'reviews'\nsource = 'eu'\ninto = '{source}_{name}'\n"
        "[[tables]]\nmatch = 'rev*'\nsource = 'us'\ninto = 'us_{name}'\n"
    )  # fmt: skip
    both, _ = with_found(config, [Found(config.patterns[0], "reviews")])
    assert [(one.name, one.dynamodb_name, one.source, one.into_name) for one in both.tables] == [
        ("reviews", "reviews", None, "reviews"), ("eu:reviews", "reviews", "eu", "eu_reviews"),
        ("us:reviews", "reviews", "us", "us_reviews"),
    ]  # fmt: skip
    assert [one.name for one in both.chosen(["eu:reviews"])] == ["eu:reviews"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[tables]]\nname = 'abc'\nsource = 'ue'\n", "no [[sources]] part has the name 'ue' (there are: eu, us)"),
        ("[[sources]]\nname = 'eu'\n[[tables]]\nname = 'abc'\n", "two sources have that name"),
        ("[[sources]]\nname = 'e u'\n[[tables]]\nname = 'abc'\n", "sources[2].name"),
        ("[[sources]]\nname = 'x'\nendpoint_url = 'h:1'\n[[tables]]\nname = 'abc'\n", "`endpoint_url` is no address"),
        ("[[sources]]\nname = 'x'\nexternal_id = 'i'\n[[tables]]\nname = 'abc'\n", "without `role_arn`"),
        ("[[tables]]\nname = 'abc'\n[[tables]]\nname = 'abc'\nsource = 'eu'\n", "the same MySQL table as abc"),
        ("[[tables]]\nname = 'eu:abc'\n", "(table eu:abc)"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_source_is_an_error(text: str, part: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(MYSQL + SOURCES + text)
    assert part in str(refused.value)
