"""`twinrow import`: a first copy from an export that is there already."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, TableArgument, load_config
from twinrow.app.terminal import out
from twinrow.clock import Stop
from twinrow.errors import ConfigError, StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.exports.manifest import Summary
    from twinrow.table.table import Table


def import_export(
    table: TableArgument,
    manifest: Annotated[
        str, typer.Option("--manifest", help="Where its summary is: s3://BUCKET/…/manifest-summary.json.")
    ],
    config: ConfigOption = None,
    trust_unfiltered: Annotated[
        bool,
        typer.Option(
            "--trust-unfiltered", help="Take an export that DescribeExport does not know (any more): it has no filter."
        ),
    ] = False,
) -> None:
    """Begin the copy of a table from a full export that is there already; nothing is read before the next sync.

    The sync loads it beside the stream, and closes the hole between the export and the stream by incremental exports.
    Refused: an export of another table or of an earlier table of that name, with a filter, in ION, incomplete, copied
    to another place, or from before point-in-time recovery reaches back.

    \b
    Example:
      twinrow import reviews --manifest s3://my-exports/AWSDynamoDB/01768385930622-efd1a093/manifest-summary.json
    """
    from twinrow.app.wiring import connect, contexts_of, few_tries, mysql_of
    from twinrow.state import meta, tables
    from twinrow.sync import adopted_export
    from twinrow.sync.adopted_export import AdoptedExport

    bucket, key = _place_of(manifest)
    loaded = load_config(config)
    (chosen,) = loaded.chosen([table])
    mysql = mysql_of(loaded)
    (context,) = contexts_of(loaded, [chosen], Stop(), mysql=mysql)
    _refuse_settings(context.table)
    with closing(connect(mysql)) as session:
        few_tries(lambda: meta.install(session))
        if tables.load(session, context.name) is not None:
            raise StartRefused(
                "has a copy already", where=f"table {table}", remedy=f"twinrow reset {table} --yes, then import"
            )
        found = _checked(context.table, bucket, key, trust_unfiltered=trust_unfiltered)
        export = AdoptedExport(found.arn, bucket, key, found.to_at)
        few_tries(lambda: adopted_export.note(session, context.name, export))
    out(f"{table}: {found.items:,} items of {found.arn}; next: twinrow sync {table}")
    if not export.can_be_followed:
        out("its moment lies between two seconds: the sync reads the whole table once to close the hole behind it")


def _place_of(manifest: str) -> tuple[str, str]:
    bucket, _, key = manifest.removeprefix("s3://").partition("/")
    if not manifest.startswith("s3://") or not bucket or not key.endswith("manifest-summary.json"):
        raise ConfigError(
            f"{manifest!r} names no summary", where="--manifest",
            remedy="name it as s3://BUCKET/…/manifest-summary.json",
        )  # fmt: skip
    return bucket, key


def _refuse_settings(table: Table) -> None:
    """Raise StartRefused where no stream brings what came after the export, or no window can be asked for."""
    settings = table.settings
    where = f"table {table.name}"
    if settings.export is None:
        raise StartRefused(
            "there is no [tables.export]", where=where,
            remedy="name a bucket there: changes between the export and the stream come by exports of their own",
        )  # fmt: skip
    if not settings.fills_gaps:
        raise StartRefused(
            "changes since the export would not be seen", where=where,
            remedy='set capture = "stream", and leave gap_fill = "reconcile" out',
        )  # fmt: skip


def _checked(table: Table, bucket: str, key: str, *, trust_unfiltered: bool) -> Summary:
    """The export's summary. Raises UnfitExport, DamagedExport, StartRefused for what must not be copied from."""
    from twinrow.app.wiring import few_tries
    from twinrow.capture import export_pages
    from twinrow.dynamodb_error import DynamoDBError
    from twinrow.exports import manifest
    from twinrow.exports.damaged import UnfitExport
    from twinrow.sync import export_asking

    s3 = export_asking.s3_of(table, export_asking.settings_of(table))
    description = few_tries(table.describe)
    summary = few_tries(lambda: export_pages.read_summary(s3, bucket, key))
    where = f"export {summary.arn}"
    manifest.check_table(summary, description.arn, description.table_id)
    if summary.type != "FULL_EXPORT":
        raise UnfitExport("holds the changes of a window, not a table", where=where, remedy="name a full export")
    few_tries(lambda: export_pages.read_files(s3, summary))
    try:
        answer = few_tries(lambda: table.dynamodb.call("describe_export", where=where, ExportArn=summary.arn))
        manifest.check_description(answer["ExportDescription"], where)
    except DynamoDBError as error:
        if not trust_unfiltered:
            raise StartRefused(
                f"DescribeExport cannot show it ({error.what}), so nobody knows whether it was filtered",
                where=where,
                remedy="if it was made without a filter, add --trust-unfiltered",
            ) from error
    _refuse_unreached(table, summary)
    return summary


def _refuse_unreached(table: Table, summary: Summary) -> None:
    """Raise StartRefused where incremental exports cannot begin at the export's moment."""
    from twinrow.app.wiring import few_tries
    from twinrow.sync import export_asking

    try:
        earliest = few_tries(lambda: export_asking.earliest_of(table))
    except TwinrowError as error:
        raise StartRefused(
            f"changes since the export cannot be had: {error.what}", where=f"table {table.name}", remedy=error.remedy
        ) from error
    if earliest > summary.to_at:
        raise StartRefused(
            f"is older, by {round(earliest - summary.to_at)} s, than what point-in-time recovery reaches back to",
            where=f"export {summary.arn}", remedy="take a later export",
        )  # fmt: skip
