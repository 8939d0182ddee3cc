"""Manifests as real exports have them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fixtures.export_model import Shape, Written, objects

from twinrow.exports import manifest
from twinrow.exports.damaged import DamagedExport, UnfitExport

ARN = "arn:aws:dynamodb:eu-north-1:123456789012:table/reviews"
ID = "cf263806-6bf1-4e51-a242-7067dcdecc72"
LINES = [{"Item": {"pk": {"S": str(number)}}} for number in range(5)]

# The members, their order and forms are those of real exports; ids and names are made up.
FULL = {
    "version": "2020-06-30", "exportArn": f"{ARN}/export/01768385930622-efd1a093",
    "startTime": "2026-01-14T10:18:50.622Z", "endTime": "2026-01-14T10:24:58.984Z", "tableArn": ARN, "tableId": ID,
    "exportTime": "2026-01-14T10:18:50.622Z", "s3Bucket": "exports", "s3Prefix": None, "s3SseAlgorithm": "AES256",
    "s3SseKmsKeyId": None, "manifestFilesS3Key": "AWSDynamoDB/01768385930622-efd1a093/manifest-files.json",
    "billedSizeBytes": 0, "itemCount": 3, "outputFormat": "DYNAMODB_JSON",
}  # fmt: skip
INCREMENTAL = {
    "version": "2023-08-01", "exportArn": f"{ARN}/export/01768386924000-d339e52d", "tableArn": ARN, "tableId": ID,
    "exportFromTime": "2026-01-14T10:20:00.000Z", "exportToTime": "2026-01-14T10:35:00.000Z", "s3Bucket": "exports",
    "manifestFilesS3Key": "AWSDynamoDB/01768386924000-d339e52d/manifest-files.json", "billedSizeBytes": 10000000,
    "itemCount": 6, "outputFormat": "DYNAMODB_JSON", "outputView": "NEW_AND_OLD_IMAGES",
    "exportType": "INCREMENTAL_EXPORT",
}  # fmt: skip


def _summary(told: dict[str, Any]) -> manifest.Summary:
    return manifest.read_summary(json.dumps(told).encode(), "summary")


def test_a_full_summary_names_no_type() -> None:
    summary = _summary(FULL)
    assert (summary.type, summary.from_at, summary.to_at) == ("FULL_EXPORT", None, 1768385930.622)
    assert (summary.items, summary.has_old_images, summary.bucket) == (3, False, "exports")


def test_an_incremental_summary_has_a_window() -> None:
    summary = _summary(INCREMENTAL)
    assert (summary.type, summary.from_at, summary.to_at) == ("INCREMENTAL_EXPORT", 1768386000.0, 1768386900.0)
    assert summary.has_old_images
    assert not _summary(INCREMENTAL | {"outputView": "NEW_IMAGE"}).has_old_images


def test_members_that_are_not_known_are_passed_over() -> None:
    assert _summary(FULL | {"later": {"a": [1]}}) == _summary(FULL)


def test_ion_is_refused() -> None:
    with pytest.raises(UnfitExport, match="has the format ION") as found:
        _summary(FULL | {"outputFormat": "ION"})
    assert found.value.remedy == "export it as DYNAMODB_JSON"


@pytest.mark.parametrize(
    "told", [{}, {**FULL, "exportTime": "yesterday"}, {**FULL, "itemCount": "3"}, {**INCREMENTAL, "exportToTime": None}]
)
def test_what_is_no_summary_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(DamagedExport):
        _summary(told)


def _files(written: list[Written]) -> tuple[manifest.DataFile, ...]:
    by_name = {one.key.rpartition("/")[2]: one.body for one in written}
    summary = manifest.read_summary(by_name["manifest-summary.json"], "summary")
    for name in ("manifest-summary", "manifest-files"):
        told = by_name.get(f"{name}.md5", by_name.get(f"{name}.checksum"))
        manifest.check_md5(by_name[f"{name}.json"], told, f"{name}.json")
    return manifest.read_files(by_name["manifest-files.json"], summary, "files")


def _shape(*oddities: str) -> Shape:
    return Shape("0176-a", ARN, ID, "exports", "p/q", None, 1768385930.0, oddities=frozenset(oddities))


def test_files_come_in_the_same_order_always() -> None:
    files = _files(objects(_shape(), LINES))
    assert [file.key for file in files] == sorted(file.key for file in files)
    assert sum(file.items for file in files) == 5
    assert all(file.key.startswith("p/q/AWSDynamoDB/0176-a/data/") for file in files), "relative to the bucket"


@pytest.mark.parametrize(
    ("oddity", "why"),
    [
        ("wrong sum", "its files hold 5 items, its summary says 6"),
        ("no md5", "has no checksum file"),
        ("wrong summary md5", "does not fit its checksum file"),
        ("wrong files md5", "does not fit its checksum file"),
    ],
)
def test_wrong_manifests_are_refused(oddity: str, why: str) -> None:
    with pytest.raises(DamagedExport, match=why):
        _files(objects(_shape(oddity), LINES))


def test_checksums_may_have_the_name_that_the_guide_gives() -> None:
    assert len(_files(objects(_shape("checksum names"), LINES))) == 3


def test_a_file_named_twice_is_refused() -> None:
    line = b'{"itemCount":1,"md5Checksum":"a","etag":"b","dataFileS3Key":"k"}\n'
    with pytest.raises(DamagedExport, match="names a file twice"):
        manifest.read_files(line * 2, _summary(FULL | {"itemCount": 2}), "files")


def test_an_export_of_another_table_is_refused() -> None:
    summary = _summary(FULL)
    manifest.check_table(summary, ARN, ID)
    with pytest.raises(UnfitExport, match="is of the table"):
        manifest.check_table(summary, ARN + "2", ID)
    with pytest.raises(UnfitExport, match="is of an earlier table of this name"):
        manifest.check_table(summary, ARN, "0" + ID[1:])


def test_an_export_that_was_copied_elsewhere_is_refused() -> None:
    summary = _summary(FULL)
    manifest.check_place(summary, "exports", "AWSDynamoDB/01768385930622-efd1a093/manifest-summary.json")
    for bucket, key in (("other", "AWSDynamoDB/01768385930622-efd1a093/x"), ("exports", "moved/x")):
        with pytest.raises(UnfitExport, match="was written to s3://exports/AWSDynamoDB"):
            manifest.check_place(summary, bucket, key)


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"ExportStatus": "IN_PROGRESS"}, "is not complete: its status is IN_PROGRESS"),
        ({"ExportStatus": "FAILED", "FailureCode": "S3NoSuchBucket", "FailureMessage": "gone"}, "S3NoSuchBucket: gone"),
        ({"ExportStatus": "COMPLETED", "FilterSpecification": {"FilterExpression": "a = :b"}}, "made with a filter"),
        ({"ExportStatus": "COMPLETED", "ExportFormat": "ION"}, "has the format ION"),
        ({}, "its status is None"),
    ],
)
def test_what_describe_export_says_is_heeded(described: dict[str, Any], why: str) -> None:
    manifest.check_description({"ExportStatus": "COMPLETED", "ExportFormat": "DYNAMODB_JSON"}, "export e")
    with pytest.raises(UnfitExport, match=why):
        manifest.check_description(described, "export e")
