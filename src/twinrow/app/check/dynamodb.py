"""Pre-flight of a DynamoDB table: rights, index, stream, and ids that are there already."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace

from twinrow import clock
from twinrow.app.check import fixes as check_fixes
from twinrow.app.check import settings as check_settings
from twinrow.app.check.finding import Finding, Level
from twinrow.app.wiring import few_tries
from twinrow.capture_kind import Try
from twinrow.change import AttributeValue, Item
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import StartRefused, TwinrowError
from twinrow.link import update
from twinrow.link.settle import CONDITION_FAILED, NO_RIGHTS
from twinrow.schema.table import from_json
from twinrow.state.outbox import ANY_IMAGE, PendingLink
from twinrow.state.tables import Registered
from twinrow.sync import start
from twinrow.sync.kind import kind_of
from twinrow.sync.named_attributes import named
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.table_description import TableDescription, described

SAMPLE_ITEMS = 100
LINKING = "rights to link"
FIRST = "DynamoDB table"
"""The name of the first finding of each table."""
SOME_DIGEST = b"a digest"
"""The digest of no item: with it the statement asks for the old image, as for every link with a digest."""
BY_ITEM_TOO = frozenset({"ValidationError", "ValidationException", "UnknownOperationException"})
"""Answers of PartiQL after which a sync links by UpdateItem."""


def look(
    context: TableContext,
    registered: Registered | None,
    *,
    mysql_answers: bool = True,
) -> Iterator[Finding]:
    """The findings about a table; `registered` is its copy in MySQL, if there is a copy.

    Reads at most SAMPLE_ITEMS items; where linking was turned on for a copy, one page of every segment, within the
    budget.
    """
    table = context.name
    try:
        description = few_tries(context.table.describe)
    except TwinrowError as error:
        yield Finding(table, FIRST, "error", error.what, error.remedy)
        return
    # UPDATING: its capacity or an index changes, it can be used
    state: Level = "ok" if description.status in ("ACTIVE", "UPDATING") else "error"
    yield Finding(
        table, FIRST, state,
        f"{description.status}, about {description.items:,} items, {description.bytes:,} bytes",
        "" if state == "ok" else "wait until it is ACTIVE",
    )  # fmt: skip
    settings = check_settings.look(context, description, registered)
    source = _source(context.table, description)
    if settings.level == "error" and source.fix is not None:
        # built as the settings say it would be of no use: an index on a key attribute holds every item
        source = replace(source, remedy="mend the settings first", fix=None)
    yield source
    yield from _captured(context.table, description)
    yield settings
    if named(context.settings):
        yield from _named(context.table, registered)
    yield from _reading(context.table, description)
    export = context.settings.export
    is_through = registered is not None and registered.snapshot_done_at is not None
    copies = export is not None and export.first_copy and not is_through
    if export is not None and (copies or context.settings.fills_gaps):
        from twinrow.app.check import exports

        found = exports.look(context.table, description, export)
        # without exports a reconcile mends a gap
        yield from (replace(each, level="warning") if not copies and each.level == "error" else each for each in found)
    if context.settings.split is not None:
        from twinrow.app.check import split

        yield from split.look(context.table, context.settings.split)
    if context.settings.protection is not None:
        from twinrow.app.check import protection

        yield from protection.look(context.table, context.settings.protection, registered)
    if context.settings.linked or context.settings.traits.carries_marks:
        yield from _writing(context.table, description)
    if context.settings.linked and not context.settings.allow_global:
        yield from _old_kind(context.table)
    if context.settings.linked and registered is None and mysql_answers:  # else nobody knows whose ids they are
        yield from _linked_items(context.table)


def _named(table: Table, registered: Registered | None) -> Iterator[Finding]:
    """The attributes that settings name, looked for in a sample and in the columns of the copy."""
    from twinrow.app.check import attributes

    try:
        page = few_tries(lambda: table.dynamodb.scan_page(table.name, 0, 1, None, limit=SAMPLE_ITEMS))
    except TwinrowError:
        return  # reported under "rights to read"
    copied = registered is not None and registered.phase != "NEW"
    schema = from_json(registered.table_schema) if registered is not None and copied else None
    yield from attributes.look(table.settings, page.items, schema)


def _source(table: Table, description: TableDescription) -> Finding:
    """Troubles that must be mended before a sync starts, with a fix where there is a fix."""
    kind = kind_of(table.settings)
    name = kind.traits.label
    try:
        start.check_source(table, description)
    except StartRefused as refusal:
        change = kind.fix(table.settings, description) if refusal.by_fix else None
        if change is None:
            return Finding(table.name, name, "error", refusal.what, refusal.remedy)
        fix = check_fixes.fix_of(table.dynamodb, description, change, table.mysql, table.describe)
        return Finding(table.name, name, "error", refusal.what, f"twinrow check {table.name} --fix", fix)
    return Finding(table.name, name, "ok", kind.state(table.settings, description))


def _captured(table: Table, description: TableDescription) -> Iterator[Finding]:
    for remark in kind_of(table.settings).remarks(table.settings, description):
        yield Finding(table.name, remark.name, "warning", remark.text, remark.remedy)


def _reading(table: Table, description: TableDescription) -> Iterator[Finding]:
    dynamodb, name = table.dynamodb, table.name
    nowhere = dynamodb.seen_key(_nowhere(description))
    tries: list[tuple[str, Callable[[], object]]] = [
        ("dynamodb:Scan", lambda: dynamodb.scan_page(name, 0, 1, None, limit=1)),
        (
            "dynamodb:BatchGetItem",
            lambda: dynamodb.get_items(name, [nowhere], table.read_budget, table.stop),
        ),
    ]
    tries += [(proof.rights, proof.request) for proof in _tries_of_kind(table, description)]
    if table.settings.soft_ttl_deletes != table.settings.soft_deletes:
        tries.append(("dynamodb:DescribeTimeToLive", lambda: dynamodb.ttl_attribute(name)))
    lacking = []
    for right, work in tries:
        try:
            few_tries(work)
        except TwinrowError as error:
            lacking.append(f"{right}: {error.what}")
    if lacking:
        yield Finding(name, "rights to read", "error", "; ".join(lacking), "grant what `twinrow iam-policy` prints")
    else:
        rights = ", ".join(right for right, _ in tries).replace("dynamodb:", "")
        yield Finding(name, "rights to read", "ok", rights)


def _tries_of_kind(table: Table, description: TableDescription) -> tuple[Try, ...]:
    """Those of the capture; none while it lacks what it would read from."""
    kind = kind_of(table.settings)
    try:
        kind.refuse(table.settings, description)
    except StartRefused:
        return ()
    return kind.tries(table.settings, description, table.dynamodb)


def _writing(table: Table, description: TableDescription) -> Iterator[Finding]:
    """The very link write of a sync, to a key that is nowhere: where all is well its condition fails, and nothing else.

    A table whose copy follows a mark is asked with it and for the image before, which are rights of their own.
    """
    yield _link_finding(table, _probe(table, description))


def _probe(table: Table, description: TableDescription) -> PendingLink:
    """A link as a sync would have it, of a key that no item has."""
    settings = table.settings
    marks = settings.pending.marks if settings.pending is not None and settings.traits.carries_marks else (None,)
    asks_for_image = not settings.traits.tells_every_change  # as in write/prepare.py
    digest = SOME_DIGEST if asks_for_image else ANY_IMAGE
    return PendingLink(b"", _nowhere(description), 0, digest, 1 if settings.linked else None, marks[0])


def _link_finding(table: Table, link: PendingLink) -> Finding:
    unquotable = table.settings.link_rules.unquotable(link.key)
    if unquotable is not None:
        why, remedy = f"PartiQL cannot name {unquotable!r}", "another name of the attribute, for speed alone"
        return _by_item(table, link, why, remedy)
    statement = update.partiql(table.name, table.settings.link_rules.update_of(link))
    try:
        answers, _ = table.dynamodb.execute_statements(table.name, [statement])
        code, message = answers[0].code, answers[0].message
    except DynamoDBError as error:
        code, message = error.code, error.what
    except TwinrowError as error:
        return Finding(table.name, LINKING, "error", error.what, error.remedy)
    if code in CONDITION_FAILED:
        return Finding(table.name, LINKING, "ok", "PartiQLUpdate: 25 links a call")
    if code in NO_RIGHTS:
        return _by_item(table, link, "PartiQLUpdate is not allowed", "grant dynamodb:PartiQLUpdate")
    if code in BY_ITEM_TOO:  # as a sync does
        return _by_item(table, link, f"PartiQL: {code}: {message}", "look up what DynamoDB says, for speed alone")
    return Finding(
        table.name, LINKING, "error", f"PartiQLUpdate: {code or 'it wrote'}: {message}", "twinrow check, again"
    )


def _by_item(table: Table, link: PendingLink, why: str, remedy: str) -> Finding:
    """Whether the link can be written by UpdateItem, where PartiQL cannot be had for the reason `why`."""
    try:
        asked = update.update_item(table.settings.link_rules.update_of(link))
        answer, _ = table.dynamodb.update_item(table.name, link.key, **asked)
    except TwinrowError as error:
        return Finding(table.name, LINKING, "error", error.what, error.remedy)
    if answer.code in NO_RIGHTS:
        return Finding(
            table.name, LINKING, "error", f"UpdateItem is not allowed, and {why}",
            "grant what `twinrow iam-policy` prints",
        )  # fmt: skip
    if answer.code not in CONDITION_FAILED:
        refusal = f"UpdateItem: {answer.code or 'it wrote'}: {answer.message}"
        return Finding(table.name, LINKING, "error", refusal, remedy)
    return Finding(table.name, LINKING, "warning", f"UpdateItem only ({why}): links take three times as long", remedy)


def _old_kind(table: Table) -> Iterator[Finding]:
    """A warning where nobody may ask whether this is a global table of the old kind, which a start would refuse."""
    try:
        few_tries(lambda: table.dynamodb.global_table_regions(table.name))
    except TwinrowError as error:
        yield Finding(
            table.name, "global table", "warning",
            f"it is not known whether this is a global table of the old kind (2017.11.29): {error.what}",
            "grant dynamodb:DescribeGlobalTable, as `twinrow iam-policy` prints it, or see that it is none",
        )  # fmt: skip


def _linked_items(table: Table) -> Iterator[Finding]:
    try:
        page = few_tries(lambda: table.dynamodb.scan_page(table.name, 0, 1, None, limit=SAMPLE_ITEMS))
    except TwinrowError:
        return  # reported under "rights to read"
    carrying = sum(table.settings.link_of(item) is not None for item in page.items)
    if carrying:
        yield Finding(
            table.name, "links", "error", f"items carry `{table.settings.link_attribute}` already",
            f"twinrow sync {table.name} --adopt-links, or another `link_attribute`",
        )  # fmt: skip


def _nowhere(description: TableDescription) -> Item:
    """A key that no item has, as DynamoDB takes it."""
    text = f"twinrow check {uuid.uuid4().hex}"
    values: dict[str, AttributeValue] = {
        "S": {"S": text}, "N": {"N": f"-{clock.wall():.6f}"}, "B": {"B": b64encode(text.encode()).decode()},
    }  # fmt: skip
    return {name: values[kind] for name, kind in described(description.raw).keys}
