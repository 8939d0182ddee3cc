"""A gap filled by exports in real time, with the margins of the clocks as they are, in processes that are killed."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest
from tests.conftest import Tell
from tests.fixtures import tables
from tests.fixtures.copying import Copying, key, review
from tests.fixtures.databases import Database
from tests.fixtures.export_server import serving
from tests.fixtures.s3 import BUCKET, LocalS3

from twinrow.local_servers.servers import DynamoDBLocal

LOST_S = 1200.0
ITEMS = 200
WAIT_S = 900.0
"""The window's end has to be two minutes ago before the export may be asked for."""
POINTS = ("after-export-asked", "before-window-page", "before-fill-saved", "before-gap-closed")


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_gap_is_filled_in_real_time_by_processes_that_are_killed(
    database: Database, fresh_dynamodb: DynamoDBLocal, local_s3: LocalS3, tmp_path: Path, tell: Tell
) -> None:
    client = tables.client(fresh_dynamodb.endpoint_url)
    with serving(fresh_dynamodb.endpoint_url, client, local_s3) as server:
        name = tables.create_table(client, None, stream="NEW_AND_OLD_IMAGES")
        server.follow(name, ("username", "reviewed_at"), recovery_s=7200.0)
        server.model.forward_s = -LOST_S - 600
        for number in range(ITEMS):
            server.put(name, review(number))
        wanted = {
            "capture": "stream", "gap_fill": "export",
            "export": {"bucket": BUCKET, "prefix": f"t-{uuid.uuid4().hex[:8]}"},
        }  # fmt: skip
        copying = Copying(database, client, server.endpoint_url, tmp_path, {name: wanted})
        copying.s3_endpoint_url = local_s3.endpoint_url
        copying.once_well()
        for part, info in database.query("SELECT part, info FROM _twinrow_checkpoint WHERE part LIKE 'shard:%%'"):
            moved = {**json.loads(info), "through_at": time.time() - LOST_S}
            database.query("UPDATE _twinrow_checkpoint SET info = %s WHERE part = %s", json.dumps(moved), part)
        database.query(f"UPDATE `{name}` SET _twinrow_updated_at = _twinrow_updated_at - INTERVAL 1 DAY")
        client.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
        server.model.forward_s = -600.0
        for number in range(50):
            server.put(name, review(number, note={"S": "updated"}))
        for number in range(50, 100):
            server.delete(name, key(review(number)))
        client.update_table(
            TableName=name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        )
        server.model.forward_s = 0.0
        began = time.monotonic()
        for point in POINTS:
            code, said = copying.process(environment={"TWINROW_FAIL_POINT": point}).ended(WAIT_S)
            assert code < 0, f"{point}: {said}"
        code, said = copying.process().ended(WAIT_S)
        assert code == 0, said
        copying.assert_equal(items=ITEMS - 50)
        assert len(server.model.exports) == 1
        assert database.query("SELECT mended_by, closed_at IS NOT NULL FROM _twinrow_gap") == [("export", 1)]
        tell(f"exports: a gap was filled in {time.monotonic() - began:.0f} s, killed at {len(POINTS)} points")
    client.close()
