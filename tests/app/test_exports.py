"""A first copy by export, before it begins: what is refused, which rights it needs, what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinrow.app.setup import permissions
from twinrow.app.setup.plan import Prices, plan
from twinrow.app.wiring import contexts_of
from twinrow.clock import Stop
from twinrow.config import Config, parse
from twinrow.errors import ConfigError
from twinrow.table_description import TableDescription

DESCRIPTION = TableDescription(
    name="reviews", arn="", table_id="", status="ACTIVE", keys=(("username", "S"),), items=1_000_000,
    bytes=50_000_000_000, indexes=(), stream_arn=None, stream_view=None, provisioned_read=None, provisioned_write=None,
    replicas=(),
)  # fmt: skip
BUCKET = '[tables.export]\nbucket = "my-exports"\n'


def _config(
    options: str = 'capture = "stream"\nfirst_copy = "export"\n', export: str = BUCKET, top: str = ""
) -> Config:
    text = f'[mysql]\nurl = "mysql://u:p@h/d"\n{top}[[tables]]\nname = "reviews"\n{options}{export}'
    return parse(text, "twinrow.toml", {})


@pytest.mark.parametrize(
    ("options", "export", "why"),
    [
        ('capture = "stream"\nfirst_copy = "export"\n', "", r"there is no \[tables.export\]"),
        ('capture = "scan"\nfirst_copy = "export"\n', BUCKET, "`capture` is scan"),
        ('capture = "stream"\ngap_fill = "export"\n', "", r"`gap_fill` is set, but there is no \[tables.export\]"),
        ('capture = "scan"\ngap_fill = "export"\n', BUCKET, "only gaps of a stream"),
        ('capture = "stream"\nfirst_copy = "export"\n', BUCKET + 'bucket_owner = "me"\n', "bucket_owner"),
        ('capture = "stream"\nfirst_copy = "ion"\n', BUCKET, "first_copy"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: str, export: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        _config(options, export)


def test_the_address_of_s3_is_looked_at() -> None:
    assert _config(top='[s3]\nendpoint_url = "http://h:1"\n').s3.endpoint_url == "http://h:1"
    with pytest.raises(ConfigError, match=r"s3.endpoint_url` is no address"):
        _config(top='[s3]\nendpoint_url = "h:1"\n')


def test_settings_reach_the_table() -> None:
    more = BUCKET + 'prefix = "p/q"\nkms_key = "alias/k"\nbucket_owner = "123456789012"\n'
    config = _config(export=more, top='[s3]\nregion = "eu-west-1"\nendpoint_url = "http://h:1"\n')
    export = contexts_of(config, config.tables, Stop())[0].settings.export
    assert export is not None
    assert (export.bucket, export.prefix) == ("my-exports", "p/q")
    assert (export.kms_key, export.owner) == ("alias/k", "123456789012")
    assert (export.s3_region, export.s3_endpoint_url, export.first_copy) == ("eu-west-1", "http://h:1", True)
    plain = _config('capture = "stream"\n', "")
    assert contexts_of(plain, plain.tables, Stop())[0].settings.export is None


def _rights(config: Config) -> set[tuple[str, str]]:
    policies = permissions.iam_policies(config, config.tables, "123456789012", {}, fix=False)
    return {
        (action, resource)
        for policy in policies
        for statement in policy.document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_the_rights_are_those_of_the_folder_and_the_probe_alone() -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/k"
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/reviews"
    more = _rights(_config(export=BUCKET + f'prefix = "p"\nkms_key = "{key}"\n')) - _rights(
        _config('capture = "stream"\n', "")
    )
    files = "arn:aws:s3:::my-exports/p/AWSDynamoDB/*"
    assert more == {
        ("dynamodb:ExportTableToPointInTime", table), ("dynamodb:DescribeContinuousBackups", table),
        ("dynamodb:DescribeExport", f"{table}/export/*"), ("s3:PutObject", files), ("s3:PutObjectAcl", files),
        ("s3:AbortMultipartUpload", files), ("s3:GetObject", files), ("kms:Decrypt", key), ("kms:GenerateDataKey", key),
        ("s3:PutObject", "arn:aws:s3:::my-exports/p/_twinrow_probe"),
        ("s3:DeleteObject", "arn:aws:s3:::my-exports/p/_twinrow_probe"),
    }  # fmt: skip


def test_a_table_that_is_scanned_and_mended_by_passes_needs_none_of_them() -> None:
    scanned = 'capture = "stream"\n'
    assert _rights(_config(scanned + 'gap_fill = "reconcile"\n')) == _rights(_config(scanned, ""))
    assert _rights(_config(scanned)) > _rights(_config(scanned, ""))


def test_the_plan_shows_both_ways() -> None:
    scanned = plan(_config('capture = "stream"\n').tables[0], DESCRIPTION, (None, None), Prices(), 0)
    assert (scanned.by_export, scanned.export_gb, scanned.export_dollars) == (False, 50.0, 5.0)
    assert scanned.first.read_units > 0
    exported = plan(_config().tables[0], DESCRIPTION, (None, None), Prices(), 0)
    assert exported.by_export
    assert (exported.first.read_units, exported.first.dollars) == (0.0, 5.0)
    assert exported.a_day == scanned.a_day
    none = plan(_config('capture = "stream"\n', "").tables[0], replace(DESCRIPTION, bytes=1), (None, None), Prices(), 0)
    assert (none.export_gb, none.export_dollars) == (None, None)
