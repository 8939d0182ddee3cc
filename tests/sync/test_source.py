"""Another DynamoDB table under the name of the copied one stops the table: it never empties the copy unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, key, marked, put_all, review
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request
from tests.fixtures.waiting import wait_until

from twinrow.app.check import mysql as check_mysql
from twinrow.app.check import settings as check_settings
from twinrow.clock import Stop
from twinrow.errors import Broken
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.sync import table_work
from twinrow.table.consent import Consent
from twinrow.table.context import TableContext

pytestmark = pytest.mark.either_server
"""Which table it is, DynamoDB tells."""

ITEMS = 12
WAIT_S = 60.0
ARN = "arn:aws:dynamodb:{}:000000000000:table/reviews"


@dataclass
class Aws:
    """What DescribeTable tells of a table's identity; DynamoDB Local gives no ids to tables."""

    ids: list[str] = field(default_factory=lambda: ["id-of-the-first"])
    region: str = "eu-west-1"

    @property
    def arn(self) -> str:
        return ARN.format(self.region)

    @contextmanager
    def proxy(self, dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
        def rule(request: Request, forward: Forward) -> Answer | None:
            answer = forward(None)
            if request.operation == "DescribeTable" and answer.status == 200:
                told = answer.body["Table"] | {"TableId": self.ids[-1], "TableArn": self.arn}
                return Answer(200, {"Table": told})
            return answer

        with DynamoDBProxy(dynamodb.endpoint_url, rule) as proxy:
            yield proxy


@pytest.fixture
def aws() -> Aws:
    return Aws()


MakeCopied = Callable[..., Copying]


@pytest.fixture
def make_copied(make_copying: MakeCopying, dynamodb: DynamoDBLocal, aws: Aws) -> Iterator[MakeCopied]:
    with aws.proxy(dynamodb) as proxy:

        def make(capture: str) -> Copying:
            copying = make_copying(endpoint_url=proxy.endpoint_url, capture=capture, reconcile_every="1s")
            put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
            copying.once_well()
            return copying

        yield make


def _empty(copying: Copying) -> None:
    for item in copying.items():
        copying.client.delete_item(TableName=copying.table, Key=key(item))


def _accept(*tables: str) -> Callable[[TableContext], TableContext]:
    def prepare(context: TableContext) -> TableContext:
        return replace(context, consent=Consent(frozenset(tables)))

    return prepare


@pytest.mark.parametrize("capture", ["scan", "pending-index"])
def test_another_table_stops_the_copy_until_it_is_accepted(make_copied: MakeCopied, aws: Aws, capture: str) -> None:
    copying = make_copied(capture)
    _empty(copying)
    put_all(copying.client, copying.table, [review(1), review(99)])
    aws.ids.append("id-of-the-second")
    for wrong in ((), ("arn:aws:dynamodb:eu-west-1:000000000000:table/other",)):
        error = copying.once(prepare=_accept(*wrong)).outcome.error
        assert isinstance(error, Broken), error
        assert error.exit_code == 1
        assert "id-of-the-first" in str(error)
        assert "id-of-the-second" in str(error)
        assert f"twinrow sync {copying.table} --accept-table-id {aws.arn}" in str(error)
        assert len(copying.rows("row_id")) == ITEMS
        assert copying.database.query("SELECT phase FROM _twinrow_table") == [("BROKEN",)]
    copying.once_well(prepare=_accept("id-of-the-second"))
    copying.assert_equal(items=2)
    causes = copying.database.query("SELECT cause, closed_at IS NOT NULL FROM _twinrow_gap")
    assert ("TABLE_RECREATED", 1) in causes
    copying.once_well()


def test_a_table_of_another_region_is_told_by_its_arn(make_copied: MakeCopied, aws: Aws) -> None:
    copying = make_copied("scan")
    before, aws.region = aws.arn, "us-east-1"
    aws.ids[-1] = ""
    code, said = copying.process_once()
    assert code == 1, said
    assert before in said
    assert aws.arn in said
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        known = check_mysql.registered(session, context.name)
        found = check_settings.look(context, context.table.describe(), known)
    assert found.level == "error"
    assert "--accept-table-id" in found.remedy
    code, said = copying.process(arguments=["--accept-table-id", before]).ended()
    assert code == 1, said
    code, said = copying.process(arguments=["--accept-table-id", aws.arn]).ended()
    assert code == 0, said
    assert "not needed" not in said
    code, said = copying.process(arguments=["--accept-table-id", "zzz"]).ended()
    assert code == 0, said
    assert "--accept-table-id was not needed" in said
    copying.assert_equal(items=ITEMS)


@pytest.mark.parametrize("capture", ["scan", "pending-index"])
def test_a_table_exchanged_below_a_running_sync_stops_it(
    make_copied: MakeCopied, aws: Aws, monkeypatch: pytest.MonkeyPatch, capture: str
) -> None:
    """The scan capture looks at each pass, the pending index once a minute."""
    copying = make_copied(capture)
    monkeypatch.setattr(table_work, "SOURCE_LOOK_EVERY_S", 0.5)
    with copying.running() as running:
        live = "SELECT phase FROM _twinrow_table WHERE read_at > UNIX_TIMESTAMP(NOW(6)) - 5"
        wait_until(lambda: copying.database.query(live) == [("LIVE",)], WAIT_S, what="a running sync")
        aws.ids.append("id-of-the-second")
        _empty(copying)
        broken = "SELECT phase FROM _twinrow_table"
        wait_until(lambda: copying.database.query(broken) == [("BROKEN",)], WAIT_S, what="phase BROKEN")
        rows = len(copying.rows("row_id"))
    assert running.ran is not None
    assert "id-of-the-second" in str(running.ran.outcome.error)
    assert rows == ITEMS
