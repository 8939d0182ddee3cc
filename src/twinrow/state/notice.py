"""`_twinrow_notice`: the alarms that somebody has heard of, or is about to, so that each is sent once.

Processes stand by for each other, and start again: whoever writes an alarm down first tells it, and whoever takes it
away first tells its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.mysql import Connection


@dataclass(frozen=True, slots=True)
class Notice:
    """An alarm that is open: its table, its kind and its words."""

    table: str
    kind: str
    text: str


def open_notices(connection: Connection) -> list[Notice]:
    """All alarms that are open."""
    found = connection.query("SELECT table_name, kind, message FROM _twinrow_notice ORDER BY table_name, kind")
    return [Notice(*map(str, row)) for row in found]


def begin(connection: Connection, notice: Notice) -> bool:
    """Write the alarm down; whether it is this process that has to tell of it."""
    return (
        connection.execute(
            "INSERT IGNORE INTO _twinrow_notice (table_name, kind, message, claimed_at) "
            "VALUES (%s, %s, %s, UTC_TIMESTAMP(6))",
            (notice.table, notice.kind, notice.text),
        )
        > 0
    )


def note_sent(connection: Connection, table: str, kind: str) -> None:
    """The message about it went out."""
    connection.execute("UPDATE _twinrow_notice SET sent = 1 WHERE table_name = %s AND kind = %s", (table, kind))


def left(connection: Connection, after_s: float) -> list[Notice]:
    """Alarms whose process did not tell of them for so long: this process has to do it now."""
    found = connection.query(
        "SELECT table_name, kind, message, claimed_at FROM _twinrow_notice "
        "WHERE sent = 0 AND claimed_at < UTC_TIMESTAMP(6) - INTERVAL %s MICROSECOND",
        (int(after_s * 1_000_000),),
    )
    taken = []
    for table, kind, message, claimed_at in found:
        if connection.execute(
            "UPDATE _twinrow_notice SET claimed_at = UTC_TIMESTAMP(6) "
            "WHERE table_name = %s AND kind = %s AND sent = 0 AND claimed_at = %s",
            (table, kind, claimed_at),
        ):
            taken.append(Notice(str(table), str(kind), str(message)))
    return taken


def end(connection: Connection, table: str, kind: str) -> bool:
    """Take the alarm away; whether it is this process that has to tell that it is over."""
    return connection.execute("DELETE FROM _twinrow_notice WHERE table_name = %s AND kind = %s", (table, kind)) > 0
