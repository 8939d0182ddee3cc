"""Global tables of the old kind, which DescribeTable does not tell of, are refused for linking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, Rule, error

from twinrow.app.check import dynamodb as check_dynamodb
from twinrow.clock import Stop
from twinrow.errors import StartRefused
from twinrow.local_servers.servers import DynamoDBLocal

pytestmark = pytest.mark.either_server


@pytest.fixture
def proxy(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
    with DynamoDBProxy(dynamodb.endpoint_url) as made:
        yield made


def answering(answer: Answer) -> Rule:
    """What AWS says of global tables; everything else is DynamoDB Local's."""

    def rule(request: Request, forward: Forward) -> Answer | None:
        return answer if request.operation == "DescribeGlobalTable" else forward(None)

    return rule


def in_regions(*regions: str) -> Answer:
    group = [{"RegionName": region} for region in regions]
    return Answer(200, {"GlobalTableDescription": {"ReplicationGroup": group, "GlobalTableStatus": "ACTIVE"}})


def test_a_global_table_of_the_old_kind_is_not_linked(make_copying: MakeCopying, proxy: DynamoDBProxy) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    proxy.rule = answering(in_regions("us-east-1", "eu-west-1"))
    refused = copying.once().outcome.error
    assert isinstance(refused, StartRefused)
    assert "2017.11.29, in eu-west-1, us-east-1" in str(refused)
    assert "allow_global_table_writes" in str(refused)
    copying.change(allow_global_table_writes=True)
    copying.once_well()
    copying.change(allow_global_table_writes=False, link=False)
    copying.once_well()


@pytest.mark.parametrize(
    "answer",
    [
        error("GlobalTableNotFoundException"), error("UnknownOperationException"), error("AccessDeniedException"),
        in_regions("eu-west-1"),
    ],
    ids=["none", "DynamoDB Local", "denied", "elsewhere"],
)  # fmt: skip
def test_any_other_table_is_linked_and_a_denial_is_warned_of(
    make_copying: MakeCopying, proxy: DynamoDBProxy, answer: Answer
) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    proxy.rule = answering(answer)
    (context,), _ = copying.copies(Stop())
    found = {one.name: one for one in check_dynamodb.look(context, None)}
    denied = "AccessDenied" in str(answer.body)
    assert ("global table" in found) is denied
    if denied:
        assert found["global table"].level == "warning"
        assert "DescribeGlobalTable" in found["global table"].remedy
    copying.once_well()
