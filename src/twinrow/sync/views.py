"""The views of a copy: made from JSON cells of its newest rows, within bounds of rows and bytes, and kept up to date.

A view that Twinrow makes is noted in `_twinrow_made`; only such a view is ever dropped.
"""

from __future__ import annotations

import json
from typing import Final

from twinrow import clock
from twinrow.errors import Reason
from twinrow.mysql import Connection, MySQLError
from twinrow.schema.naming import quote
from twinrow.schema.table import TableSchema
from twinrow.schema.views import View, views
from twinrow.state import made, tables
from twinrow.state.made import MadeKind
from twinrow.table.context import TableContext

KIND: Final[MadeKind] = "mysql-view"
LOOK_EVERY_S: Final = 3_600.0
"""New keys inside maps are looked for so often: it reads up to 5,000 rows."""
RETRY_S: Final = 60.0
ROWS_LOOKED_AT_MAX = 5_000
ROWS_A_PAGE = 50
BYTES_LOOKED_AT_MAX = 32_000_000


def samples(connection: Connection, schema: TableSchema) -> dict[str, list[object]]:
    """JSON cells of the newest rows by attribute, parsed; at most ROWS_LOOKED_AT_MAX rows or BYTES_LOOKED_AT_MAX."""
    wanted = [column for column in schema.columns if column.type.name == "JSON"]
    found: dict[str, list[object]] = {column.attribute: [] for column in wanted}
    if not wanted:
        return found
    names = ", ".join(quote(column.column) for column in wanted)
    sql = (
        f"SELECT row_id, {names} FROM {quote(schema.into)} WHERE row_id < %s "
        f"ORDER BY row_id DESC LIMIT {ROWS_A_PAGE}"
    )  # fmt: skip
    before, rows, size = 2**63, 0, 0
    while rows < ROWS_LOOKED_AT_MAX and size < BYTES_LOOKED_AT_MAX:
        page = connection.query(sql, (before,))
        if not page:
            break
        before, rows = page[-1][0], rows + len(page)
        for row in page:
            for column, cell in zip(wanted, row[1:], strict=True):
                if cell is not None:
                    size += len(cell)
                    found[column.attribute].append(json.loads(cell))
    return found


def wanted(connection: Connection, schema: TableSchema, *, definer: bool) -> list[View]:
    """The views of a copied table; no view takes the name of another copy. `definer`: with the rights of its maker."""
    others = [registered.into_table for registered in tables.load_all(connection)]
    return views(schema, samples(connection, schema), connection.flavour, others, definer=definer)


def noted(connection: Connection, table: str) -> frozenset[str]:
    """The names of the views that Twinrow has made for a table."""
    return frozenset(thing.name for thing in made.of(connection, table) if thing.what == KIND)


def apply(connection: Connection, schema: TableSchema, *, takes_over: bool) -> list[str]:
    """Make the views of a table, drop those of Twinrow's that are wanted no more, and return the names that are made.

    `takes_over`: a view of such a name that somebody else made is replaced; without it, it stays. Raises MySQLError.
    """
    chosen, ours = wanted(connection, schema, definer=True), noted(connection, schema.table)
    there = _views_there(connection)
    names = []
    for view in chosen:
        if view.name in there and view.name not in ours and not takes_over:
            continue
        made.note(connection, schema.table, KIND, view.name, "")  # before it is there: else nobody drops it
        connection.execute(view.sql)
        names.append(view.name)
    for name in sorted(ours - {view.name for view in chosen}):
        connection.execute(f"DROP VIEW IF EXISTS {quote(name)}")
        made.forget_thing(connection, schema.table, KIND, name)
    return names


def _views_there(connection: Connection) -> frozenset[str]:
    found = connection.query("SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()")
    return frozenset(str(name) for (name,) in found)


class ViewsKept:
    """Keeps the views of a table up to date, where its settings ask for it."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._version = -1
        self._look_at = 0.0
        self._last: tuple[str, ...] = ()
        self.trouble = Reason()

    def step(self) -> bool:
        """Make the views anew where the table or its maps have other keys; whether there was anything to do."""
        context, now = self._context, clock.monotonic()
        if not context.settings.views or context.state.first_copy:
            return False
        if now < self._look_at and (self._version == context.live.version or self.trouble):
            return False
        self._version, self._look_at = context.live.version, now + LOOK_EVERY_S
        session, schema = context.tenure.open_writer(), context.live.rest
        try:
            chosen = tuple(view.sql for view in wanted(session, schema, definer=True))
            if chosen == self._last and not self.trouble:
                return False
            apply(session, schema, takes_over=False)
        except MySQLError as error:  # no row hangs on it
            self.trouble = Reason(f"the views cannot be made: {error.what}")
            self._look_at = now + RETRY_S
            return False
        self._last, self.trouble = chosen, Reason()
        return True
