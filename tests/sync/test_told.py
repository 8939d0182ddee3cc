"""What a copy tells of itself: counts, and how fast they rise."""

from __future__ import annotations

import pytest

from twinrow import clock
from twinrow.app.wiring import contexts_of
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.state.counted import Rates
from twinrow.sync.progress import RATE_WINDOW_S, Teller
from twinrow.table.context import TableContext

CONFIG = """
[mysql]
url = "mysql://twinrow@127.0.0.1/analytics"
[[tables]]
name = "reviews"
capture = "stream"
"""


class Hand:
    """A clock's hand that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(clock, "monotonic", made)
    return made


@pytest.fixture
def context() -> TableContext:
    config = parse(CONFIG)
    (made,) = contexts_of(config, config.tables, Stop())
    return made


def test_rates_look_back_over_some_seconds(context: TableContext, hand: Hand) -> None:
    teller = Teller(context, since=1.0)
    told = teller.counted()
    assert told.rates == Rates()
    for _ in range(20):
        hand.at += 0.5
        context.counters.add_applied({("PUT", "STREAM"): 15})
        context.counters.add_applied({("PUT", "RECHECK"): 1})
        context.counters.add_applied({("DELETE", "STREAM"): 2})
        context.counters.add_links(paid=3)
        context.table.read_budget.used += 4.5
        told = teller.counted()

    assert told.rates == Rates(puts_per_s=32, deletes_per_s=4, links_per_s=6, read_units_per_s=9, write_units_per_s=0)
    assert told.links_paid == 60


def test_rates_fall_to_nothing_when_nothing_happens(context: TableContext, hand: Hand) -> None:
    teller = Teller(context, since=1.0)
    teller.counted()
    hand.at += 1.0
    context.counters.add_applied({("PUT", "STREAM"): 100})
    told = teller.counted()
    assert told.rates.puts_per_s == 100
    for _ in range(int(RATE_WINDOW_S) + 1):
        hand.at += 1.0
        told = teller.counted()

    assert told.rates == Rates()
