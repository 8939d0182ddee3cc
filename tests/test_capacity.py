"""What the work on a table may take of its capacity, and the budget that was never set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twinrow.app.demo.servers import CONFIG, REVIEWS
from twinrow.app.wiring import contexts_of
from twinrow.budget import Budget
from twinrow.capacity import Capacity, limits
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.errors import Broken
from twinrow.table_description import TableDescription, described


def told(read: float, write: float, index: tuple[float, float] | None = None) -> TableDescription:
    def units(units_read: float, units_write: float) -> dict[str, float]:
        return {"ReadCapacityUnits": units_read, "WriteCapacityUnits": units_write}

    key = [{"AttributeName": "migrated", "KeyType": "HASH"}]
    of_index: dict[str, Any] = {"IndexName": "marks", "KeySchema": key, "Projection": {}}
    indexes = [of_index | {"ProvisionedThroughput": units(*index)}] if index is not None else []
    return described({
        "TableName": "reviews", "KeySchema": key, "ProvisionedThroughput": units(read, write),
        "GlobalSecondaryIndexes": indexes,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("capacity", "description", "wanted"),
    [
        (Capacity(), told(400, 100), (100, 25)),
        (Capacity(), told(0, 0), (1000, 200)),
        (Capacity(index="marks"), told(0, 0, (0, 0)), (1000, 200)),
        (Capacity(loopback=True), told(400, 100), (None, None)),
        (Capacity(index="marks"), told(400, 100, (40, 20)), (10, 5)),
        (Capacity(index="marks"), told(400, 100, (4000, 2000)), (100, 25)),
        (Capacity(index="another"), told(400, 100, (40, 20)), (100, 25)),
        (Capacity(), told(400, 100, (40, 20)), (100, 25)),
        (Capacity(7, 3), told(400, 100), (7, 3)),
        (Capacity(7, None), told(400, 100), (7, 25)),
        (Capacity(7, 3, loopback=True), told(0, 0), (7, 3)),
    ],
)
def test_limits(capacity: Capacity, description: TableDescription, wanted: tuple[float | None, float | None]) -> None:
    assert limits(capacity, description) == wanted


@pytest.mark.parametrize(
    "use",
    [
        lambda budget: budget.wait(Stop()),
        lambda budget: budget.ready(Stop(), 0.0),
        lambda budget: budget.pay(1.0),
    ],
    ids=["wait", "ready", "pay"],
)
def test_a_budget_that_was_never_set_refuses(use: Callable[[Budget], None]) -> None:
    budget = Budget.unset()
    with pytest.raises(Broken, match="not set before the first request"):
        use(budget)
    budget.limit(None)
    use(budget)
    use(Budget(None))


def test_the_budget_of_the_demo_is_what_its_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    text = CONFIG.format(region="us-east-1", endpoint_url="http://127.0.0.1:1", url="mysql://u:p@h/d")
    text += REVIEWS.format(table="reviews")
    config = parse(text, "twinrow.toml", {})
    (context,) = contexts_of(config, config.tables, Stop())
    with pytest.raises(Broken):
        context.table.read_budget.wait(Stop())
    monkeypatch.setattr(context.table.dynamodb, "describe", lambda table: told(400, 100))
    assert context.table.describe() == told(400, 100)
    assert (context.table.read_budget.units_per_s, context.table.write_budget.units_per_s) == (100_000, 100_000)
