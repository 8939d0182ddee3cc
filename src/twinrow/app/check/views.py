"""Pre-flight of the views that Twinrow has made: can they be read, with the rights of their definer?"""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.mysql import Connection, MySQLError
from twinrow.schema.naming import quote
from twinrow.sync.views import noted
from twinrow.table.settings import Settings

NAME = "views"


def look(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """The finding about the views of a table; each is read, and no row of it is fetched."""
    names, table = sorted(noted(connection, settings.table)), settings.table
    failing = False
    for name in names:
        try:
            connection.query(f"SELECT 1 FROM {quote(name)} LIMIT 0")
        except MySQLError as error:
            failing = True
            yield Finding(
                table, NAME, "warning", f"`{name}` cannot be read: {error.what}",
                f"twinrow schema {table} --views --apply, as the user of mysql.url",
            )  # fmt: skip
    if not failing:
        made = f"{len(names)} can be read" if names else "to be made by the next sync"
        yield Finding(table, NAME, "ok", made)
