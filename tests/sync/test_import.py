"""A copy begun from an export that was there already: loaded beside the stream, and the hole between them closed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import tables
from tests.fixtures.copying import Copying, key, review
from tests.fixtures.databases import Database
from tests.fixtures.export_server import ExportServer, serving
from tests.fixtures.s3 import BUCKET, LocalS3
from typer.testing import CliRunner

from twinrow.app.cli import app
from twinrow.errors import TwinrowError
from twinrow.exports import job, windows
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.sync import filling

KEYS = ("username", "reviewed_at")
ITEMS = 40
MakeExported = Callable[..., tuple[Copying, ExportServer, str]]


@pytest.fixture
def make(
    database: Database,
    fresh_dynamodb: DynamoDBLocal,
    local_s3: LocalS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeExported]:
    """A table of which an export of twenty minutes ago is there, and the changes since."""
    monkeypatch.setattr(windows, "CLOCK_MARGIN_S", 2)
    monkeypatch.setattr(job, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(filling, "LOOK_EVERY_S", 0.1)
    client = tables.client(fresh_dynamodb.endpoint_url)
    with serving(fresh_dynamodb.endpoint_url, client, local_s3) as server:
        exporting = tables.client(server.endpoint_url)

        def made(*, filtered: bool = False, **options: Any) -> tuple[Copying, ExportServer, str]:
            name = tables.create_table(
                client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
            )
            server.follow(name, KEYS, recovery_s=7200.0)
            server.model.forward_s = -1800.0
            for number in range(ITEMS):
                server.put(name, review(number))
            server.model.forward_s, server.model.filtered = 0.0, filtered
            prefix = f"t-{uuid.uuid4().hex[:8]}"
            arn = client.describe_table(TableName=name)["Table"]["TableArn"]
            asked = exporting.export_table_to_point_in_time(
                TableArn=arn, S3Bucket=BUCKET, S3Prefix=prefix, ExportTime=int(time.time()) - 1200
            )["ExportDescription"]
            manifest = exporting.describe_export(ExportArn=asked["ExportArn"])["ExportDescription"]["ExportManifest"]
            server.model.forward_s, server.model.filtered = -600.0, False
            for number in range(10):
                server.put(name, review(number, note={"S": "updated"}))
            for number in range(10, 20):
                server.delete(name, key(review(number)))
            for number in range(100, 105):
                server.put(name, review(number))
            server.model.forward_s = 0.0
            wanted = {"capture": "stream", "export": {"bucket": BUCKET, "prefix": prefix}, **options}
            copying = Copying(database, client, server.endpoint_url, tmp_path, {name: wanted})
            copying.s3_endpoint_url = local_s3.endpoint_url
            return copying, server, f"s3://{BUCKET}/{manifest}"

        yield made
        exporting.close()
    client.close()


def _import(copying: Copying, manifest: str, *more: str) -> TwinrowError | None:
    """Run the command; its refusal, if any."""
    arguments = ["-c", str(copying.config_file()), "import", copying.table, "--manifest", manifest, *more]
    done = CliRunner().invoke(app, arguments)
    if done.exception is None or isinstance(done.exception, TwinrowError):
        return done.exception
    raise AssertionError(done.output) from done.exception


def test_it_ends_equal_without_a_scan(make: MakeExported) -> None:
    copying, server, manifest = make()
    assert _import(copying, manifest) is None
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS - 10 + 5)
    assert "scan" not in ran.requests
    assert "batch_get_item" not in ran.requests
    assert copying.database.query("SELECT cause, mended_by, why FROM _twinrow_gap") == [("IMPORTED", "export", None)]
    assert len(server.model.exports) == 2


def test_each_export_that_is_unfit_is_refused(make: MakeExported) -> None:
    copying, server, manifest = make(filtered=True)
    for place, more, said in [
        (manifest, (), "made with a filter"),
        ("reviews/summary.json", (), "names no summary"),
        (manifest.replace("AWSDynamoDB", "Elsewhere"), (), ""),
    ]:
        refusal = _import(copying, place, *more)
        assert refusal is not None
        assert said in str(refusal)
    server.model.exports.clear()
    refusal = _import(copying, manifest)
    assert refusal is not None
    assert "--trust-unfiltered" in str(refusal)
    server.model.recovery_since[copying.table] = time.time()
    refusal = _import(copying, manifest, "--trust-unfiltered")
    assert refusal is not None
    assert "point-in-time recovery reaches back" in str(refusal)
    assert copying.state("_twinrow_checkpoint") == 0


def test_a_table_with_a_copy_is_refused(make: MakeExported) -> None:
    copying, _, manifest = make()
    copying.once_well()
    refusal = _import(copying, manifest)
    assert refusal is not None
    assert "twinrow reset" in str(refusal)
