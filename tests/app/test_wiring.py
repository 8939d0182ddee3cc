"""From a configuration to settings and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinrow.app.wiring import capacity_of, contexts_of, is_loopback, settings_of
from twinrow.capacity import Capacity
from twinrow.clock import Stop
from twinrow.config import Config, TableConfig, parse
from twinrow.errors import ConfigError
from twinrow.schema.column_type import ColumnType

HEAD = "[mysql]\nurl = 'mysql://u:p@h/d'\n"
PENDING = HEAD + (
    "[[tables]]\nname = 'reviews'\ncapture = 'pending-index'\n{more}\n"
    "[tables.pending_index]\nindex = 'marks'\nattribute = 'migrated'\npending = [0, 1]\ndeleted = 'gone'\n"
)
AWS = "https://dynamodb.us-east-1.amazonaws.com"


def table(text: str) -> TableConfig:
    config: Config = parse(text, "twinrow.toml", {})
    return config.tables[0]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8000", True), ("http://localhost:8000", True), ("http://[::1]:8000", True),
        ("http://127.9.9.9", True), ("http://dynamodb:8000", False), (AWS, False), (None, False),
        ("http://10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback_endpoints(url: str | None, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_what_a_table_says_of_its_capacity_reaches_its_settings() -> None:
    said = table(PENDING.format(more="read_capacity_max = 7\nwrite_capacity_max = 3"))
    assert capacity_of(said, AWS) == Capacity(7, 3, loopback=False, index="marks")
    assert capacity_of(table(PENDING.format(more="")), "http://127.0.0.1:8000") == Capacity(
        loopback=True, index="marks"
    )
    config = parse(PENDING.format(more="write_capacity_max = 3"), "twinrow.toml", {})
    (context,) = contexts_of(config, config.tables, Stop())
    assert context.settings.capacity == Capacity(write_max=3, index="marks")


def test_settings_resolve_every_default() -> None:
    settings = settings_of(table(PENDING.format(more="deletes = 'soft'")), "twinrow.toml", adopt_links=True)
    assert (settings.into, settings.linked, settings.link_attribute) == ("reviews", True, "mysql_id")
    assert (settings.soft_deletes, settings.soft_ttl_deletes, settings.reconcile_s) == (True, True, None)
    assert settings.pending is not None
    assert settings.pending.marks == ({"N": "0"}, {"N": "1"})
    assert (settings.pending.done, settings.pending.deleted) == (None, "gone")
    assert settings.own >= {"mysql_id", "migrated"}
    assert settings == replace(settings, adopt_links=True)


def test_overrides_are_checked_with_the_configuration() -> None:
    text = HEAD + "[[tables]]\nname = 'reviews'\ncapture = 'scan'\n[tables.columns.at]\n"
    dated = settings_of(table(text + "type = 'DATETIME(3)'\nfrom = 'epoch_ms'\n"), "twinrow.toml")
    assert dated.overrides[0].type == ColumnType("DATETIME", 3, None, "epoch_ms")
    for wrong in ("type = 'CHAR(3)'\n", "from = 'epoch_ms'\n", "type = 'INT'\nfrom = 'epoch_ms'\n"):
        with pytest.raises(ConfigError, match=r"columns\.at"):
            settings_of(table(text + wrong), "twinrow.toml")


@pytest.mark.parametrize(
    "columns",
    ["x.column = 'row_id'", "x.column = 'c '", "x.column = '_twinrow_key'", "x.column = 'c'\ny.column = 'C'"],
)
def test_overrides_that_contradict_are_told_with_the_configuration(columns: str) -> None:
    text = HEAD + f"[[tables]]\nname = 'reviews'\ncapture = 'scan'\n[tables.columns]\n{columns}\n"
    with pytest.raises(ConfigError, match=r"tables \(reviews\) columns"):
        settings_of(table(text), "twinrow.toml")


@pytest.mark.parametrize(
    "named", [f"name = '{'n' * 65}'", "name = 'abc'\ninto = 'x '", "name = 'abc'\ninto = 'x\U0001f600'"]
)
def test_a_name_that_no_mysql_table_can_have_is_told_with_the_configuration(named: str) -> None:
    with pytest.raises(ConfigError, match="set `into`") as told:
        settings_of(table(HEAD + f"[[tables]]\n{named}\ncapture = 'scan'\n"), "twinrow.toml")
    assert told.value.exit_code == 2
