"""Check that the DynamoDB table is still the table that was copied.

Another table of the same name (a wrong region, account or endpoint, or a table made anew) must not empty the copy
unasked. A table is known by its id, which DynamoDB gives to each table that is made, and by its ARN.
"""

from __future__ import annotations

from twinrow.errors import Broken
from twinrow.mysql import Connection
from twinrow.state import tables
from twinrow.state.tables import Registered
from twinrow.table.table import Table
from twinrow.table_description import TableDescription


def arn_of(registered: Registered) -> str:
    """The ARN of the table that was copied, "" where it is not known (a copy of an older Twinrow)."""
    if registered.source_arn:
        return registered.source_arn
    return registered.source_id if registered.source_id.startswith("arn:") else ""


def is_another(description: TableDescription, registered: Registered) -> bool:
    """Whether the described table differs from the table that was copied."""
    copied_id = "" if registered.source_id.startswith("arn:") else registered.source_id
    pairs = (copied_id, description.table_id), (arn_of(registered), description.arn)
    return any(all(pair) and pair[0] != pair[1] for pair in pairs)


def note(tx: Connection, table: str, description: TableDescription) -> None:
    """The described table is the copied table from now on."""
    tables.update(tx, table, source_arn=description.arn)


def refuse(description: TableDescription, registered: Registered, accepted: frozenset[str]) -> None:
    """Raise Broken for another table than the copied table, unless its ARN or id is `accepted`."""
    if not is_another(description, registered) or accepted & {
        description.arn,
        description.table_id,
    }:
        return
    wrong = f" (--accept-table-id names {', '.join(sorted(accepted))})" if accepted else ""
    accept = f"twinrow sync {registered.table_name} --accept-table-id {description.arn or description.table_id}"
    raise Broken(
        f"DynamoDB has another table of this name than the one that was copied: {_described(description)} now, "
        f"{arn_of(registered) or 'unknown ARN'} (id {registered.source_id}) before{wrong}",
        where=f"table {registered.table_name}",
        remedy=f"set region, endpoint_url and credentials right; or, to make MySQL equal to this table, {accept}",
        commands=(accept,),
    )


def look(session: Connection, table: Table, description: TableDescription | None = None) -> None:
    """Look again, where a table may have been exchanged below a sync that runs. Raises Broken; as `describe` does."""
    found = description or table.dynamodb.describe(table.name)
    registered = tables.load(session, table.name)
    if registered is not None:
        refuse(found, registered, frozenset())


def _described(description: TableDescription) -> str:
    return f"{description.arn} (id {description.table_id or 'unknown'})"
