"""A write is sent only where the lease is still held once it is signed: every write, every retry of botocore's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import key, marked, put_all
from tests.fixtures.proxy import DynamoDBProxy

from twinrow import clock
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_wire import Statement
from twinrow.errors import NotSent
from twinrow.link.send import LinkWriter
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state.lease import Lease
from twinrow.table.tenure import Tenure

pytestmark = pytest.mark.either_server
"""Whether a request is sent is decided before MySQL hears of its answer."""

LEASE_S = 60.0


@pytest.fixture
def proxy(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
    with DynamoDBProxy(dynamodb.endpoint_url) as made:
        yield made


@pytest.mark.parametrize("retry_mode", ["legacy", "adaptive"])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_write_that_is_not_allowed_once_it_is_signed_is_not_sent(
    proxy: DynamoDBProxy, monkeypatch: pytest.MonkeyPatch, retry_mode: str, allowed: bool
) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", retry_mode)
    dynamodb = DynamoDB("us-east-1", proxy.endpoint_url)
    asked: list[int] = []

    def may_send() -> bool:
        asked.append(sum(proxy.requests.values()))
        return allowed

    calls: list[Callable[[], object]] = [
        lambda: dynamodb.execute_statements("t", [Statement('UPDATE "t" SET a=1 WHERE k=?', ({"S": "x"},))], may_send),
        lambda: dynamodb.update_item("t", {"k": {"S": "x"}}, may_send, UpdateExpression="SET a = a"),
    ]
    for call in calls:
        try:
            call()
            assert allowed
        except NotSent:
            assert not allowed
    assert asked == ([0, 1] if allowed else [0, 0]), "it is asked once for each, before a byte goes"
    assert sum(proxy.requests.values()) == (2 if allowed else 0)
    assert list(dynamodb.tables()) is not None, "what needs no lease is sent without asking"
    assert len(asked) == 2


def test_a_lease_runs_out_while_the_machine_sleeps(make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLOCK_MONOTONIC stands still in a suspended machine, CLOCK_BOOTTIME does not."""
    (context,), _ = make_copying().copies(Stop())
    context.tenure.hold(Lease(context.name, 1, "here", LEASE_S, taken_over=False), clock.boot_time())
    assert context.tenure.may_call()
    before, slept_s = time.clock_gettime, LEASE_S
    monkeypatch.setattr(time, "clock_gettime", lambda which: before(which) + slept_s * (which == time.CLOCK_BOOTTIME))
    assert not context.tenure.may_call()
    assert not context.tenure.may_write()


@pytest.mark.parametrize("partiql", [True, False])
def test_debts_whose_call_was_not_sent_stay_owed_and_are_paid_later(
    make_copying: MakeCopying, proxy: DynamoDBProxy, partiql: bool
) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    questions: list[int] = []
    may_call = Tenure.may_call

    def lost_at_first(tenure: Tenure) -> bool:
        # asked before the call is made and once it is signed: the first calls get no further than that
        questions.append(1)
        return len(questions) not in (2, 3) and may_call(tenure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tenure, "may_call", lost_at_first)
        patch.setattr(LinkWriter, "uses_partiql", partiql)
        ran = copying.once_well()
    assert ran.counts.links_paid == 3
    assert ran.counts.links_refused == 0
    assert all("migrated" not in item for item in copying.items())
    assert "mysql_id" in copying.client.get_item(TableName=copying.table, Key=key(marked(1)))["Item"]
    copying.assert_equal(items=3)
