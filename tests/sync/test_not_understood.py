"""Images and records that cannot be understood: their items are read again, and no row goes before that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, Wire, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request
from tests.fixtures.waiting import wait_until

from twinrow.local_servers.servers import DynamoDBLocal

pytestmark = pytest.mark.either_server
"""What is odd comes from DynamoDB; what follows from it is a recheck, as elsewhere."""

CATCH_UP_S = 60.0
EMPTY_MAPS: Wire = {"bag": {"M": {}}, "deep": {"M": {"in": {"L": [{"M": {}}, {"L": []}]}}}}

MakeFollowing = Callable[..., Copying]


@pytest.fixture
def make_following(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> MakeFollowing:
    """A table with a stream, and the configuration that copies it."""

    def make(**options: Any) -> Copying:
        name = make_table(stream="NEW_AND_OLD_IMAGES")
        return Copying(
            database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {name: {"capture": "stream", **options}}
        )

    return make


@pytest.fixture
def through(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
    """A proxy before the shared DynamoDB Local; a test sets its rule."""
    with DynamoDBProxy(dynamodb.endpoint_url) as proxy:
        yield proxy


def counted(copying: Copying) -> int:
    """How many changes the last run did not understand, as `status` tells it."""
    found = copying.database.query("SELECT counters FROM _twinrow_table WHERE table_name = %s", copying.table)
    return int(json.loads(found[0][0])["not_understood"])


def test_empty_maps_that_a_stream_writes_without_their_type_cost_no_row(make_following: MakeFollowing) -> None:
    """DynamoDB Local writes `{}` for `{"M": {}}` in the images of a stream, not in those of a scan."""
    copying = make_following()
    put_all(copying.client, copying.table, [review(n, **EMPTY_MAPS) for n in range(5)])
    assert copying.process_once()[0] == 0
    rows = copying.rows("row_id")
    put_all(copying.client, copying.table, [review(n, **EMPTY_MAPS, again={"BOOL": True}) for n in range(3)])
    code, said = copying.process_once()
    assert code == 0, said
    assert copying.state("_twinrow_dead_letter") == 0
    assert copying.rows("row_id") == rows
    assert copying.rows("COUNT(*)", "again = 1") == [(3,)]
    assert counted(copying) >= 3
    copying.assert_equal(items=5)


def test_an_item_that_its_time_to_live_ends_is_gone_by_ttl(make_following: MakeFollowing) -> None:
    """DynamoDB Local tells of it as an event UNKNOWN_TO_SDK_VERSION, without who has deleted it."""
    copying = make_following(deletes="hard", ttl_deletes="soft")
    ends = {"ends_at": {"N": str(int(time.time()) - 3600)}}
    put_all(copying.client, copying.table, [review(0), review(1, **ends), review(2)])
    assert copying.process_once()[0] == 0
    ttl = {"Enabled": True, "AttributeName": "ends_at"}
    copying.client.update_time_to_live(TableName=copying.table, TimeToLiveSpecification=ttl)
    copying.client.delete_item(TableName=copying.table, Key=key(review(2)))
    wait_until(lambda: len(copying.items()) == 1, CATCH_UP_S, what="the expiry")
    code, said = copying.process_once()
    assert code == 0, said
    assert copying.rows("reviewed_at", "_twinrow_deleted_at IS NULL") == [(review(0)["reviewed_at"]["S"],)]
    assert copying.rows("reviewed_at", "_twinrow_deleted_at IS NOT NULL") == [(review(1)["reviewed_at"]["S"],)]
    assert counted(copying) >= 1
    copying.assert_equal(items=1)


def change_records(change: Callable[[Wire], None]) -> Callable[[Request, Forward], Answer | None]:
    """A rule that makes the records of a stream odd."""

    def rule(request: Request, forward: Forward) -> Answer | None:
        answer = forward(None)
        for record in answer.body.get("Records", []) if request.operation == "GetRecords" else []:
            change(record)
        return answer

    return rule


def _unknown_event(record: Wire) -> None:
    record["eventName"] = "SHRUG"


def _no_image(record: Wire) -> None:
    record["dynamodb"].pop("NewImage", None)


def _odd_key(record: Wire) -> None:
    record["dynamodb"]["Keys"] = {"username": {"N": "1"}}
    # a delete has no other image; an odd image of it would be no reason to believe the delete
    record["dynamodb"].setdefault("OldImage", record["dynamodb"].get("NewImage"))


def _no_place(record: Wire) -> None:
    del record["dynamodb"]["SequenceNumber"]


def _two_types(record: Wire) -> None:
    for image in ("NewImage", "OldImage"):
        if image in record["dynamodb"]:
            record["dynamodb"][image]["rating"] = {"N": "1", "S": "one"}


@pytest.mark.parametrize("change", [_unknown_event, _no_image, _odd_key, _no_place, _two_types])
def test_a_record_that_is_odd_in_any_part_ends_in_the_truth(
    make_following: MakeFollowing, through: DynamoDBProxy, change: Callable[[Wire], None]
) -> None:
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(10)])
    assert copying.process_once()[0] == 0
    rows = dict(copying.rows("reviewed_at, row_id"))
    put_all(copying.client, copying.table, [review(n, text={"S": "second"}) for n in range(5, 15)])
    copying.client.delete_item(TableName=copying.table, Key=key(review(0)))
    through.rule = change_records(change)
    copying.endpoint_url = through.endpoint_url
    code, said = copying.process_once()
    assert code == 0, said
    copying.assert_equal(items=14)
    kept = dict(copying.rows("reviewed_at, row_id"))
    assert all(kept.get(at) == row_id for at, row_id in rows.items() if at != review(0)["reviewed_at"]["S"])
    if change is not _no_image:  # that is how streams of another view look
        assert counted(copying) >= 10


def test_a_record_without_a_key_stops_the_table_and_is_named(
    make_following: MakeFollowing, through: DynamoDBProxy
) -> None:
    copying = make_following()
    put_all(copying.client, copying.table, [review(n) for n in range(3)])
    assert copying.process_once()[0] == 0
    put_all(copying.client, copying.table, [review(1, text={"S": "second"})])

    def change(record: Wire) -> None:
        record["dynamodb"] = {name: record["dynamodb"][name] for name in ("SequenceNumber", "SizeBytes")}

    through.rule = change_records(change)
    copying.endpoint_url = through.endpoint_url
    code, said = copying.process_once()
    assert code == 1
    assert "no key that can be read (sequence number 0" in said
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("BROKEN",)]
    assert len(copying.rows()) == 3


@pytest.mark.parametrize("capture", ["pending-index", "scan"])
def test_an_odd_image_of_query_or_scan_is_proved_by_a_consistent_read_before_its_row_goes(
    make_copying: MakeCopying, through: DynamoDBProxy, capture: str
) -> None:
    copying = make_copying(capture=capture, link=capture == "pending-index")
    put_all(copying.client, copying.table, [marked(n) for n in range(10)])
    assert copying.process_once()[0] == 0
    rows = copying.rows("row_id")
    more = {"again": {"BOOL": True}}
    put_all(copying.client, copying.table, [marked(n, **more) for n in range(5)])
    truth_is_odd = False

    def rule(request: Request, forward: Forward) -> Answer | None:
        answer = forward(None)
        found = answer.body.get("Items", []) if request.operation in ("Query", "Scan") else []
        if truth_is_odd and request.operation == "BatchGetItem":
            found = answer.body.get("Responses", {}).get(copying.table, [])
        for item in found:
            item["flavours"] = {"M": {"mint": {}}}
        return answer

    through.rule = rule
    copying.endpoint_url = through.endpoint_url
    code, said = copying.process_once()
    assert code == 0, said
    assert counted(copying) >= 5 if capture == "pending-index" else copying.rows("row_id") == rows
    assert copying.rows("row_id") == rows
    assert copying.state("_twinrow_dead_letter") == 0
    assert copying.rows("COUNT(*)", "again = 1") == [(5,)]
    # the item itself is like that: now it is parked, its mark is cleared, and its row goes
    truth_is_odd = True
    put_all(copying.client, copying.table, [marked(n, **more) for n in range(5)])
    code, said = copying.process_once()
    assert code == 3, said
    assert copying.state("_twinrow_dead_letter") == (5 if capture == "pending-index" else 10)
    if capture == "pending-index":
        assert not [item for item in copying.items() if PENDING_INDEX["attribute"] in item]
        assert len(copying.rows()) == 5


def test_a_first_copy_of_odd_images_reads_their_items_again(make_copying: MakeCopying, through: DynamoDBProxy) -> None:
    copying = make_copying(capture="scan")
    put_all(copying.client, copying.table, [review(n) for n in range(20)])

    def rule(request: Request, forward: Forward) -> Answer | None:
        answer = forward(None)
        for item in answer.body.get("Items", [])[:3] if request.operation == "Scan" else []:
            item["flavours"] = {}
        return answer

    through.rule = rule
    copying.endpoint_url = through.endpoint_url
    code, said = copying.process_once()
    assert code == 0, said
    assert counted(copying) >= 3
    copying.endpoint_url = through.endpoint_url
    assert copying.state("_twinrow_dead_letter") == 0
    assert len(copying.rows()) == 20
