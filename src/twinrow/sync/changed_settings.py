"""Differences between the settings of a copy and those of today: applied, or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from twinrow.capture.pages import Page
from twinrow.errors import Reason, StartRefused
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.schema.row import fingerprint
from twinrow.schema.table import TableSchema
from twinrow.sink.writer import Existing, existing_rows
from twinrow.state import checkpoint, gap, lease, outbox, tables
from twinrow.state.tables import Registered
from twinrow.sync import (
    changed_columns,
    changed_into,
    changed_where,
    filter_pass,
    indexes,
    page_source,
    reconcile,
)
from twinrow.sync import reshaping as passes
from twinrow.sync.changed_protection import WALK, ProtectionChange, change_between
from twinrow.table import identity
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.table_description import TableDescription

ROWS_A_LOOK_MAX = 100_000
CONFIG_CHANGED = "CONFIG_CHANGED"
CAPTURE_CHANGED = "CAPTURE_CHANGED"
SOURCE_CHANGED = "TABLE_RECREATED"


def summary(settings: Settings) -> dict[str, Any]:
    """The settings that a copy depends on; kept in MySQL and compared at every start."""
    pending = settings.pending
    split = {"split": settings.split.kept} if settings.split is not None else {}
    return {
        **split,
        "into": settings.into,
        "capture": settings.capture,
        "linked": settings.linked,
        "link_attribute": settings.link_attribute,
        "own": sorted(settings.own),
        "overrides": [repr(one) for one in settings.overrides],
        "deleted": pending.deleted if pending else None,
        "mark": [pending.index, pending.attribute] if pending else None,
        "index": [list(names) for names in settings.index] or None,
        "marks": [json.dumps(one) for one in pending.marks] if pending else None,
        "where": settings.row_filter.source if settings.row_filter is not None else None,
        "protection": settings.protection.summary if settings.protection is not None else None,
        "windows": settings.asks_for_windows or None,
    }


@dataclass(frozen=True, slots=True)
class ChangedSettings:
    """How the settings of today, and the DynamoDB table they lead to, differ from what a copy was made from."""

    before: dict[str, Any]
    now: dict[str, Any]
    other_source: bool
    where_needs_dynamodb: bool = False
    rows_may_go: bool = False

    @property
    def names(self) -> set[str]:
        """Entries of the summary that are not what they were."""
        return {name for name in self.now if self.now[name] != self.before.get(name)}

    @property
    def protection(self) -> ProtectionChange:
        """The part of the rules that hide attributes."""
        return change_between(self.before.get("protection"), self.now["protection"])

    @property
    def gaps(self) -> tuple[str, ...]:
        """Causes for a reconcile: changes may have been missed, or links were not written."""
        names = self.names
        given_up = [mark for mark in self.before.get("marks") or [] if mark not in (self.now["marks"] or [])]
        causes = {
            SOURCE_CHANGED: self.other_source,
            CAPTURE_CHANGED: "capture" in names,
            CONFIG_CHANGED: self.protection.reread
            or self.where_needs_dynamodb
            or bool(names & {"linked", "link_attribute", "own", "deleted", "mark"} or given_up),
        }
        return tuple(cause for cause, happened in causes.items() if happened)


def changed(settings: Settings, description: TableDescription, registered: Registered) -> ChangedSettings:
    """Compare with what the register says."""
    other = identity.is_another(description, registered)
    before, now, row_filter = registered.settings, summary(settings), settings.row_filter
    lacking = {*(before.get("own") or []), *settings.own}
    if row_filter is not None and now["protection"] != before.get("protection"):
        lacking |= row_filter.attributes  # the rows may hold hashes still
    return ChangedSettings(
        before, now, other,
        where_needs_dynamodb=changed_where.needs_dynamodb(before.get("where"), row_filter, lacking),
        rows_may_go=changed_where.rows_may_go(before.get("where"), row_filter, lacking),
    )  # fmt: skip


def refuse_another_split(settings: Settings, registered: Registered) -> None:
    """Raise StartRefused where the rows are spread by other rules than those of today, and no pass can move them."""
    before, now = registered.settings, summary(settings)
    why = ""
    if now.get("split") != before.get("split"):
        from twinrow.sync import resplit

        why = resplit.why_not(settings.split, registered)
    elif settings.split is not None and now["where"] != before.get("where"):
        why = "`where` of a table that is split was another when the copy was made"
    if why:
        adopt = " --adopt-links" if settings.linked else ""
        commands = (f"twinrow reset {settings.table} --yes", f"twinrow sync{adopt}")
        raise StartRefused(
            why, where=f"table {settings.table}", remedy=f"set it back, or {', then '.join(commands)}",
            commands=commands,
        )  # fmt: skip


def refuse(context: TableContext, description: TableDescription, registered: Registered) -> None:
    """Raise StartRefused for a change that would need the copy to be made anew, Broken for another DynamoDB table.

    Reads only, in MySQL and DynamoDB.
    """
    refuse_another_split(context.settings, registered)
    settings, difference = context.settings, changed(context.settings, description, registered)
    identity.refuse(description, registered, context.consent.tables)
    keys = context.live.keys
    where = f"table {context.name}"
    commands = (f"twinrow reset {context.name} --yes", f"twinrow sync{' --adopt-links' if settings.linked else ''}")
    reset = Reason(", then ".join(commands), commands)
    if description.keys != tuple((key.name, key.kind) for key in keys):
        was = " and ".join(f"{key.name!r} ({key.kind})" for key in keys)
        raise StartRefused(
            f"its key was {was} when the copy was made", where=where, remedy=reset.text, commands=commands
        )
    changed_into.refuse(context)
    _refuse_protection(context, difference, reset)
    if settings.split is not None:
        _refuse_for_split(context, reset)
    changed_columns.refuse(context, registered, reset)
    if "index" in difference.names:
        indexes.refuse(settings, context.live.rest)
    if settings.linked and difference.names & {"linked", "link_attribute"}:
        _refuse_the_apps_attribute(context, description, reset)


def _refuse_protection(context: TableContext, difference: ChangedSettings, reset: Reason) -> None:
    """Raise StartRefused where the rules of protection are others than those that the rows were made by."""
    before, now = difference.before.get("protection"), difference.now["protection"]
    change = change_between(before, now, [key.name for key in context.live.keys])
    where = f"table {context.name}"
    if change.keys:
        raise StartRefused(
            f"the rule for the key attribute {change.keys[0]!r} was changed after the copy was made", where=where,
            remedy=f"set it back, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    if change.has_pass and len(context.live.catalogue.entities) > 1:
        raise StartRefused(
            "[tables.protect] of a table that is split was changed after its rows were copied", where=where,
            remedy=f"set it back, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    if not change.another_secret:
        return
    if context.live.keys[0].sealed:
        raise StartRefused(
            "the secret is not the one that its keys were hashed with", where=where,
            remedy=f"set the secret back, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    if not context.consent.rekey:
        command = f"twinrow sync {context.name} --rekey {context.name}"
        raise StartRefused(
            "the secret is not the one that its values were hashed with", where=where,
            remedy=f"set the secret back, or `{command}` hashes all values anew", commands=(command,),
        )  # fmt: skip


def _refuse_for_split(context: TableContext, reset: Reason) -> None:
    """Raise StartRefused for changes that are made inside the table of an unsplit copy alone."""
    what = "`columns`" if changed_columns.wanted(context) is not None else ""
    what = "`into`" if changed_into.is_wanted(context) else what
    if what:
        raise StartRefused(
            f"{what} of a table that is split was changed after the copy was made", where=f"table {context.name}",
            remedy=f"set it back, or {reset.text}", commands=reset.commands,
        )  # fmt: skip


def _refuse_the_apps_attribute(context: TableContext, description: TableDescription, reset: Reason) -> None:
    """Raise StartRefused where the attribute that is to hold the ids holds something else: links would overwrite it.

    Looked for in the copy, and in one page of every segment (an attribute that was named before has no column).
    """
    settings = context.settings
    name = settings.link_attribute
    there = False
    for schema in context.live.catalogue.tables:
        column = schema.by_attribute.get(name)
        if column is not None and not there:
            cell = quote(column.column)
            other = f"{cell} <> row_id" if column.kind == "N" else f"{cell} IS NOT NULL"
            there = _any_row(context, schema.into, other)
    if not there:
        there = _other_link(context, page_source.look(context, description))
    if there:
        raise StartRefused(
            f"items carry `{name}` that holds something else than their row's id",
            where=f"table {context.name}",
            remedy=f"set another `link_attribute`; or, where these are ids to keep, {reset.text}",
            commands=reset.commands,
        )


def _any_row(context: TableContext, into: str, condition: str) -> bool:
    """Whether a condition holds for any row; by slices, since no index helps and tables are large."""
    table, after = quote(into), 0
    while True:
        ids = f"SELECT row_id FROM {table} WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_A_LOOK_MAX}"
        last = context.tenure.open_writer().query(f"SELECT MAX(row_id) FROM ({ids}) AS slice", (after,))[0][0]
        if last is None:
            return False
        found = context.tenure.open_writer().query(
            f"SELECT 1 FROM {table} WHERE row_id > %s AND row_id <= %s AND {condition} LIMIT 1", (after, last)
        )
        if found:
            return True
        after = int(last)


def _other_link(context: TableContext, pages: list[Page]) -> bool:
    """Whether these pages have a value of the link attribute that is not the id of the item's row."""
    settings, catalogue = context.settings, context.live.catalogue
    linked = {
        fingerprint(catalogue.keys, item): link
        for page in pages
        for item in settings.wanted(page.items)
        if (link := settings.link_of(item)) is not None
    }
    rows: dict[bytes, Existing] = {}
    for schema in catalogue.tables:
        rows |= existing_rows(context.tenure.open_writer(), schema, list(linked))
    return any(key_hash in rows and link != {"N": str(rows[key_hash].row_id)} for key_hash, link in linked.items())


def adapt(context: TableContext, description: TableDescription, registered: Registered) -> None:
    """Apply what `refuse` lets pass, in one transaction with the gaps that come of it."""
    settings, difference = context.settings, changed(context.settings, description, registered)
    change, moves = changed_columns.wanted(context), changed_into.is_wanted(context)
    if not difference.names and not difference.other_source and change is None and not moves:
        if not identity.arn_of(registered):
            identity.note(context.tenure.open_writer(), context.name, description)
        context.consent.table_is_known(another=False)
        return
    if moves:
        changed_into.apply(context)
        with context.tenure.transaction() as tx:
            moved = _note(tx, context, changed_into.settle(tx, context.table, context.live.rest))
        context.live.take(moved)
    if "protection" in difference.names:
        from twinrow.sync import protecting

        passes.give_up(context)  # its working columns hold values that are raw
        protecting.apply(context, registered)
    change = changed_columns.wanted(context)  # of the table as it is by now
    if "index" in difference.names:
        indexes.drop_given_up(context)
    schema = context.live.rest if change is None else changed_columns.apply(context, change)
    # a column of an attribute that is Twinrow's from now on stays as it is, and nobody writes it any more
    columns = tuple(column for column in schema.columns if column.attribute not in settings.own)
    schema = replace(schema, own=settings.own, columns=columns)
    with context.tenure.transaction() as tx:
        tables.update(tx, context.name, config=json.dumps(difference.now))
        taken = _note(tx, context, schema)
        if change is not None:
            changed_columns.settle(tx, context.name, change)
        others = [_adapted(settings, other, taken.version) for other in context.live.catalogue.tables[1:]]
        for other in others:
            context.live.keep(tx, other)
        if difference.other_source:
            tables.update(tx, context.name, source_id=description.table_id or description.arn)
            identity.note(tx, context.name, description)
            reconcile.forget_pass(tx, context.name)  # it has read the former table
        if "protection" in difference.names:
            checkpoint.forget(tx, context.name, WALK)
        if difference.names & {"linked", "link_attribute"}:
            outbox.drop_refused(tx, context.name)
        if "where" in difference.names:
            # a pass that an earlier change began, and that is not through, has left rows that it had to take away
            if settings.row_filter is not None and (
                difference.rows_may_go or filter_pass.is_under_way(tx, context.name)
            ):
                filter_pass.begin(tx, context)
            else:
                filter_pass.forget(tx, context.name)
        if "windows" in difference.names:  # what was written since a gap was noted by one of both settings only
            gap.forget_losses(tx, context.name)
        for cause in dict.fromkeys((*difference.gaps, *((CONFIG_CHANGED,) if change and change.fetched else ()))):
            gap.record(tx, context.name, cause, at=tx.now())
    context.consent.table_is_known(another=difference.other_source)
    for adapted in (taken, *others):
        context.live.take(adapted)


def _note(tx: Connection, context: TableContext, schema: TableSchema) -> TableSchema:
    """Write a schema under the next version; it counts when the transaction has committed."""
    new = replace(schema, version=context.live.version + 1)
    context.live.keep(tx, new)
    lease.raise_schema_version(tx, context.tenure.lease, new.version)
    return new


def _adapted(settings: Settings, schema: TableSchema, version: int) -> TableSchema:
    """The schema of another table of a split under the settings of today."""
    columns = tuple(column for column in schema.columns if column.attribute not in settings.own)
    return replace(schema, own=settings.own, columns=columns, version=version)
