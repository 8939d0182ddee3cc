"""`into` is changed for a copy that is there: its MySQL table is renamed, with all its rows and ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from twinrow.errors import StartRefused
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.schema.table import TableSchema
from twinrow.sink import by_hand, ddl, inspect
from twinrow.state import checkpoint, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.table.table import Table

PART: Final = "into"
"""The checkpoint that keeps the name that the table is about to get."""


def is_wanted(context: TableContext) -> bool:
    """Whether the copy has another name than the settings say."""
    return context.live.rest.into != context.settings.into


def refuse(context: TableContext) -> None:
    """Raise StartRefused where the table cannot get its new name."""
    if not is_wanted(context):
        return
    session, old, new = context.tenure.open_writer(), context.live.rest.into, context.settings.into
    found = inspect.columns(session, new)
    if not found or _was_renamed(session, context.name, old, new):
        return
    registered = next((known for known in tables.load_all(session) if known.into_table == new), None)
    owner = f"is the copy of {registered.table_name}" if registered else "was not made by Twinrow"
    raise StartRefused(
        f"`into` was {old!r} when the copy was made, and a table {new!r} {owner}", where=f"table {context.name}",
        remedy="set another `into`, or rename that table",
    )  # fmt: skip


def _was_renamed(session: Connection, table: str, old: str, new: str) -> bool:
    """Whether a run was killed between the rename and the note of it."""
    known = checkpoint.load(session, table, PART).get(PART)
    if known is None or known.position != new:
        return False
    return inspect.is_ours(inspect.columns(session, new)) and not inspect.is_ours(inspect.columns(session, old))


def apply(context: TableContext) -> None:
    """Give the table its new name, at once for every reader; the caller notes it with `settle`.

    Raises Transient where the table's lock cannot be had now.
    """
    old, new, writer = context.live.rest.into, context.settings.into, context.tenure.open_writer()
    if _was_renamed(writer, context.name, old, new):
        return
    by_hand.stop_changed(writer, context.live.rest)  # a table that is gone is told as that
    checkpoint.save(writer, context.name, {PART: Checkpoint(new)})
    with context.live.ddl_session() as session:
        ddl.run(session, f"RENAME TABLE {quote(old)} TO {quote(new)}")
    fail_point("after-rename")


def settle(tx: Connection, table: Table, schema: TableSchema) -> TableSchema:
    """The schema under the new name, noted in the caller's transaction."""
    new = table.settings.into
    tables.update(tx, table.name, into_table=new)
    checkpoint.forget(tx, table.name, PART)
    return replace(schema, into=new)


def statements_for_others(session: Connection, old: str, new: str) -> list[str]:
    """Statements of a person for users and views that name the old table, as far as this user can see them."""
    rights = session.query(
        "SELECT grantee, GROUP_CONCAT(privilege_type ORDER BY privilege_type SEPARATOR ', ') "
        "FROM information_schema.table_privileges WHERE table_schema = DATABASE() AND table_name = %s GROUP BY grantee",
        (old,),
    )
    views = session.query(
        "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE() "
        "AND LOCATE(%s, view_definition) > 0 ORDER BY table_name",
        (quote(old),),
    )
    lines = [f"GRANT {privileges} ON {quote(new)} TO {grantee}" for grantee, privileges in sorted(rights)]
    return lines + [f"DROP VIEW {quote(str(name))}" for (name,) in views]
