"""The input of `schema --views`: JSON cells of the newest rows, within bounds of rows and bytes."""

from __future__ import annotations

import json

from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.schema.table import TableSchema
from twinrow.schema.views import views
from twinrow.state import tables

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


def statements(connection: Connection, schema: TableSchema) -> list[str]:
    """The views of a copied table; no view takes the name of another copy."""
    others = [registered.into_table for registered in tables.load_all(connection)]
    return views(schema, samples(connection, schema), connection.flavour, others)
