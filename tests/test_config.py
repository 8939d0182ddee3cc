"""`twinrow.toml`, read strictly: every mistake is a ConfigError that names key and place, and shows no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinrow.config import load, parse
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


def test_an_option_may_be_written_with_a_dash_as_hosters_write_it() -> None:
    config = parse(text("mysql://u:p@h/d?ssl-mode=REQUIRED&connect-timeout-s=3"), "twinrow.toml", {})
    assert (config.mysql.ssl_mode, config.mysql.connect_timeout_s) == ("REQUIRED", 3)


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


@pytest.mark.parametrize("server", ["::1", "::1:3306", "fe80::1"])
def test_an_ipv6_address_wants_brackets(server: str) -> None:
    """Else its last group would be taken for the port."""
    with pytest.raises(ConfigError, match="not in brackets"):
        parse(text(f"mysql://u:p@{server}/d"), "twinrow.toml", {})
    assert parse(text("mysql://u:p@[::1]:3307/d"), "twinrow.toml", {}).mysql.port == 3307
    assert parse(text("mysql://u:p@${H}/d"), "twinrow.toml", {"H": "::1"}).mysql.host == "::1"


@pytest.mark.parametrize("url", ["mysql://u:${PW}@h/d", "mysql://u:caf%E9@h/d"])
def test_a_password_of_bytes_that_are_no_utf8_is_sent_as_it_is(url: str) -> None:
    password = parse(text(url), "twinrow.toml", {"PW": "caf\udce9"}).mysql.password
    assert password.encode(errors="surrogateescape") == b"caf\xe9"


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("[dynamodb]\nregion = ''\n", r"dynamodb\.region"),
        ("[dynamodb]\nendpoint_url = ''\n", "endpoint_url` is no address"),
        ("[dynamodb]\nendpoint_url = '127.0.0.1:8000'\n", "endpoint_url` is no address"),
        ("[dynamodb]\nendpoint_url = 'http://'\n", "endpoint_url` is no address"),
    ],
)
def test_where_dynamodb_is_must_be_an_address(mistake: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse(mistake + text(), "twinrow.toml", {})
    assert parse("[dynamodb]\nendpoint_url = 'http://h:8000'\n" + text(), "twinrow.toml", {}).dynamodb.endpoint_url


@pytest.mark.parametrize("units", ["inf", "nan", "0", "-1", "1e10"])
@pytest.mark.parametrize("budget", ["read_capacity_max", "write_capacity_max"])
def test_a_budget_is_a_number_of_units(budget: str, units: str) -> None:
    with pytest.raises(ConfigError, match=budget):
        parse(text(tables=TABLE + f"{budget} = {units}\n"), "twinrow.toml", {})


@pytest.mark.parametrize("deleted", ["migrated", "mysql_id"])
def test_an_attribute_of_twinrow_cannot_mean_deleted(deleted: str) -> None:
    with pytest.raises(ConfigError, match=r"pending_index\.deleted"):
        parse(text(tables=PENDING + f"deleted = '{deleted}'\n"), "twinrow.toml", {})


def test_a_file_that_an_editor_began_with_a_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "twinrow.toml"
    path.write_text(text(), encoding="utf-8-sig")
    assert load(path, {}).tables[0].name == "reviews"


def test_what_is_missing_is_told_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="the file lacks the required field `mysql`"):
        parse(TABLE, "twinrow.toml", {})
