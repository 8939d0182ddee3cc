"""Time as Twinrow sees it, when somebody sets the system's clock."""

from __future__ import annotations

import time

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all, review
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, error

from twinrow import clock
from twinrow.app.servers import DynamoDBLocal

HOUR_S = 3600.0


class _SetClock:
    """A system's clock that can be set; it replaces `time` in the clock's module."""

    def __init__(self) -> None:
        self.set_by_s = 0.0
        self.monotonic = time.monotonic

    def time(self) -> float:
        return time.time() + self.set_by_s


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> _SetClock:
    made = _SetClock()
    monkeypatch.setattr(clock, "time", made)
    monkeypatch.setattr(clock, "_clock", clock._Clock())
    return made


def test_a_clock_set_back_slows_down_and_one_set_forward_is_followed(system: _SetClock) -> None:
    at = clock.now()
    assert at == pytest.approx(time.time(), abs=1)
    system.set_by_s = -HOUR_S
    later = [clock.now() for _ in range(1000)]
    assert later == sorted(later)
    assert later[0] >= at
    assert later[-1] > later[0], "it stands still"
    assert later[-1] < at + 10
    system.set_by_s = HOUR_S
    assert clock.now() == pytest.approx(time.time() + HOUR_S, abs=1)


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_clock_that_jumps_while_links_wait_holds_nothing_up(
    make_copying: MakeCopying, dynamodb: DynamoDBLocal, system: _SetClock, jump_s: float
) -> None:
    """Throttled links wait for a time of day: an hour set back must not become an hour of waiting."""

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and not system.set_by_s:
            system.set_by_s = jump_s
            return error("ThrottlingException")
        return forward(None)

    with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
        copying = make_copying(endpoint_url=proxy.endpoint_url)
        put_all(copying.client, copying.table, [marked(n) if n % 2 else review(n) for n in range(60)])
        copying.once_well()
        assert system.set_by_s == jump_s
        copying.assert_equal(items=60)
