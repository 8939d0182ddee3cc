"""Pre-flight of a table's settings: do they fit its key, and what does a start do about changed ones?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twinrow.app.check.finding import Finding
from twinrow.app.wiring import few_tries
from twinrow.errors import TwinrowError
from twinrow.state import lease
from twinrow.state.tables import Registered
from twinrow.sync import changed_columns, changed_into, changed_settings, start
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription

NAME = "settings"
IN_THE_CONFIGURATION = {
    "capture": "capture", "linked": "link", "link_attribute": "link_attribute", "overrides": "columns",
    "into": "into", "index": "index", "mark": "pending_index", "marks": "pending_index", "deleted": "pending_index",
    "protection": "protect",
    "where": "where",
}  # fmt: skip
"""The names of the entries of `changed_settings.summary` that a start applies."""


ROWS_A_S: Final = 5_000
"""Rows that a pass inside MySQL rebuilds in a second, reckoned: between a near and a far server."""


def look(context: TableContext, description: TableDescription, registered: Registered | None) -> Finding:
    """The answer of a start to the settings.

    `registered` is the copy as it was at its last start, if there is a copy.
    """
    table = context.name
    try:
        start.check_settings(context.settings, description)
        if registered is None or registered.phase == "NEW":
            return Finding(table, NAME, "ok", "they fit the table's key")
        few_tries(lambda: _refuse(context, description, registered))
    except TwinrowError as error:
        return Finding(table, NAME, "error", error.what, error.remedy)
    changed = few_tries(lambda: _changed(context, description, registered))
    difference, parts = changed.difference, changed.parts
    names = sorted({word for name, word in IN_THE_CONFIGURATION.items() if name in difference.names} | {*parts})
    mended = "; rows that `where` leaves out go, without a read" if difference.rows_may_go else ""
    mended += "; a reconcile follows" if difference.gaps or changed.fetches else ""
    if not names:
        return Finding(table, NAME, "ok", "as at the last start")
    details = "".join(f"; {text}" for texts in parts.values() for text in texts)
    text = f"changed, applied at the next start: {', '.join(names)}{details}{mended}"
    return Finding(table, NAME, "ok", text, changed.remedy)


@dataclass(frozen=True, slots=True)
class _Changed:
    """A start's answer to the settings: `parts` are texts by the setting that was changed."""

    difference: changed_settings.ChangedSettings
    parts: Mapping[str, Sequence[str]]
    fetches: bool = False
    remedy: str = ""


def _changed(context: TableContext, description: TableDescription, registered: Registered) -> _Changed:
    try:
        session = context.tenure.open_writer()
        context.live.load()
        difference = changed_settings.changed(context.settings, description, registered)
        schema, parts, remedy = context.live.rest, dict[str, list[str]](), ""
        if changed_into.is_wanted(context):
            new = context.settings.into
            parts["into"] = [f"`{schema.into}` becomes `{new}`, by one statement"]
            others = changed_into.statements_for_others(session, schema.into, new)
            remedy = "; ".join(["afterwards, for users and views that name the old table", *others]) if others else ""
        change = changed_columns.wanted(context)
        if change is not None:
            parts["columns"] = [effect.text for effect in changed_columns.effects(schema, change)]
            if change.schema.reshape is not None:
                rows = lease.row_count(session, context.name)
                seconds = max(1, round(rows / ROWS_A_S))
                parts["columns"].append(
                    f"a pass inside MySQL over {rows:,} rows, about {seconds:,} s, in which readers see the old columns"
                )
        elif schema.reshape is not None:
            parts["columns"] = ["a pass inside MySQL is under way"]
        return _Changed(difference, parts, bool(change and change.fetched), remedy)
    finally:
        context.tenure.close()


def _refuse(context: TableContext, description: TableDescription, registered: Registered) -> None:
    try:
        context.live.load()
        changed_settings.refuse(context, description, registered)
    finally:
        context.tenure.close()
