"""Settings of protection: what is refused, in words that name table and key; a table without rules loads nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.protect.values import TABLE_SECRET

from twinrow.app import protecting
from twinrow.app.wiring import settings_of
from twinrow.config import parse
from twinrow.errors import ConfigError
from twinrow.table.settings import Settings

MYSQL = '[mysql]\nurl = "mysql://u@h/d"\n'
SECRET_PART = f'[protect]\nsecret = "{TABLE_SECRET}"\n'
TABLE = '[[tables]]\nname = "people"\ncapture = "stream"\n'


def settings(rules: str, *, secret: str = SECRET_PART, table: str = TABLE) -> Settings:
    config = parse(f"{MYSQL}{secret}{table}[tables.protect]\n{rules}\n")
    (chosen,) = config.tables
    return protecting.settings_with(config, chosen, settings_of(chosen, config.path))


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ('email = "hsh"', r"protect\.email.*\(table people\): it takes drop, hash"),
        ("email = { mask = 65 }", r"protect\.email\.mask"),
        ("email = { mask = -1 }", r"protect\.email\.mask"),
        ("email = { masc = 1 }", r"protect\.email.*did you mean `mask`"),
        ("email = {}", r"\(people\): `protect\.email` is no rule"),
        ('email = { mask = 1, hash_part = "a{b}" }', r"\(people\): `protect\.email` is no rule"),
        ('email = { hash_part = "email" }', r"\(people\) protect\.email: .*no template names the part"),
        ('email = { hash_part = "USER#" }', r"\(people\) protect\.email"),
        ('email = { hash_part = "{day:date}" }', r"\(people\) protect\.email: .*a hash is text"),
        ('"a..b" = "drop"', r"\(people\).*'a\.\.b' is no path"),
        ('a = "hash"\n"a.b" = "drop"', r"\(people\).*'a\.b' lies inside an attribute that has a rule"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_name(rules: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        settings(rules)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(("rule", "needed"), [('"hash"', True), ('{ hash_part = "U#{e}" }', True), ('"drop"', False)])
def test_a_secret_is_asked_for_where_something_hashes(rule: str, needed: bool) -> None:
    if not needed:
        assert settings(f"email = {rule}\nphone = {{ mask = 4 }}", secret="").protection is not None
        return
    with pytest.raises(ConfigError, match="rules that hash need a secret"):
        settings(f"email = {rule}", secret="")


def test_a_short_secret_is_refused_and_no_error_shows_it() -> None:
    with pytest.raises(ConfigError, match="it needs at least 32") as refused:
        settings('email = "hash"', secret='[protect]\nsecret = "short-and-known"\n')
    assert "short-and-known" not in str(refused.value)
    config = parse(f"{MYSQL}{SECRET_PART}{TABLE}")
    assert TABLE_SECRET not in repr(config)
    assert config.literal_secret


def test_an_allow_list_takes_whole_attributes_and_twinrows_own_take_no_rule() -> None:
    with pytest.raises(ConfigError, match=r"`attributes` has the path 'address\.city'"):
        settings("", table=f'{TABLE}attributes = ["address.city"]\n')
    with pytest.raises(ConfigError, match=r"`protect\.mysql_id`: that attribute is Twinrow's own"):
        settings('mysql_id = "drop"', table=f"{TABLE}link = true\n")


def test_a_where_on_a_protected_attribute_is_kept_as_a_digest() -> None:
    made = settings('email = "hash"', table=f'{TABLE}where = {{ email = "ada@example.com" }}\n')
    assert made.row_filter is not None
    assert "ada" not in made.row_filter.source
    assert made.protection is not None
    assert made.protection.where is not None
    assert made.protection.where({"email": {"S": "ada@example.com"}})
    other = settings('email = "hash"', table=f'{TABLE}where = {{ email = "bob@example.com" }}\n')
    assert other.row_filter is not None
    assert other.row_filter.source != made.row_filter.source
    with pytest.raises(ConfigError, match="needs a secret"):
        settings('email = "drop"', secret="", table=f'{TABLE}where = {{ email = "ada@example.com" }}\n')


def test_a_table_without_rules_loads_nothing_of_protection() -> None:
    code = (
        "import sys; from twinrow.app.wiring import contexts_of; from twinrow.clock import Stop; "
        "from twinrow.config import parse; import twinrow.workers.fleet, twinrow.sync.start, twinrow.verify.verify; "
        f"config = parse({MYSQL + TABLE!r}); contexts_of(config, config.tables, Stop()); "
        "print([name for name in sys.modules if name.startswith('twinrow.protect')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
