"""What `plan` reckons, what `init` writes, what `iam-policy` and `grants` allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinrow.app.setup import choices as choosing
from twinrow.app.setup import init, permissions
from twinrow.app.setup.plan import Prices, plan
from twinrow.config import parse
from twinrow.table_description import IndexDescription, TableDescription

TOLD = TableDescription(
    name="reviews", arn="", table_id="", status="ACTIVE", keys=(("username", "S"), ("at", "N")), items=1_000_000,
    bytes=500_000_000, indexes=(), stream_arn=None, stream_view=None, provisioned_read=None, provisioned_write=None,
    replicas=(),
)  # fmt: skip
MARKS = IndexDescription("marks", (("migrated", "N"),), "ALL", (), "ACTIVE")
BY_DAY = IndexDescription("by-day", (("day", "S"), ("username", "S")), "ALL", (), "ACTIVE")
CONFIG = """
[mysql]
url = "mysql://us'er:pw@h/analytics"
[[tables]]
name = "reviews"
capture = "pending-index"
[tables.pending_index]
index = "marks"
attribute = "migrated"
pending = [0]
[[tables]]
name = "orders"
capture = "stream"
"""


def test_the_first_copy_reads_all_and_links_each_item_once() -> None:
    config = parse(CONFIG, "twinrow.toml", {})
    made = plan(config.tables[0], replace(TOLD, indexes=(MARKS,)), (1000.0, 200.0), Prices(), 10_000)
    assert made.first.read_units == round(500_000_000 / 8192, 1)
    assert made.first.write_units == 1_000_000
    assert made.first.seconds == 5_000
    assert made.first.dollars == pytest.approx(0.625 + 500_000_000 / 8192 * 0.125 / 1e6)
    assert made.indexes_written == ()
    assert made.a_day.write_units == 20_000


def test_items_that_are_marked_already_cost_a_write_more_each() -> None:
    """What takes them out of the index; their number is DynamoDB's own count."""
    config = parse(CONFIG, "twinrow.toml", {})
    made = plan(config.tables[0], replace(TOLD, indexes=(replace(MARKS, items=1200),)), (None, None), Prices(), 0)
    assert made.first.write_units == 1_000_000 + 1200


def test_links_cost_a_write_in_every_index_that_projects_them() -> None:
    config = parse(CONFIG, "twinrow.toml", {})
    made = plan(config.tables[0], replace(TOLD, indexes=(MARKS, BY_DAY)), (None, None), Prices(), 0)
    assert made.indexes_written == ("by-day",)
    assert made.first.write_units == 2_000_000
    assert made.first.seconds == 0


@pytest.mark.parametrize(
    ("link", "done", "units"),
    [("true", '""', 2), ("true", "1", 3), ("false", '""', 2), ("false", "1", 3)],
)
def test_a_change_costs_what_the_table_in_the_docs_says(link: str, done: str, units: int) -> None:
    """`docs/marking.md`: what Twinrow's own write takes in table and index, of an item of up to 1 KB."""
    text = CONFIG.replace("pending = [0]", f"pending = [0]\ndone = {done}")
    text = text.replace('capture = "pending-index"', f'capture = "pending-index"\nlink = {link}')
    made = plan(parse(text, "twinrow.toml", {}).tables[0], replace(TOLD, indexes=(MARKS,)), (None, None), Prices(), 10)
    assert made.a_day.write_units == 10 * units
    assert made.first.write_units == (1_000_000 if link == "true" else 0), "an item without a mark is in no index"


def test_a_stream_copy_without_links_writes_nothing() -> None:
    config = parse(CONFIG, "twinrow.toml", {})
    made = plan(config.tables[1], TOLD, (1000.0, 200.0), Prices(), 10_000)
    assert (made.first.write_units, made.a_day.write_units, made.a_day.read_units) == (0, 0, 0)
    assert made.first.read_units == round(2 * 500_000_000 / 8192, 1), "beside a stream the scan reads consistently"


def test_init_suggests_what_the_table_has() -> None:
    assert choosing.suggested(replace(TOLD, indexes=(BY_DAY, MARKS))) == "pending-index"
    assert choosing.suggested(replace(TOLD, stream_arn="arn")) == "stream"
    assert choosing.suggested(replace(TOLD, items=100)) == "scan"
    assert choosing.suggested(TOLD) == "stream"


def test_what_init_writes_is_a_configuration() -> None:
    choices = [
        choosing.Choice(replace(TOLD, indexes=(MARKS,)), "pending-index"),
        choosing.Choice(replace(TOLD, name="orders"), "stream"),
        choosing.Choice(replace(TOLD, name="small"), "scan"),
    ]
    url, password = init.without_password("mysql://ann:p%40ss@h:3307/d?ssl_mode=REQUIRED")
    assert (url, password) == ("mysql://ann:${MYSQL_PASSWORD}@h:3307/d?ssl_mode=REQUIRED", "p%40ss")
    config = parse(init.render("eu-west-1", None, url, choices), "twinrow.toml", {"MYSQL_PASSWORD": "p@ss"})
    assert [(one.name, one.capture) for one in config.tables] == [
        ("reviews", "pending-index"), ("orders", "stream"), ("small", "scan"),
    ]  # fmt: skip
    assert config.tables[0].pending_index is not None
    assert (config.tables[0].pending_index.index, config.tables[0].pending_index.pending) == ("marks", [0])
    assert (config.mysql.password, config.mysql.port) == ("p@ss", 3307)
    assert init.without_password("mysql://ann:${SECRET}@h/d") == ("mysql://ann:${SECRET}@h/d", "")
    assert init.without_password("mysql://ann:p[w@h/d") == ("mysql://ann:p[w@h/d", "")


def test_init_names_the_mysql_table_where_the_name_is_too_long_for_one() -> None:
    long = "n" * 200
    written = init.render("eu-west-1", None, "mysql://u@h/d", [choosing.Choice(replace(TOLD, name=long), "stream")])
    (one,) = parse(written, "twinrow.toml", {}).tables
    assert (one.name, len(one.into_name)) == (long, 64)


def test_rights_are_the_least_that_each_capture_needs() -> None:
    config = parse(CONFIG, "twinrow.toml", {})
    keys = {"reviews": ["username", "reviewed_at"]}
    (policy,) = permissions.iam_policies(config, config.tables, "123456789012", keys, fix=False)
    allowed = [
        (resource.partition("table/")[2], one) for one in policy.document["Statement"] for resource in one["Resource"]
    ]
    assert {resource for resource, _ in allowed} == {"reviews", "reviews/index/marks", "orders", "orders/stream/*"}
    writing = [(resource, one) for resource, one in allowed if any("Update" in action for action in one["Action"])]
    assert [resource for resource, _ in writing] == ["reviews"]
    limited = writing[0][1]["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert limited == sorted({*keys["reviews"], "mysql_id", "migrated"})
    granted = permissions.grants(config, "bob")
    assert granted[0].endswith("ON `analytics`.* TO 'us''er'@'%';")
    assert len(granted) == 3
