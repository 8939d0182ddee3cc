"""The manifests of an export, and what DescribeExport says of it (pure).

The layout is AWS's own (DynamoDB Developer Guide, "Output format of table exports", and real exports of 2024 and 2026):
a summary of a full export names no export type, checksum files are called `*.md5` although the guide says
`*.checksum`, and keys of objects are relative to the bucket.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from twinrow.exports.damaged import DamagedExport, UnfitExport

ExportType = Literal["FULL_EXPORT", "INCREMENTAL_EXPORT"]

SUMMARY_NAME = "manifest-summary.json"
CHECKSUM_ENDINGS: Final = (".md5", ".checksum")
"""The first is what AWS writes, the second what its guide says."""
READABLE_FORMAT = "DYNAMODB_JSON"
OLD_AND_NEW = "NEW_AND_OLD_IMAGES"
ASK_AGAIN = "ask for a new export; no part of this export counts as read"


class _Summary(msgspec.Struct, rename="camel"):
    """`manifest-summary.json`; members that are not listed are passed over."""

    export_arn: str
    table_arn: str
    table_id: str
    s3_bucket: str
    manifest_files_s3_key: str = msgspec.field(name="manifestFilesS3Key")
    item_count: int
    output_format: str
    export_type: str | None = None
    export_time: str | None = None
    export_from_time: str | None = None
    export_to_time: str | None = None
    output_view: str | None = None


class _File(msgspec.Struct, rename="camel"):
    """A line of `manifest-files.json`."""

    item_count: int
    md5_checksum: str = msgspec.field(name="md5Checksum")
    etag: str
    data_file_s3_key: str = msgspec.field(name="dataFileS3Key")


_decode_summary: Final = msgspec.json.Decoder(_Summary).decode
_decode_file: Final = msgspec.json.Decoder(_File).decode


@dataclass(frozen=True, slots=True)
class Summary:
    """The content of an export.

    The table at `to_at`, or its changes from `from_at` until before `to_at` (epoch seconds).
    """

    arn: str
    table_arn: str
    table_id: str
    bucket: str
    files_key: str
    items: int
    type: ExportType
    from_at: float | None
    to_at: float
    has_old_images: bool


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: its key in the bucket, number of lines, base64 of the MD5 of its bytes, and its ETag."""

    key: str
    items: int
    md5: str
    etag: str


def md5_of(data: bytes) -> str:
    """Base64 of the MD5, as manifests and checksum files have it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def check_md5(data: bytes, checksum: bytes | None, place: str) -> None:
    """Raise DamagedExport where a manifest's checksum file is missing or does not fit."""
    if checksum is None:
        raise DamagedExport("has no checksum file: the export is not complete", where=place, remedy=ASK_AGAIN)
    if checksum.strip().decode("ascii", "replace") != md5_of(data):
        raise DamagedExport("does not fit its checksum file", where=place, remedy=ASK_AGAIN)


def read_summary(data: bytes, place: str) -> Summary:
    """The summary, from its bytes. Raises DamagedExport (no summary) or UnfitExport (a form that is not read)."""
    try:
        found = _decode_summary(data)
    except msgspec.MsgspecError as error:
        raise DamagedExport(f"is no summary of an export: {error}", where=place, remedy=ASK_AGAIN) from error
    if found.output_format != READABLE_FORMAT:
        raise UnfitExport(
            f"has the format {found.output_format}", where=place, remedy=f"export it as {READABLE_FORMAT}"
        )
    incremental = found.export_type == "INCREMENTAL_EXPORT" or found.export_from_time is not None
    to_text = found.export_to_time if incremental else found.export_time
    from_at = _moment(found.export_from_time, place) if incremental else None
    return Summary(
        found.export_arn, found.table_arn, found.table_id, found.s3_bucket, found.manifest_files_s3_key,
        found.item_count, "INCREMENTAL_EXPORT" if incremental else "FULL_EXPORT", from_at, _moment(to_text, place),
        found.output_view == OLD_AND_NEW,
    )  # fmt: skip


def _moment(text: str | None, place: str) -> float:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError as error:
        raise DamagedExport(f"has no valid time ({text!r})", where=place, remedy=ASK_AGAIN) from error


def read_files(data: bytes, summary: Summary, place: str) -> tuple[DataFile, ...]:
    """The data files, from `manifest-files.json`, in the order of their keys. Raises DamagedExport.

    The order of the lines means nothing; this order is the same at every start, so that a position can name a file by
    its number.
    """
    try:
        found = [_decode_file(line) for line in data.split(b"\n") if line]
    except msgspec.MsgspecError as error:
        raise DamagedExport(f"is no list of files: {error}", where=place, remedy=ASK_AGAIN) from error
    files = [
        DataFile(entry.data_file_s3_key, entry.item_count, entry.md5_checksum, entry.etag.strip('"')) for entry in found
    ]
    counted = sum(file.items for file in files)
    if counted != summary.items:
        raise DamagedExport(
            f"its files hold {counted} items, its summary says {summary.items}", where=place, remedy=ASK_AGAIN
        )
    if len({file.key for file in files}) != len(files):
        raise DamagedExport("names a file twice", where=place, remedy=ASK_AGAIN)
    return tuple(sorted(files, key=lambda file: file.key))


def check_place(summary: Summary, bucket: str, key: str) -> None:
    """Raise UnfitExport for an export that was copied elsewhere: its keys are relative to the bucket it was made in."""
    folder = key.rpartition("/")[0]
    if summary.bucket != bucket or summary.files_key.rpartition("/")[0] != folder:
        raise UnfitExport(
            f"was written to s3://{summary.bucket}/{summary.files_key} and copied from there, so that the keys of its "
            "files lead nowhere",
            where=f"export s3://{bucket}/{key}",
            remedy="name the manifest where DynamoDB wrote it",
        )  # fmt: skip


def check_table(summary: Summary, table_arn: str, table_id: str) -> None:
    """Raise UnfitExport for an export of another table, also of an earlier table of the same name."""
    if table_arn and summary.table_arn != table_arn:
        raise UnfitExport(
            f"is of the table {summary.table_arn}", where=f"export {summary.arn}", remedy=f"export {table_arn}"
        )
    if table_id and summary.table_id != table_id:
        raise UnfitExport(
            f"is of an earlier table of this name (id {summary.table_id}, now {table_id})",
            where=f"export {summary.arn}",
            remedy="export the table that is there now",
        )


def check_description(described: Mapping[str, Any], where: str) -> None:
    """Raise UnfitExport where DescribeExport says that an export is not complete, or not the whole table.

    `described` is ExportDescription. A manifest says nothing of a filter, so it is asked for here.
    """
    status = described.get("ExportStatus")
    if status != "COMPLETED":
        code = described.get("FailureCode")
        why = f" ({code}: {described.get('FailureMessage', '')})" if code else ""
        raise UnfitExport(
            f"is not complete: its status is {status}{why}", where=where, remedy="wait for it, or ask anew"
        )
    if described.get("FilterSpecification"):
        raise UnfitExport(
            "was made with a filter, so it does not hold the whole table", where=where,
            remedy="export it without FilterSpecification",
        )  # fmt: skip
    format_ = described.get("ExportFormat", READABLE_FORMAT)
    if format_ != READABLE_FORMAT:
        raise UnfitExport(f"has the format {format_}", where=where, remedy=f"export it as {READABLE_FORMAT}")
