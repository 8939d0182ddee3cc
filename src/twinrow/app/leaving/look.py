"""The parts of a table on both sides, before it is left: reads only, within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twinrow.app.leaving.items import patiently
from twinrow.app.leaving.plan import LeftTable, Pending
from twinrow.app.wiring import few_tries
from twinrow.dynamodb import budgeted
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.mysql import Connection
from twinrow.sink import inspect
from twinrow.state import dead_letter, entity, lease, made, meta, outbox, tables
from twinrow.table.table import Table
from twinrow.table_description import TableDescription

PAGES_COUNTED_MAX = 5
"""Pages of marked items that are counted, of up to 1 MB each; beyond that only "more than" is said."""
BACKUPS_ON = "ENABLED"


def look(session: Connection, table: Table) -> LeftTable:
    """The parts that exist.

    Raises StartRefused when another version of Twinrow wrote the state, and the servers' errors.
    """
    name, settings = table.name, table.settings
    has_state = meta.check_version(session) and not is_half_dropped(meta.tables_there(session))
    known = tables.load(session, name) if has_state else None
    into = known.into_table if known is not None else settings.into
    columns = few_tries(lambda: inspect.columns(session, into))
    description = _describe(table)
    noted = tuple(made.of(session, name))
    return LeftTable(
        table=name,
        into=into,
        others_into=entity.tables_of(session, known)[1:] if known is not None else (),
        description=description,
        rows=lease.row_count(session, name) if known is not None else None,
        is_there=bool(columns),
        is_ours=inspect.is_ours(columns),
        link_attribute=settings.link_attribute if settings.link_attribute in settings.own else None,
        mark_attribute=settings.pending.attribute if settings.pending is not None else None,
        index=settings.pending.index if settings.pending is not None else None,
        marks=_pending(table, description),
        pending_links=outbox.count(session, name)[0] if known is not None else 0,
        dead_letters=dead_letter.count(session, name) if known is not None else 0,
        pitr_on=_pitr_on(table, description, noted=any(thing.what == "pitr" for thing in noted)),
        made=noted,
        others=tuple(other.table_name for other in tables.load_all(session) if other.table_name != name)
        if has_state
        else (),
        holder=lease.holder_of(session, name) if has_state else None,
        destination=next((thing.name for thing in noted if thing.what == "destination"), None),
    )


def is_half_dropped(there: Sequence[str]) -> bool:
    """Whether the state's tables were being dropped when that was interrupted: the first is gone, the last is not."""
    return "_twinrow_meta" in there and "_twinrow_table" not in there


def _describe(table: Table) -> TableDescription | None:
    """The table, with both budgets set by it; None where DynamoDB has none of that name."""
    try:
        return few_tries(table.describe)
    except DynamoDBError as error:
        if error.code == NO_SUCH_TABLE:
            return None
        raise


def _pending(table: Table, description: TableDescription | None) -> Pending:
    """How many items wait with a mark, as the index shows them; a mark of theirs stands for a write not copied yet."""
    pending = table.settings.pending
    index = description.index(pending.index) if description is not None and pending is not None else None
    if pending is None or index is None or index.status == "DELETING" or not table.settings.traits.carries_marks:
        return Pending()
    items = pages = 0
    for mark in pending.marks:
        start = None
        while pages < PAGES_COUNTED_MAX:
            read = partial(table.dynamodb.query_page, table.name, pending.index, pending.attribute, mark, start, None)
            page = patiently(partial(budgeted, read, table.read_budget, table.stop), table.stop)
            pages += 1
            items, start = items + len(page.items), page.next_key
            if start is None:
                break
        if start is not None:
            return Pending(items, more=True)
    return Pending(items, more=pages >= PAGES_COUNTED_MAX)


def _pitr_on(table: Table, description: TableDescription | None, *, noted: bool) -> bool:
    """Whether point-in-time recovery is on; asked for only where Twinrow has turned it on, for it takes a right."""
    if description is None or not noted:
        return False
    answer = table.dynamodb.call("describe_continuous_backups", where=f"table {table.name}", TableName=table.name)
    recovery = (answer.get("ContinuousBackupsDescription") or {}).get("PointInTimeRecoveryDescription") or {}
    return bool(recovery.get("PointInTimeRecoveryStatus") == BACKUPS_ON)
