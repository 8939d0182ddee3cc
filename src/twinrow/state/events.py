"""`_twinrow_event`: what is known of the changes that AWS Lambda hands over for a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from twinrow.mysql import Connection

TABLE: Final = "_twinrow_event"


@dataclass(frozen=True, slots=True)
class EventNotes:
    """Times are epoch seconds of MySQL's clock, None while there was none.

    `source_arn`: the stream that the last event came from, "" where unknown. `event_at`: when that event came.
    `scheduled_at`: when the last scheduled run began. `mapping_id`, `mapping_state`: the event source mapping as Lambda
    described it last, "" where it was never asked; `mapping_at`: since when it hands changes over, or does not.
    """

    source_arn: str = ""
    event_at: float | None = None
    scheduled_at: float | None = None
    mapping_id: str = ""
    mapping_state: str = ""
    mapping_at: float | None = None


_COLUMNS: Final = tuple(field.name for field in fields(EventNotes))


def of(connection: Connection, table: str) -> EventNotes:
    """What is known of a table's events."""
    found = connection.query(f"SELECT {', '.join(_COLUMNS)} FROM {TABLE} WHERE table_name = %s", (table,))
    return EventNotes(*found[0]) if found else EventNotes()


def of_all(connection: Connection) -> dict[str, EventNotes]:
    """What is known of each table that has had an event or a scheduled run."""
    found = connection.query(f"SELECT table_name, {', '.join(_COLUMNS)} FROM {TABLE}")
    return {str(table): EventNotes(*values) for table, *values in found}


def note(tx: Connection, table: str, **values: str | float) -> None:
    """Set columns (names as in EventNotes)."""
    unknown = set(values) - set(_COLUMNS)
    if unknown:
        raise ValueError(f"no such column of {TABLE}: {unknown}")
    names = ", ".join(values)
    updates = ", ".join(f"{name} = VALUES({name})" for name in values)
    marks = ", ".join(["%s"] * (len(values) + 1))
    tx.execute(
        f"INSERT INTO {TABLE} (table_name, {names}) VALUES ({marks}) ON DUPLICATE KEY UPDATE {updates}",
        (table, *values.values()),
    )
