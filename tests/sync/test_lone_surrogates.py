"""Text with a lone surrogate, which DynamoDB keeps and UTF-8 cannot hold: a dead letter, and nobody else is held up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, Wire, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.local_servers.servers import DynamoDBLocal

LONE = "a\ud800b"
FORMS: dict[str, Wire] = {
    "text": {"text": {"S": LONE}},
    "end of text": {"text": {"S": LONE[:2]}},
    "set": {"tags": {"SS": ["a", LONE]}},
    "map key": {"flavours": {"M": {LONE: {"N": "1"}}}},
    "deep": {"flavours": {"M": {"in": {"L": [{"S": LONE}]}}}},
    "attribute name": {LONE: {"S": "x"}},
}
GOOD = 30
WAIT_S = 60.0


def odd() -> list[Wire]:
    """A review of each form, and one with such a key."""
    forms = [review(1000 + number, **more) for number, more in enumerate(FORMS.values())]
    return [*forms, review(2000, reviewed_at={"S": LONE})]


def parked(copying: Copying) -> int:
    return copying.state("_twinrow_dead_letter")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_first_copy_parks_them(make_copying: MakeCopying, workers: int) -> None:
    copying = make_copying(capture="scan", segments=2)
    copying.workers = workers
    put_all(copying.client, copying.table, [*odd(), *(review(n) for n in range(GOOD))])
    copying.once()
    assert parked(copying) == len(odd())
    assert len(copying.rows()) == GOOD
    assert not copying.verify().missing


def test_the_pending_index_parks_them_and_takes_them_up_when_they_are_mended(make_copying: MakeCopying) -> None:
    copying = make_copying()
    copying.once_well()
    marks = {name: value for name, value in marked(0).items() if name == PENDING_INDEX["attribute"]}
    put_all(copying.client, copying.table, [{**one, **marks} for one in odd()])
    put_all(copying.client, copying.table, [marked(n) for n in range(GOOD)])
    copying.once()
    assert parked(copying) == len(odd())
    assert len(copying.rows()) == GOOD
    for one in odd():
        copying.client.delete_item(TableName=copying.table, Key=key(one))
    put_all(copying.client, copying.table, [marked(1000 + number) for number in range(len(FORMS))])
    copying.once()
    assert parked(copying) == 1, "the delete of the last one is for a reconcile to see"
    assert len(copying.rows()) == GOOD + len(FORMS)


def test_a_stream_parks_them(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> None:
    name = make_table(stream="NEW_AND_OLD_IMAGES")
    copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {name: {"capture": "stream"}})
    copying.once_well()
    put_all(copying.client, name, [*odd(), *(review(n) for n in range(GOOD))])
    with copying.running():
        wait_until(lambda: parked(copying) == len(odd()), WAIT_S, what="all are parked")
        wait_until(lambda: len(copying.rows()) == GOOD, WAIT_S, what="all others are rows")
        for one in odd():
            copying.client.delete_item(TableName=name, Key=key(one))
        wait_until(lambda: parked(copying) == 0, WAIT_S, what="the letters went with their items")
    copying.assert_equal(items=GOOD)
