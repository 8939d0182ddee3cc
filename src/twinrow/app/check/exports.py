"""Pre-flight of exports: is point-in-time recovery on, and can the bucket be written?"""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.app.setup.exports import probe_key
from twinrow.app.wiring import few_tries
from twinrow.errors import StartRefused, TwinrowError
from twinrow.exports import price
from twinrow.sync import export_copy
from twinrow.table.context import TableContext
from twinrow.table.settings import ExportSettings
from twinrow.table_description import TableDescription

RECOVERY = "point-in-time recovery"
BUCKET = "bucket of exports"


def look(context: TableContext, description: TableDescription, export: ExportSettings) -> Iterator[Finding]:
    """What concerns exports of a table. DynamoDB refuses no bucket when it is asked, so the bucket is tried here.

    A probe object is written beside the exports and removed.
    """
    yield _recovery(context, description)
    yield _bucket(context, export)


def _recovery(context: TableContext, description: TableDescription) -> Finding:
    try:
        since = few_tries(lambda: export_copy.earliest_of(context))
    except StartRefused as refusal:
        dollars = price.recovery_dollars_a_month(description.bytes)
        return Finding(
            context.name, RECOVERY, "error", f"{refusal.what}; it costs about ${price.cents_up(dollars):,.2f} a month",
            refusal.remedy,
        )  # fmt: skip
    except TwinrowError as error:
        return Finding(context.name, RECOVERY, "error", error.what, error.remedy)
    hours = (context.table.dynamodb.clock.now() - since) / 3600
    return Finding(context.name, RECOVERY, "ok", f"on, reaches back {max(0.0, hours):,.0f} hours")


def _bucket(context: TableContext, export: ExportSettings) -> Finding:
    s3, key = export_copy.s3_of(context, export), probe_key(export.prefix)
    try:
        few_tries(lambda: s3.put(export.bucket, key, b"twinrow check\n"))
        few_tries(lambda: s3.delete(export.bucket, key))
    except TwinrowError as error:
        return Finding(context.name, BUCKET, "error", f"{error.where}: {error.what}", error.remedy)
    return Finding(context.name, BUCKET, "ok", f"s3://{export.bucket}/{key} written and removed")
