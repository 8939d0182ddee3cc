"""The numbers of rows of a copy, set right by counting the rows themselves."""

from __future__ import annotations

from twinrow.mysql import Connection
from twinrow.sink import statements
from twinrow.state import entity, lease
from twinrow.table.catalogue import Catalogue


def recount(connection: Connection, table: str, catalogue: Catalogue) -> int:
    """Set right what hands put wrong; by how many rows the number of all was wrong. Raises as `lease.recount`."""
    wrong = lease.recount(connection, table, statements.sum_of(map(statements.count_rows, catalogue.tables)))
    if catalogue.is_split:
        for schema in catalogue.tables:
            entity.recount(connection, table, schema.number, statements.count_rows(schema))
    return wrong


def count_kept(connection: Connection, catalogue: Catalogue) -> int:
    """How many rows are kept though their items are deleted."""
    return int(connection.query(statements.sum_of(map(statements.count_kept, catalogue.tables)))[0][0])
