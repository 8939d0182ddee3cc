"""Tables of a process come and go beside each other. Without servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest
from tests.fixtures.waiting import wait_until

from twinrow.app.wiring import settings_of
from twinrow.clock import Stop
from twinrow.config import TableConfig
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Broken
from twinrow.mysql import MySQL
from twinrow.table.context import TableContext, context_of
from twinrow.table.table import Table
from twinrow.workers import fleet as fleet_module
from twinrow.workers.fleet import Fleet, Listener
from twinrow.workers.run import Outcome, TableRun
from twinrow.workers.shared import Shared

WAIT_S = 30.0


class ToyRun:
    """A run that goes on until its stop; a table called `broken` ends by an error, one called `fault` by a fault."""

    def __init__(self, context: TableContext, _shared: Shared) -> None:
        self.context = context

    def run(self) -> Outcome:
        if self.context.name == "broken":
            return Outcome(error=Broken("it broke"))
        if self.context.name == "fault":
            raise KeyError("a fault")
        while not self.context.table.stop.wait(WAIT_S):
            raise AssertionError("nobody has stopped it")
        return Outcome()


def context(name: str, stop: Stop) -> TableContext:
    settings = settings_of(TableConfig(name=name, capture="scan"), "twinrow.toml")
    return context_of(Table(settings, cast(DynamoDB, None), cast(MySQL, None), Stop(within=stop)))


@contextmanager
def a_fleet(monkeypatch: pytest.MonkeyPatch, stop: Stop, shown: list[frozenset[str]]) -> Iterator[Fleet]:
    def on_runs(runs: Mapping[str, TableRun]) -> None:
        shown.append(frozenset(runs))

    monkeypatch.setattr(fleet_module, "TableRun", ToyRun)
    with Fleet(
        cast(MySQL, SimpleNamespace(lease_s=1.0, pool=SimpleNamespace(close=lambda: None))),
        Listener(on_runs=on_runs),
        once=False,
    ) as fleet:
        try:
            yield fleet
        finally:
            stop.set()
            fleet.join()


def test_a_table_that_ends_and_begins_anew_is_not_noticed_by_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, shown = Stop(), list[frozenset[str]]()
    with a_fleet(monkeypatch, stop, shown) as fleet:
        first = context("first", stop)
        fleet.add([first, context("second", stop)])
        with pytest.raises(ValueError, match="second"):
            fleet.add([context("second", stop)])
        fleet.end(["second"])
        wait_until(lambda: fleet.running == {"first"}, WAIT_S, what="the end of the second")
        assert not first.table.stop
        fleet.add([context("second", stop), context("third", stop)])
        assert fleet.running == {"first", "second", "third"}
        fleet.end(["second"])
        wait_until(lambda: "second" not in fleet.running, WAIT_S, what="its end")
        fleet.forget(["second", "third"])
        assert shown[-1] == {"first", "third"}, "a table that still runs is shown"
    assert not fleet.running
    assert {name: outcome.error for name, outcome in fleet.outcomes.items()} == {"first": None, "third": None}


def test_a_table_that_breaks_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    with a_fleet(monkeypatch, stop, []) as fleet:
        fleet.add([context(name, stop) for name in ("broken", "fault", "well")])
        wait_until(lambda: fleet.running == {"well"}, WAIT_S, what="the end of both")
        assert "it broke" in str(fleet.outcomes["broken"].error)
        assert "KeyError" in str(fleet.outcomes["fault"].error)
        assert not stop
