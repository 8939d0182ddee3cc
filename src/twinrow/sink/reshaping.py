"""The ALTERs of a change of columns: working columns come, and take the place of the old ones by a single statement.

Readers see the old columns until that statement, which is atomic on both servers.
"""

from __future__ import annotations

from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.schema.column_type import render
from twinrow.schema.naming import quote
from twinrow.schema.reshape import NEW_EXTRA, WORKING_NAME, dropped
from twinrow.schema.table import Reshape, TableSchema
from twinrow.sink import ddl, inspect, statements


def working_columns(found: dict[str, inspect.FoundColumn]) -> list[str]:
    """Those columns of a table that a change works in."""
    return [name for name in found if name.startswith(WORKING_NAME)]


def clear(connection: Connection, into: str) -> None:
    """Drop the working columns of a change that was given up. Raises as `ddl.run`."""
    names = working_columns(inspect.columns(connection, into))
    if names:
        ddl.run(connection, f"ALTER TABLE {quote(into)} " + ", ".join(f"DROP COLUMN {quote(name)}" for name in names))


def add(connection: Connection, schema: TableSchema, reshape: Reshape) -> None:
    """Add the working columns, each behind the column that it will replace where the server does that at once.

    Working columns that are there are of a change that was given up. Raises as `ddl.run`.
    """
    clear(connection, schema.into)
    known, flavour = schema.by_attribute, connection.flavour
    adds, placed = [f"ADD COLUMN {_extra(NEW_EXTRA, flavour)}"], []
    for shadow in reshape.shadows:
        text = f"ADD COLUMN {quote(shadow.under)} {render(shadow.column.type, flavour)} NULL INVISIBLE"
        adds.append(text)
        placed.append(f"{text} AFTER {quote(known[shadow.column.attribute].column)}")
    head = f"ALTER TABLE {quote(schema.into)} "
    for parts, how in ((adds[:1] + placed, ", ALGORITHM=INSTANT"), (adds, ", ALGORITHM=INSTANT"), (adds, "")):
        try:
            ddl.run(connection, head + ", ".join(parts) + how)
        except MySQLError as error:
            if error.code not in ddl.NO_INSTANT_CODES or not how:
                raise
        else:
            return


def swap(connection: Connection, schema: TableSchema, indexes: list[str]) -> None:
    """Put the working columns in the place of the old ones; `indexes` of Twinrow's go, as they hold old columns.

    Raises as `ddl.run`.
    """
    if schema.reshape is None:
        return
    flavour = connection.flavour
    parts = [f"DROP INDEX {quote(name)}" for name in indexes]
    parts += [f"DROP COLUMN {quote(column.column)}" for column in dropped(schema)]
    parts.append("DROP COLUMN `_twinrow_extra`")
    parts += [
        f"CHANGE COLUMN {quote(shadow.under)} {statements.column_definition(shadow.column, flavour)}"
        for shadow in schema.reshape.shadows
    ]
    parts.append(f"CHANGE COLUMN {quote(NEW_EXTRA)} {_extra('_twinrow_extra', flavour)}")
    ddl.run(connection, f"ALTER TABLE {quote(schema.into)} " + ", ".join(parts))


def is_swapped(connection: Connection, schema: TableSchema) -> bool:
    """Whether the table has its new columns: no working column is left, and none of the columns that went."""
    found = inspect.columns(connection, schema.into)
    coming = {shadow.column.column: shadow.column for shadow in (schema.reshape.shadows if schema.reshape else ())}
    gone = [column.column for column in dropped(schema) if column.column not in coming]
    return (
        not working_columns(found)
        and not any(name in found for name in gone)
        and all(name in found and found[name].is_of(new.type, connection.flavour) for name, new in coming.items())
    )


def _extra(name: str, flavour: Flavour) -> str:
    return statements.own_definitions(flavour)["_twinrow_extra"].replace("`_twinrow_extra`", quote(name), 1)


def indexes_with(connection: Connection, table: str, columns: list[str]) -> list[str]:
    """The indexes of a table that hold any of these columns, by name."""
    if not columns:
        return []
    marks = ", ".join(["%s"] * len(columns))
    found = connection.query(
        "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
        f"AND table_name = %s AND column_name IN ({marks}) ORDER BY index_name",
        (table, *columns),
    )
    return [str(name) for (name,) in found]


def rename_columns(connection: Connection, into: str, renames: tuple[tuple[str, str], ...]) -> None:
    """Give columns other names, at once for every reader; those that have them are passed over. Raises as `ddl.run`."""
    found = inspect.columns(connection, into)
    left = [(now, wanted) for now, wanted in renames if wanted not in found]
    if left:
        parts = ", ".join(f"RENAME COLUMN {quote(now)} TO {quote(wanted)}" for now, wanted in left)
        ddl.run(connection, f"ALTER TABLE {quote(into)} {parts}")
