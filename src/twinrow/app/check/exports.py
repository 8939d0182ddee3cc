"""Pre-flight of exports: is point-in-time recovery on, and can the bucket be written?"""

from __future__ import annotations

from collections.abc import Iterator

from twinrow import clock
from twinrow.app.check import fixes
from twinrow.app.check.finding import Finding, Fix
from twinrow.app.setup.exports import probe_key
from twinrow.app.wiring import few_tries
from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient, TwinrowError
from twinrow.exports import price
from twinrow.sync import export_asking
from twinrow.table.settings import ExportSettings
from twinrow.table.table import Table
from twinrow.table_description import TableDescription

RECOVERY = "point-in-time recovery"
BUCKET = "bucket of exports"


def look(table: Table, description: TableDescription, export: ExportSettings) -> Iterator[Finding]:
    """What concerns exports of a table. DynamoDB refuses no bucket when it is asked, so the bucket is tried here.

    A probe object is written beside the exports and removed.
    """
    yield _recovery(table, description)
    yield _bucket(table, export)


def _recovery(table: Table, description: TableDescription) -> Finding:
    try:
        since = few_tries(lambda: export_asking.earliest_of(table))
    except StartRefused as refusal:
        cost = f"about ${price.cents_up(price.recovery_dollars_a_month(description.bytes)):,.2f} a month"
        return Finding(
            table.name, RECOVERY, "error", f"{refusal.what}; it costs {cost}",
            f"twinrow check {table.name} --fix", _fix(table, description, cost),
        )  # fmt: skip
    except TwinrowError as error:
        return Finding(table.name, RECOVERY, "error", error.what, error.remedy)
    hours = (table.dynamodb.clock.now() - since) / 3600
    return Finding(table.name, RECOVERY, "ok", f"on, reaches back {max(0.0, hours):,.0f} hours")


def _fix(table: Table, description: TableDescription, cost: str) -> Fix:
    """Turn point-in-time recovery on, and note it for `twinrow uninstall`."""

    def act(stop: Stop) -> None:
        where = f"table {table.name}"
        table.dynamodb.call(
            "update_continuous_backups", where=where, TableName=table.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )  # fmt: skip
        fixes.note(table.mysql, description, "pitr", "")
        began = clock.monotonic()
        while not _is_on(table):
            if stop.wait(fixes.POLL_S) or clock.monotonic() - began > fixes.WAIT_S_MAX:
                raise TwinrowError(
                    "point-in-time recovery is not on yet; DynamoDB goes on by itself", where=where,
                    remedy="twinrow check, later",
                )  # fmt: skip

    return Fix("turn point-in-time recovery on", f"It costs {cost}. The table stays in use.", act)


def _is_on(table: Table) -> bool:
    try:
        export_asking.earliest_of(table)
    except (StartRefused, Transient):
        return False
    return True


def _bucket(table: Table, export: ExportSettings) -> Finding:
    s3, key = export_asking.s3_of(table, export), probe_key(export.prefix)
    try:
        few_tries(lambda: s3.put(export.bucket, key, b"twinrow check\n"))
        few_tries(lambda: s3.delete(export.bucket, key))
    except TwinrowError as error:
        return Finding(table.name, BUCKET, "error", f"{error.where}: {error.what}", error.remedy)
    return Finding(table.name, BUCKET, "ok", f"s3://{export.bucket}/{key} written and removed")
