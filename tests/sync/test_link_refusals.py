"""What DynamoDB says to a link write: "too large" is told by its message, any other refusal of PartiQL is no answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, answer_statements, error

from twinrow.app.check import dynamodb as check_dynamodb
from twinrow.app.check.finding import Finding
from twinrow.clock import Stop
from twinrow.local_servers.servers import DynamoDBLocal

ITEMS = 5

pytestmark = pytest.mark.either_server


@pytest.fixture
def proxy(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
    with DynamoDBProxy(dynamodb.endpoint_url) as made:
        yield made


def refusing(code: str, message: str, by_item: str | None = None) -> Any:
    """PartiQL refuses every statement so; UpdateItem, where `by_item` is given, with that code."""

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "UpdateItem" and by_item is not None:
            return error(by_item)
        if request.operation != "BatchExecuteStatement":
            return forward(None)
        answer = answer_statements(request, forward, [code] * len(request.parameters["Statements"]))
        for one in answer.body["Responses"]:
            one["Error"]["Message"] = message
        return answer

    return rule


def test_what_partiql_alone_calls_invalid_is_linked_by_updateitem(
    make_copying: MakeCopying, proxy: DynamoDBProxy
) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    proxy.rule = refusing("ValidationError", "Unsupported clause in statement")
    copying.once_well()
    assert proxy.requests["UpdateItem"] == ITEMS
    assert all("mysql_id" in item and "migrated" not in item for item in copying.items())
    copying.assert_equal(items=ITEMS)


@pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_what_is_too_large_is_told_by_its_message(make_copying: MakeCopying, proxy: DynamoDBProxy, code: str) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url, pending_index={"done": "true"})
    put_all(copying.client, copying.table, [marked(1)])
    refuse = refusing(code, "Item size to update has exceeded the maximum allowed size")

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement" and "mysql_id" not in str(request.parameters):
            return forward(None)  # the mark alone is taken
        return refuse(request, forward)  # type: ignore[no-any-return]

    proxy.rule = rule
    copying.once()
    assert proxy.requests.get("UpdateItem", 0) == 0
    assert copying.database.query("SELECT COUNT(*) FROM _twinrow_link WHERE refused <> ''") == [(1,)]
    assert [item["migrated"] for item in copying.items()] == [{"S": "true"}]


def told(copying: Any) -> Finding:
    (context,), _ = copying.copies(Stop())
    (found,) = [one for one in check_dynamodb.look(context, None) if one.name == "rights to link"]
    return found


def test_check_sends_the_statement_that_a_sync_sends(make_copying: MakeCopying, proxy: DynamoDBProxy) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    sent: list[str] = []

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchExecuteStatement":
            sent.extend(one["Statement"] for one in request.parameters["Statements"])
        return forward(None)

    proxy.rule = rule
    assert told(copying).level == "ok"
    (checked,) = sent
    sent.clear()
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    assert checked in sent
    assert "RETURNING ALL OLD" in checked


@pytest.mark.parametrize(
    ("code", "by_item", "level", "text"),
    [
        ("ConditionalCheckFailed", None, "ok", "25 links a call"),
        ("AccessDenied", None, "warning", "PartiQLUpdate is not allowed"),
        ("AccessDenied", "AccessDeniedException", "error", "UpdateItem is not allowed"),
        ("ValidationError", None, "warning", "ValidationError: made"),
        ("ValidationError", "ValidationException", "error", "UpdateItem: ValidationException"),
        ("ThrottlingError", None, "error", "ThrottlingError"),
        ("ResourceNotFound", None, "error", "ResourceNotFound"),
        ("SomethingNew", None, "error", "SomethingNew"),
    ],
)
def test_check_takes_a_failed_condition_alone_as_yes(
    make_copying: MakeCopying, proxy: DynamoDBProxy, code: str, by_item: str | None, level: str, text: str
) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url)
    proxy.rule = refusing(code, "made up", by_item)
    found = told(copying)
    assert found.level == level, found
    assert text in found.text
    assert (found.remedy == "") is (level == "ok")
