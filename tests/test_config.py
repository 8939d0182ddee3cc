"""`twinrow.toml`, read strictly: every mistake is a ConfigError that names key and place, and shows no password."""

from __future__ import annotations

import pytest

from twinrow.config import parse
from twinrow.errors import ConfigError

PARTS_OF_THE_PASSWORD = ("c4n", "4ry")
TABLE = "[[tables]]\nname = 'reviews'\ncapture = 'scan'\n"
PENDING = """[[tables]]
name = 'reviews'
capture = 'pending-index'
[tables.pending_index]
index = 'i'
attribute = 'migrated'
"""


def text(url: str = "mysql://u:p@h/d", tables: str = TABLE) -> str:
    return f"[mysql]\nurl = '{url}'\n{tables}"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:c4n[4ry@h/d",
        "mysql://u:c4n4ry]@h/d",
        "mysql://u:c4n4ry\u2100@h/d",
        "mysql://u:c4n#4ry@h/d",
        "mysql://u:c4n/4ry@h/d",
        "mysql://u:c4n?4ry@h/d",
        "mysql://u:c4n4ry@h:\u00b2/d",
        "mysql://u:c4n4ry@h:99999/d",
        "mysql://u:c4n4ry@h:0/d",
        "mysql://u:c4n4ry@h/d?connect_timeout_s=nan",
        "mysql://u:c4n4ry@h/d?connect_timeout_s=-1",
        "mysql://u:c4n4ry@h/",
        "mysql://c4n4ry",
        "mysql://u:p@c4n4ry/1@h:3306/d",
    ],
)
def test_an_odd_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"mysql\.url") as told:
        parse(text(url), "twinrow.toml", {})
    assert told.value.exit_code == 2
    assert not any(part in str(told.value) for part in PARTS_OF_THE_PASSWORD)
    assert told.value.__cause__ is None, "it would be printed with its message"


def test_any_password_comes_through_as_a_variable() -> None:
    odd = "a@b:/?#[]%41${X} \u2100\U0001f600\\'\""
    config = parse(text("mysql://u:${PW}@h/d"), "twinrow.toml", {"PW": odd})
    assert (config.mysql.password, config.literal_password) == (odd, False)
    assert odd not in repr(config)
    assert parse(text("mysql://u:p%40@h/d"), "twinrow.toml", {}).literal_password
    whole = parse(text("${URL}"), "twinrow.toml", {"URL": "mysql://u:p@h/d"})
    assert (whole.mysql.password, whole.literal_password) == ("p", False)


def test_what_only_looks_like_a_variable_is_none() -> None:
    """In the value of a variable that is the whole URL, and written as %24%7B in the file's."""
    whole = parse(text("${URL}"), "twinrow.toml", {"URL": "mysql://u:a${x}b@h/d"})
    assert whole.mysql.password == "a${x}b"
    assert parse(text("mysql://u:a%24%7Bx%7D${PW}@h/d"), "twinrow.toml", {"PW": "%41"}).mysql.password == "a${x}%41"
    assert parse(text("mysql://u:p@h/d?ssl_ca=%2541.pem"), "twinrow.toml", {}).mysql.ssl_ca == "%41.pem"
    odd = parse(text("mysql://u:p@h/d?ssl_ca=a%24%7BPW%7D${PW}"), "twinrow.toml", {"PW": "+&=%41"})
    assert odd.mysql.ssl_ca == "a${PW}+&=%41"


@pytest.mark.parametrize("wrong", ["bar = 1", "type = 3", "from = 'epoch'", "ignore = 'yes'"])
def test_a_mistake_in_an_override_names_its_attribute(wrong: str) -> None:
    tables = TABLE + "[tables.columns.fine]\ncolumn = 'x'\n[tables.columns.'visited at']\n" + wrong
    with pytest.raises(ConfigError, match=r"tables\[0\]\.columns\.visited at"):
        parse(text(tables=tables), "twinrow.toml", {})


@pytest.mark.parametrize(
    "wrong",
    [
        "pending = [nan]", "pending = [inf]", "pending = ['a', 'a']", "pending = [0, 0.0]", "pending = []",
        "pending = [0]\ndone = nan", "pending = ['a', 0]", "pending = ['']", "deleted = ''",
    ],
)  # fmt: skip
def test_marks_that_no_index_can_hold_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="pending_index"):
        parse(text(tables=PENDING + wrong), "twinrow.toml", {})


def test_a_table_named_twice_on_the_command_line_is_one() -> None:
    config = parse(text(tables=TABLE + TABLE.replace("reviews", "orders")), "twinrow.toml", {})
    assert [one.name for one in config.chosen(["orders", "reviews", "orders"])] == ["orders", "reviews"]
