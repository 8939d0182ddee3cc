"""Pre-flight of a table's settings: do they fit its key, and what does a start do about changed ones?"""

from __future__ import annotations

from twinrow.app.check.finding import Finding
from twinrow.app.wiring import few_tries
from twinrow.errors import TwinrowError
from twinrow.state.tables import Registered
from twinrow.sync import changed_settings, start
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription

NAME = "settings"
IN_THE_CONFIGURATION = {
    "capture": "capture", "linked": "link", "link_attribute": "link_attribute", "overrides": "columns",
    "mark": "pending_index", "marks": "pending_index", "deleted": "pending_index",
    "protection": "protect",
    "where": "where",
}  # fmt: skip
"""The names of the entries of `changed_settings.summary` that a start applies."""


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
    difference = changed_settings.changed(context.settings, description, registered)
    names = sorted({word for name, word in IN_THE_CONFIGURATION.items() if name in difference.names})
    mended = "; rows that `where` leaves out go, without a read" if difference.rows_may_go else ""
    mended += "; a reconcile follows" if difference.gaps else ""
    if not names:
        return Finding(table, NAME, "ok", "as at the last start")
    return Finding(table, NAME, "ok", f"changed, applied at the next start: {', '.join(names)}{mended}")


def _refuse(context: TableContext, description: TableDescription, registered: Registered) -> None:
    try:
        context.live.load()
        changed_settings.refuse(context, description, registered)
    finally:
        context.tenure.close()
