"""The page's view of a table beyond its status, read when asked for: schema, gaps, dead letters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twinrow.app.columns.apply import plain_type
from twinrow.change import without_seal
from twinrow.mysql import Connection
from twinrow.schema.table import from_json
from twinrow.state import dead_letter, gap, meta, outbox, schema_log, tables

GAPS_MAX = 50
REFUSALS_MAX = 50
DEAD_LETTERS_A_PAGE = 500
SCHEMA_CHANGES_MAX = 500


def table_detail(connection: Connection, table: str) -> dict[str, Any]:
    """Columns with their history, gaps and refused links; all empty for a table that was never copied."""
    known = tables.load(connection, table) if meta.installed(connection) else None
    if known is None:
        return {"table": table, "version": 0, "columns": [], "history": [], "gaps": [], "refusals": []}
    schema = from_json(known.table_schema)
    return {
        "table": table,
        "version": schema.version,
        "columns": [
            {
                "attribute": column.attribute, "column": column.column, "type": plain_type(column, connection.flavour),
                "key": column.key, "kind": column.kind, "overridden": column.overridden,
            }
            for column in schema.columns
        ],
        "history": [asdict(change) for change in schema_log.history(connection, table)[-SCHEMA_CHANGES_MAX:]],
        "gaps": [asdict(found_gap) for found_gap in gap.recent(connection, table, GAPS_MAX)],
        "refusals": [
            {"key": key, "reason": reason} for key, reason in outbox.refusals(connection, table, REFUSALS_MAX)
        ],
    }  # fmt: skip


def dead_letters(connection: Connection, table: str, after: int) -> dict[str, Any]:
    """A page of dead letters, without their items, whose ids are above `after`; `next` is None on the last page."""
    if not meta.installed(connection):
        return {"dead_letters": [], "next": None}
    found = dead_letter.headings(connection, table, after, DEAD_LETTERS_A_PAGE)
    more = len(found) == DEAD_LETTERS_A_PAGE
    return {"dead_letters": [asdict(letter) for letter in found], "next": found[-1].id if more else None}


def raw_item(connection: Connection, table: str, number: int) -> dict[str, Any] | None:
    """The parked item of a dead letter, in DynamoDB JSON; None when there is none of that id."""
    found = dead_letter.load(connection, [table], [number]) if meta.installed(connection) else []
    if not found:
        return None
    return {"id": number, "key": without_seal(found[0].key), "item": without_seal(found[0].item)}
