"""`_twinrow_refusal`: why the start of a table that has no copy yet was refused; its first start forgets it."""

from __future__ import annotations

import json

from twinrow.errors import Reason
from twinrow.mysql import Connection
from twinrow.state.tables import commands_of


def note(connection: Connection, table: str, reason: Reason) -> None:
    """Keep the reason in place of an earlier reason."""
    connection.execute(
        "INSERT INTO _twinrow_refusal (table_name, reason, commands) VALUES (%s, %s, %s) "
        "ON DUPLICATE KEY UPDATE reason = VALUES(reason), commands = VALUES(commands)",
        (table, reason.text, json.dumps(reason.commands)),
    )


def forget(connection: Connection, table: str) -> None:
    """The table has been started."""
    connection.execute("DELETE FROM _twinrow_refusal WHERE table_name = %s", (table,))


def of_all(connection: Connection) -> dict[str, Reason]:
    """The reason of every table that was refused."""
    found = connection.query("SELECT table_name, reason, commands FROM _twinrow_refusal")
    return {str(table): Reason(reason, commands_of(commands)) for table, reason, commands in found}
