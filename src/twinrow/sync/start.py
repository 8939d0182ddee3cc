"""Before a table's rows are touched: is it new, resumed or changed, and may it be copied at all?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twinrow import clock
from twinrow.capture.scan import ScannedPage, first_pages, segments_for
from twinrow.errors import Broken, StartRefused
from twinrow.mysql import Flavour, MySQLError
from twinrow.schema.evolve import AddColumn, Evolution, WidenColumn, evolve
from twinrow.schema.naming import fold, quote
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute, TableSchema, check_overrides, empty_schema, from_json, to_json
from twinrow.sink import ddl, inspect, statements
from twinrow.sink.inspect import FoundColumn
from twinrow.sink.writer import existing_rows
from twinrow.state import checkpoint, gap, lease, outbox, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.tables import Registered
from twinrow.sync.copy import Copy
from twinrow.sync.follow import enter_stream
from twinrow.sync.settings import PendingIndex, Settings
from twinrow.table_description import TableDescription

TABLE_EXISTS = 1050
ROWS_A_LOOK_MAX = 100_000
CONFIG_CHANGED = "CONFIG_CHANGED"
CAPTURE_CHANGED = "CAPTURE_CHANGED"
SOURCE_CHANGED = "TABLE_RECREATED"


def summary(settings: Settings) -> dict[str, Any]:
    """What of the settings a copy depends on; kept in MySQL and compared at every start."""
    pending = settings.pending
    return {
        "into": settings.into,
        "capture": settings.capture,
        "linked": settings.linked,
        "link_attribute": settings.link_attribute,
        "own": sorted(settings.own),
        "overrides": [repr(one) for one in settings.overrides],
        "deleted": pending.deleted if pending else None,
        "mark": [pending.index, pending.attribute] if pending else None,
        "marks": [json.dumps(one) for one in pending.marks] if pending else None,
    }


def check_source(copy: Copy, description: TableDescription) -> None:
    """Raise StartRefused for what must be mended in DynamoDB first: no index, wrong mark type, replicas, stream off."""
    settings = copy.settings
    where = f"table {copy.table}"
    if settings.linked and len(description.replicas) > 0 and not copy.allow_global:
        raise StartRefused(
            "has replicas in other Regions, where last-writer-wins takes whole items", where=where,
            remedy="set link = false, or allow_global_table_writes = true if one Region writes each item",
        )  # fmt: skip
    own_keys = settings.own & {name for name, _ in description.keys}
    if own_keys:
        what = "`link_attribute`" if settings.link_attribute in own_keys else "the mark"
        raise StartRefused(f"{what} {min(own_keys)!r} is a key attribute", where=where, remedy="name another")
    if settings.capture == "pending-index" and settings.pending is not None:
        _check_index(settings.pending, description, where)
    if settings.capture == "stream" and description.stream_arn is None:
        raise StartRefused("has no stream", where=where, remedy="twinrow check --fix turns it on")


def _check_index(pending: PendingIndex, description: TableDescription, where: str) -> None:
    index = description.index(pending.index)
    if index is None:
        raise StartRefused(f"has no index {pending.index!r}", where=where, remedy="twinrow check --fix adds it")
    if index.status == "DELETING":
        raise StartRefused(
            f"index {pending.index!r} is being deleted",
            where=where,
            remedy="once it is gone, twinrow check --fix adds it",
        )
    name, kind = index.keys[0]
    if name != pending.attribute:
        raise StartRefused(
            f"index {pending.index!r} has the hash key {name!r}, not {pending.attribute!r}", where=where,
            remedy="set `attribute` to it, or another `index`",
        )  # fmt: skip
    if any(kind not in mark for mark in (*pending.marks, *([pending.done] if pending.done else []))):
        raise StartRefused(
            f"index {pending.index!r} wants marks of type {kind}, the configuration has another", where=where,
            remedy='write pending = ["false"] for S, pending = [0] for N',
        )  # fmt: skip
    if index.status not in ("ACTIVE", "UPDATING", ""):  # UPDATING: its capacity changes, it can be read
        raise StartRefused(f"index {pending.index!r} is {index.status}", where=where, remedy="wait until it is ACTIVE")


def start(copy: Copy, description: TableDescription) -> tuple[int, list[ScannedPage]]:
    """Make the table ready to be copied into; the number of segments and pages read already (a new table only).

    Raises StartRefused when somebody else's table is in the way, or a changed setting wants a command first.
    """
    registered = tables.load(copy.writer, copy.table)
    if registered is None:
        return _begin(copy, description)
    if registered.phase == "NEW":
        if not inspect.columns(copy.writer, copy.settings.into):
            return _begin(copy, description)
        # killed between CREATE TABLE and the transaction that says so
        _enter_first(copy, from_json(registered.table_schema), _segments(copy, description))
    resume_ddl(copy)
    _check_changed(copy, description, registered)
    inspect.refuse_unique_indexes(copy.writer, copy.settings.into)
    missing = inspect.missing_columns(copy.writer, copy.schema)
    if missing:
        raise lacks_column(copy.table, missing[0])
    copy.snapshotting = registered.snapshot_done_at is None
    copy.first_copy = copy.snapshotting
    copy.owes_key_index = not copy.snapshotting and not inspect.has_index(
        copy.writer, copy.settings.into, statements.KEY_INDEX
    )
    return _segments(copy, description), []


def lacks_column(table: str, column: str) -> Broken:
    """The error for a column that somebody dropped."""
    return Broken(
        f"the MySQL table lacks the column {column!r}", where=f"table {table}",
        remedy=f"twinrow schema {table} --apply adds it again",
    )  # fmt: skip


def _segments(copy: Copy, description: TableDescription) -> int:
    known = checkpoint.load(copy.writer, copy.table, "segments")
    if known:
        return int(known["segments"].position or 1)
    count = copy.settings.segments or segments_for(description.bytes)
    checkpoint.save(copy.writer, copy.table, {"segments": Checkpoint(str(count))})
    return count


def new_schema(settings: Settings, description: TableDescription) -> TableSchema:
    """The schema before anything is learned: key columns only."""
    return empty_schema(
        settings.table, settings.into, _keys(description), settings.own, settings.overrides, settings.soft_deletes
    )


def _keys(description: TableDescription) -> tuple[KeyAttribute, ...]:
    return tuple(KeyAttribute(name, kind) for name, kind in description.keys)  # type: ignore[arg-type]


def _begin(copy: Copy, description: TableDescription) -> tuple[int, list[ScannedPage]]:
    settings = copy.settings
    if inspect.columns(copy.writer, settings.into):
        registered = next((one for one in tables.load_all(copy.writer) if one.into_table == settings.into), None)
        owner = f"is the copy of {registered.table_name}" if registered else "was not made by Twinrow"
        raise StartRefused(
            f"a table of that name {owner}",
            where=f"MySQL table {settings.into}",
            remedy="set another `into`, or rename it",
        )
    count = settings.segments or segments_for(description.bytes)
    if settings.capture == "stream" and description.stream_arn is not None:
        enter_stream(copy, description.stream_arn)
    pages = first_pages(copy.dynamodb, copy.table, count, copy.read_budget, copy.stop)
    _refuse_linked_items(copy, pages)
    _check_overrides(copy, _keys(description))
    schema = evolve(new_schema(settings, description), (item for page in pages for item in page.items)).schema
    _register(copy, description, schema)
    with copy.ddl_session() as session:
        try:
            ddl.create(session, schema)
        except MySQLError as error:
            if error.code != TABLE_EXISTS:
                raise
    _enter_first(copy, schema, count)
    copy.snapshotting = copy.first_copy = True
    return count, pages


def _enter_first(copy: Copy, schema: TableSchema, segments: int) -> None:
    """The empty table stands: from now on its rows are written under this schema."""
    with copy.writer.transaction() as tx:
        lease.lock(tx, copy.lease, None)
        tables.update(tx, copy.table, phase="SNAPSHOT", table_schema=to_json(schema))
        checkpoint.save(tx, copy.table, {"segments": Checkpoint(str(segments))})
        lease.raise_schema_version(tx, copy.lease, schema.version)
    copy.schema = schema


def _refuse_linked_items(copy: Copy, pages: list[ScannedPage]) -> None:
    settings = copy.settings
    if not settings.linked or settings.adopt_links:
        return
    for page in pages:
        for item in page.items:
            if settings.link_of(item) is not None:
                raise StartRefused(
                    f"items already carry `{settings.link_attribute}`", where=f"table {copy.table}",
                    remedy="start with --adopt-links to keep these ids, or set another `link_attribute`",
                )  # fmt: skip


def _register(copy: Copy, description: TableDescription, schema: TableSchema) -> None:
    tables.register(
        copy.writer, copy.table, copy.settings.into, description.table_id or description.arn,
        json.dumps(summary(copy.settings)), to_json(schema), clock.now(),
    )  # fmt: skip
    tables.update(  # one that was begun and not made may have had other settings
        copy.writer, copy.table, into_table=copy.settings.into, source_id=description.table_id or description.arn,
        table_schema=to_json(schema), config=json.dumps(summary(copy.settings)),
    )  # fmt: skip


def resume_ddl(copy: Copy) -> None:
    """Take the table's schema as it is now.

    A killed run may have left an intent: what of it the server has done is ours from now on, and no more is done.

    The values ask for the rest again, under the rules of a live table: an old intent is no reason for a rebuild.
    """
    copy.load_schema()
    schema = copy.schema
    intent = checkpoint.load(copy.writer, copy.table, "ddl").get("ddl")
    if intent is None or not intent.position:
        return
    wanted = from_json(intent.position)
    with copy.ddl_session() as session:  # an ALTER of the former process may still be running: this waits for it
        found = inspect.columns(session, schema.into)
        steps = steps_between(schema, wanted, "finished after an interruption")
        done = tuple(step for step in steps if _is_done(step, found, copy.flavour))
        if wanted.version > schema.version and done:
            copy.enter_schema(_after_steps(schema, wanted, done))
        else:
            checkpoint.forget(copy.writer, copy.table, "ddl")


def _is_done(step: AddColumn | WidenColumn, found: Mapping[str, FoundColumn], flavour: Flavour) -> bool:
    """Whether the server's table has the column, of the type that was asked for."""
    wanted = step.column if isinstance(step, AddColumn) else step.after
    there = found.get(wanted.column)
    return there is not None and there.is_of(wanted.type, flavour)


def _after_steps(before: TableSchema, wanted: TableSchema, steps: tuple[AddColumn | WidenColumn, ...]) -> Evolution:
    """A part of the way from one schema to a later one."""
    made = {(step.column if isinstance(step, AddColumn) else step.after).attribute for step in steps}
    known = before.by_attribute
    columns = tuple(
        one if one.attribute in made else known[one.attribute]
        for one in wanted.columns
        if one.attribute in made or one.attribute in known
    )
    return Evolution(replace(wanted, columns=columns), steps)


def steps_between(before: TableSchema, after: TableSchema, why: str) -> tuple[AddColumn | WidenColumn, ...]:
    """The steps that make one schema into a later one."""
    known = before.by_attribute
    steps: list[AddColumn | WidenColumn] = []
    for column in after.columns:
        old = known.get(column.attribute)
        if old is None:
            steps.append(AddColumn(column, why))
        elif old.type != column.type:
            steps.append(WidenColumn(old, column, why))
    return tuple(steps)


def _check_changed(copy: Copy, description: TableDescription, registered: Registered) -> None:
    settings, before = copy.settings, registered.settings
    now = summary(settings)
    where = f"table {copy.table}"
    reset = f"twinrow reset {copy.table} --yes, then twinrow sync --adopt-links"
    if description.keys != tuple((key.name, key.kind) for key in copy.schema.keys):
        was = " and ".join(f"{key.name!r} ({key.kind})" for key in copy.schema.keys)
        raise StartRefused(f"its key was {was} when the copy was made", where=where, remedy=reset)
    if registered.source_id and description.table_id and registered.source_id != description.table_id:
        gap.record(copy.writer, copy.table, SOURCE_CHANGED, at=clock.now())
        tables.update(copy.writer, copy.table, source_id=description.table_id)
    if now == before:
        return
    if now["into"] != before["into"]:
        raise StartRefused(
            f"`into` was {before['into']!r} when the copy was made", where=where, remedy=f"set it back, or {reset}"
        )
    changed = set(now["overrides"]) ^ set(before["overrides"])
    if changed:
        known = {one.attribute for one in copy.schema.columns}
        named = {one.attribute for one in (*settings.overrides, *copy.schema.overrides) if repr(one) in changed}
        ignores = any(one.ignore for one in (*settings.overrides, *copy.schema.overrides) if repr(one) in changed)
        if named & known or ignores:
            raise StartRefused(
                f"the override of {min(named)!r} was changed after its values were copied", where=where,
                remedy=f"set it back, or {reset}",
            )  # fmt: skip
        _check_new_overrides(copy)
    if settings.linked and (not before["linked"] or now["link_attribute"] != before["link_attribute"]):
        _refuse_the_apps_attribute(copy, description, reset)
    _adapt(copy, before, now)


def _refuse_the_apps_attribute(copy: Copy, description: TableDescription, reset: str) -> None:
    """Raise StartRefused where the attribute that is to hold the ids holds something else: links would overwrite it.

    Looked for in the copy, and in one page of every segment (an attribute that was named before has no column).
    """
    settings, schema = copy.settings, copy.schema
    name = settings.link_attribute
    column = schema.by_attribute.get(name)
    there = None
    if column is not None:
        cell = quote(column.column)
        other = f"{cell} <> row_id" if column.kind == "N" else f"{cell} IS NOT NULL"
        there = _first_value(copy, cell, other)
    if there is None:
        segments = _segments(copy, description)
        there = _other_link(copy, first_pages(copy.dynamodb, copy.table, segments, copy.read_budget, copy.stop))
    if there is not None:
        raise StartRefused(
            f"items carry `{name}` that holds something else than their row's id (for example {there})",
            where=f"table {copy.table}",
            remedy=f"set another `link_attribute`; or, where these are ids to keep, {reset}",
        )


def _first_value(copy: Copy, cell: str, condition: str) -> str | None:
    """The value of the first row for which a condition holds; by slices, since no index helps and tables are large."""
    table, after = quote(copy.schema.into), 0
    while True:
        ids = f"SELECT row_id FROM {table} WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_A_LOOK_MAX}"
        last = copy.writer.query(f"SELECT MAX(row_id) FROM ({ids}) AS slice", (after,))[0][0]
        if last is None:
            return None
        found = copy.writer.query(
            f"SELECT {cell} FROM {table} WHERE row_id > %s AND row_id <= %s AND {condition} LIMIT 1", (after, last)
        )
        if found:
            return str(found[0][0])
        after = int(last)


def _other_link(copy: Copy, pages: list[ScannedPage]) -> str | None:
    """A value of the link attribute that is not the id of the item's row, if these pages have one."""
    settings, keys = copy.settings, copy.schema.keys
    linked = {
        fingerprint(keys, item): link
        for page in pages
        for item in page.items
        if (link := settings.link_of(item)) is not None
    }
    rows = existing_rows(copy.writer, copy.schema, list(linked))
    for key_hash, link in linked.items():
        if key_hash in rows and link != {"N": str(rows[key_hash].row_id)}:
            return json.dumps(link)
    return None


def _check_new_overrides(copy: Copy) -> None:
    """Raise StartRefused for overrides that contradict the rest, or name a column that is there already."""
    settings, schema = copy.settings, copy.schema
    where = f"table {copy.table}"
    _check_overrides(copy, schema.keys)
    of = {column.attribute: column.column for column in schema.columns}
    there = {fold(name): name for name in inspect.columns(copy.writer, settings.into)}
    for override in settings.overrides:
        name = override.column
        if name is not None and of.get(override.attribute) != name and fold(name) in there:
            raise StartRefused(
                f"the override of {override.attribute!r} names the column {there[fold(name)]!r}, which is there",
                where=where, remedy="name another column",
            )  # fmt: skip


def _check_overrides(copy: Copy, keys: tuple[KeyAttribute, ...]) -> None:
    try:
        check_overrides(keys, copy.settings.own, copy.settings.overrides)
    except ValueError as error:
        raise StartRefused(str(error), where=f"table {copy.table}", remedy="mend the configuration") from error


def _adapt(copy: Copy, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Apply a changed setting; where it may have hidden changes or left links unwritten, a reconcile mends that."""
    settings = copy.settings
    # a column of an attribute that is Twinrow's from now on stays as it is, and nobody writes it any more
    columns = tuple(column for column in copy.schema.columns if column.attribute not in settings.own)
    schema = replace(
        copy.schema,
        own=settings.own,
        overrides=settings.overrides,
        columns=columns,
        version=copy.schema.version + 1,
    )
    moved = {name for name in now if now[name] != before.get(name)}
    with copy.writer.transaction() as tx:
        lease.lock(tx, copy.lease, None)
        tables.update(tx, copy.table, config=json.dumps(now), table_schema=to_json(schema))
        lease.raise_schema_version(tx, copy.lease, schema.version)
        if "capture" in moved:
            gap.record(tx, copy.table, CAPTURE_CHANGED, at=clock.now())
        if moved & {"linked", "link_attribute"}:
            outbox.forgive_refused(tx, copy.table)
        given_up = [mark for mark in before.get("marks") or [] if mark not in (now["marks"] or [])]
        if moved & {"linked", "link_attribute", "own", "deleted", "mark"} or given_up:
            gap.record(tx, copy.table, CONFIG_CHANGED, at=clock.now())
    copy.schema = schema
