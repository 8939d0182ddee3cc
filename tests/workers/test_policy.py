"""What a table's thread does about trouble, and how its work uses a turn. Without servers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from twinrow import clock
from twinrow.app.wiring import settings_of
from twinrow.clock import Stop
from twinrow.config import TableConfig
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Broken, ConnectionLost, LeaseLost, ServerState, StartRefused, Transient, TwinrowError
from twinrow.link.threads import Linker
from twinrow.mysql import Connection, MySQL, MySQLError
from twinrow.mysql_pool import Pool
from twinrow.sync.pace import QUIET_S
from twinrow.sync.table_work import TableWork
from twinrow.table.context import TableContext, context_of
from twinrow.table.table import Table
from twinrow.workers.run import GIVE_UP_S_MAX, START_TRIES_MAX, TableRun
from twinrow.workers.shared import Shared

ACCESS_DENIED = 1045
NO_KNOWN_CODE = 9999
FAR = 1e9


def context() -> TableContext:
    settings = settings_of(TableConfig(name="reviews", capture="scan"), "twinrow.toml")
    mysql = SimpleNamespace(pool=Pool[Connection](lambda: pytest.fail("no session is needed"), 4, 8.0))
    return context_of(Table(settings, cast(DynamoDB, None), cast(MySQL, mysql), Stop()))


def run_of(phase: str, *, once: bool) -> TableRun:
    run = TableRun(context(), Shared("here", once, 0.0))
    run.work.phase = phase
    return run


@pytest.mark.parametrize(
    ("error", "at_start", "while_it_runs", "once"),
    [
        (Transient("x"), True, True, True),
        (ConnectionLost("x"), True, True, True),
        (MySQLError(NO_KNOWN_CODE, "x"), True, True, True),
        (MySQLError(ACCESS_DENIED, "x"), False, True, False),
        (DynamoDBError("AccessDeniedException", "x", where="", remedy=""), False, True, False),
        (DynamoDBError("ValidationException", "x", where="", remedy=""), False, False, False),
        (StartRefused("x"), False, False, False),
        (Broken("x"), False, False, False),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'code', '')}" if isinstance(value, TwinrowError) else "",
)
def test_a_trouble_is_waited_for_where_it_may_pass(
    error: TwinrowError, at_start: bool, while_it_runs: bool, once: bool
) -> None:
    assert run_of("", once=False)._passes(error) == at_start
    assert run_of("LIVE", once=False)._passes(error) == while_it_runs
    assert run_of("LIVE", once=True)._passes(error) == once


def test_a_sync_that_goes_on_never_gives_up() -> None:
    run = run_of("", once=False)
    run._trouble_at = clock.monotonic() - GIVE_UP_S_MAX - 1
    assert not run._gives_up(Transient("x"), 1_000)


def test_once_gives_up_at_its_start_after_some_tries_and_waits_once_it_has_begun() -> None:
    assert not run_of("", once=True)._gives_up(Transient("x"), START_TRIES_MAX - 1)
    assert run_of("", once=True)._gives_up(Transient("x"), START_TRIES_MAX)
    assert not run_of("LIVE", once=True)._gives_up(Transient("x"), 1_000)


@pytest.mark.parametrize("error", [ServerState("x"), MySQLError(NO_KNOWN_CODE, "x")])
def test_once_waits_so_long_for_a_state_of_mysql_and_no_longer(error: TwinrowError) -> None:
    run = run_of("", once=True)
    run._trouble_at = clock.monotonic()
    assert not run._gives_up(error, 1_000)
    run._trouble_at = clock.monotonic() - GIVE_UP_S_MAX - 1
    assert run._gives_up(error, 1)


class NoCalls:
    """A linker with nothing under way."""

    def calls(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is held."""


class Scripted(TableWork):
    """Work whose steps are given; `steps` are what each finds to do."""

    def __init__(self, steps: list[bool], shared: Shared) -> None:
        super().__init__(context(), shared)
        self.steps = steps
        self._linker = cast(Linker, NoCalls())

    def _step(self) -> bool:
        self._check_lease()
        if not self.steps:
            self.context.table.stop.set()
            return False
        return self.steps.pop(0)

    def _caught_up(self) -> bool:
        return True


def held(*, once: bool) -> Shared:
    return Shared("here", once, 0.0, leases={"reviews": context()})


def test_a_turn_ends_when_its_time_is_over() -> None:
    work = Scripted([True, True], held(once=False))
    assert not work.turn(clock.monotonic()).through
    assert len(work.steps) == 2


def test_a_turn_ends_with_the_stop() -> None:
    work = Scripted([True, False], held(once=False))
    assert not work.turn(FAR).through
    assert not work.steps


def test_with_once_a_turn_is_through_at_the_first_step_that_finds_nothing() -> None:
    work = Scripted([True, True, False, True], held(once=True))
    assert work.turn(FAR).through
    assert work.steps == [True]


def test_pauses_grow_while_there_is_nothing_to_do_and_begin_small_after_work(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Scripted([False] * 6 + [True, False], held(once=False))
    pauses: list[float] = []
    monkeypatch.setattr(work.context.table.bell, "wait", pauses.append)
    work.turn(FAR)
    assert pauses[:6] == sorted(pauses[:6])
    assert pauses[5] == QUIET_S
    assert pauses[6] == pauses[0] < QUIET_S


def test_without_the_lease_no_step_is_done() -> None:
    work = Scripted([True], Shared("here", False, 0.0))
    with pytest.raises(LeaseLost):
        work.turn(FAR)
    assert work.steps == [True]
