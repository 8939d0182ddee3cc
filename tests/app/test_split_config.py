"""Splits in `twinrow.toml`: mistakes are refused, and the refusal names entity and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinrow.app.wiring import read_config, settings_of
from twinrow.config import parse
from twinrow.errors import ConfigError

HEAD = """
[mysql]
url = "mysql://u:p@h/d"
[[tables]]
name = "app-main"
capture = "stream"
into = "app_rest"
"""
ORDERS = '[[tables.entities]]\nname = "orders"\nwhen = { PK = "C#{customer}" }\n'


def test_entities_have_tables_overrides_and_parts_of_their_own() -> None:
    text = HEAD + ORDERS + '[tables.entities.columns.total]\ntype = "DECIMAL(12,2)"\n'
    settings = settings_of(parse(text).tables[0], "twinrow.toml")
    assert settings.split is not None
    (orders,) = settings.split.split.entities
    assert (orders.into, [part.name for part in orders.parts]) == ("orders", ["customer"])
    assert [override.attribute for override in settings.split.overrides["orders"]] == ["total"]
    assert settings.overrides == ()


def test_a_table_without_rules_is_not_split() -> None:
    assert settings_of(parse(HEAD).tables[0], "twinrow.toml").split is None


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (ORDERS + ORDERS, ("orders", "name")),
        (ORDERS + ORDERS.replace('"orders"', '"others"\ninto = "orders"'), ("others", "into")),
        (ORDERS.replace('"orders"', '"app_rest"'), ("app_rest", "into")),
        (ORDERS.replace('"orders"', '"_twinrow_x"'), ("_twinrow_x", "name")),
        (ORDERS.replace('"orders"', '"' + "x" * 65 + '"'), ("x" * 65, "name")),
        ('[[tables.entities]]\nname = "orders"\n', ("orders", "when")),
        (ORDERS + 'ignore = true\ninto = "o"\n', ("orders", "into")),
        (ORDERS.replace('"C#{customer}"', '"C#{a:int}", SK = "{a:date}"'), ("orders", "when")),
        (ORDERS.replace('"C#{customer}"', '"C#{a"'), ("orders", "when.PK")),
        (ORDERS.replace('"C#{customer}"', '"C#{a:money}"'), ("orders", "when.PK")),
        (ORDERS.replace("PK =", "hidden =") + "[tables.columns.hidden]\nignore = true\n", ("orders", "when.hidden")),
        (ORDERS + "typo = 1\n", ("entities", "typo")),
        ("unmatched = 'ignore'\n", ("app-main", "unmatched")),
        ('[tables.split]\nattribute = "_type"\ninto = "x"\n', ("split", "into")),
        (ORDERS.replace("PK =", "ssn =") + '[tables.protect]\nssn = "drop"\n', ("app-main", "ssn")),
    ],
)
def test_each_mistake_is_refused_by_name(rules: str, named: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "twinrow.toml"
    path.write_text(HEAD + rules, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_config(path)
    assert refused.value.exit_code == 2
    assert all(word in str(refused.value) for word in named), refused.value


def test_two_tables_of_dynamodb_do_not_share_a_table_of_mysql(tmp_path: Path) -> None:
    other = HEAD.partition("[[tables]]")[2].replace("app-main", "app-two").replace("app_rest", "orders")
    path = tmp_path / "twinrow.toml"
    path.write_text(HEAD + ORDERS + "[[tables]]" + other, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"app-two.*same MySQL table as app-main"):
        read_config(path)
