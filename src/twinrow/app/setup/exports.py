"""The rights that a first copy by export needs besides those of every table (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.capture_kind import Right
from twinrow.config import ExportConfig

EXPORT = ("dynamodb:ExportTableToPointInTime", "dynamodb:DescribeContinuousBackups")
FIX = "dynamodb:UpdateContinuousBackups"
FILES = ("s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload", "s3:GetObject")
"""DynamoDB writes with the rights of whoever asks for the export; Twinrow reads (DynamoDB Developer Guide)."""
PROBE = ("s3:PutObject", "s3:DeleteObject")
KEY = ("kms:Decrypt", "kms:GenerateDataKey")
PROBE_NAME = "_twinrow_probe"


def probe_key(prefix: str | None) -> str:
    """The object that `check` writes and removes."""
    return f"{prefix}/{PROBE_NAME}" if prefix else PROBE_NAME


def rights(export: ExportConfig, arn: str, partition: str, *, fix: bool) -> Iterator[Right]:
    """On the table (`arn`), its exports, the folder of the files, the probe, and the key where an ARN names it.

    `fix`: also to turn point-in-time recovery on.
    """
    bucket = f"arn:{partition}:s3:::{export.bucket}"
    folder = f"{bucket}/{export.prefix}/AWSDynamoDB/*" if export.prefix else f"{bucket}/AWSDynamoDB/*"
    yield Right((*EXPORT, FIX) if fix else EXPORT, arn)
    yield Right(("dynamodb:DescribeExport",), f"{arn}/export/*")
    yield Right(FILES, folder)
    yield Right(PROBE, f"{bucket}/{probe_key(export.prefix)}")
    if export.kms_key is not None and export.kms_key.startswith("arn:"):
        yield Right(KEY, export.kms_key)
