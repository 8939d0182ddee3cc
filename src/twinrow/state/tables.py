"""The register of copied tables: a row each, with the configuration it was copied under, schema, phase and lag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from twinrow.errors import Reason
from twinrow.mysql import Connection
from twinrow.state.lease import Lease

Phase = Literal["NEW", "SNAPSHOT", "CATCH_UP", "LIVE", "BROKEN", "GONE"]


@dataclass(frozen=True, slots=True)
class Registered:
    """A row of `_twinrow_table`; times are epoch seconds.

    `begun_at`: when the run under way began, None once it has read something. `ended_at`: when the last run ended in
    good order, None while a run is under way, and after a run that was killed or refused. `source_arn`: the ARN of the
    copied DynamoDB table, None where it is not known. `cell_rules`: the version of the rules by which all cells are
    written or noted, 0 for a Twinrow that kept no notes.
    """

    table_name: str
    into_table: str
    source_id: str
    config: str
    table_schema: str
    phase: Phase
    reason: str
    started_at: float
    snapshot_done_at: float | None
    caught_up_at: float
    read_at: float
    oldest_at: float | None
    backlog: int | None
    retention_left_s: float | None
    reconciled_at: float | None
    items: int | None
    verified: str | None
    counters: str | None
    begun_at: float | None = None
    ended_at: float | None = None
    reason_commands: str | None = None
    source_arn: str | None = None
    cell_rules: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration it was copied under."""
        return dict(json.loads(self.config))

    @property
    def is_split(self) -> bool:
        """Whether its rows are spread over several tables, with a directory of their ids."""
        return "split" in self.settings

    @property
    def why(self) -> Reason:
        """The reason with the commands that mend it."""
        return Reason(self.reason, commands_of(self.reason_commands))


def commands_of(document: str | None) -> tuple[str, ...]:
    """Commands as they are kept in a column; an earlier version kept none."""
    return tuple(json.loads(document)) if document else ()


def because(reason: Reason) -> dict[str, str]:
    """The columns of a reason, for `note` and `update`: text and commands are always set together."""
    return {"reason": reason.text, "reason_commands": json.dumps(reason.commands)}


_COLUMNS = tuple(field.name for field in fields(Registered))


def load(connection: Connection, table: str) -> Registered | None:
    """The registered table, or None when it was never copied into this database."""
    found = connection.query(f"SELECT {', '.join(_COLUMNS)} FROM _twinrow_table WHERE table_name = %s", (table,))
    return Registered(*found[0]) if found else None


def load_all(connection: Connection) -> list[Registered]:
    """Every registered table."""
    return [Registered(*row) for row in connection.query(f"SELECT {', '.join(_COLUMNS)} FROM _twinrow_table")]


def register(
    connection: Connection, table: str, into: str, source_id: str, config: str, schema: str, at: float
) -> None:
    """Enter a new table with its lease row; phase NEW."""
    connection.execute(
        "INSERT IGNORE INTO _twinrow_table (table_name, into_table, source_id, config, table_schema, phase, reason, "
        "started_at) VALUES (%s, %s, %s, %s, %s, 'NEW', '', %s)",
        (table, into, source_id, config, schema, at),
    )
    connection.execute("INSERT IGNORE INTO _twinrow_lease (table_name) VALUES (%s)", (table,))


def update(connection: Connection, table: str, **values: Any) -> None:
    """Set columns of the register (names as in Registered).

    For transactions that hold the lock of the lease, and for what no run writes; everything else is a `note`.
    """
    connection.execute(f"UPDATE _twinrow_table SET {_sets(values)} WHERE table_name = %s", (*values.values(), table))


def note_gone(connection: Connection, table: str, reason: Reason) -> None:
    """Remember that the DynamoDB table is gone; for a table that no process holds.

    NEW stays: the next start must know that the copy was not made yet.
    """
    values = {"phase": "GONE", "ended_at": None, **because(reason)}
    connection.execute(
        f"UPDATE _twinrow_table SET {_sets(values)} WHERE table_name = %s AND phase <> 'NEW'", (*values.values(), table)
    )


def note(connection: Connection, lease: Lease, **values: Any) -> None:
    """Set columns as `update` does, but not after the lease was lost.

    A process that was paused would else write its own phase and reason over those of its successor. The fence stands
    in the same row (`lease.acquire` raises it), so there is no moment between the look and the write.
    """
    connection.execute(
        f"UPDATE _twinrow_table SET {_sets(values)}, fence = %s WHERE table_name = %s AND fence <= %s",
        (*values.values(), lease.fence, lease.table, lease.fence),
    )


def _sets(values: Mapping[str, Any]) -> str:
    unknown = set(values) - set(_COLUMNS)
    if unknown:
        raise ValueError(f"no such column of _twinrow_table: {unknown}")
    return ", ".join(f"{name} = %s" for name in values)


STATE_OF_A_TABLE = (
    "_twinrow_checkpoint", "_twinrow_link", "_twinrow_recheck", "_twinrow_foreign_link", "_twinrow_tombstone",
    "_twinrow_dead_letter", "_twinrow_gap", "_twinrow_schema_log", "_twinrow_seen", "_twinrow_heartbeat",
    "_twinrow_deferred", "_twinrow_mixed", "_twinrow_event", "_twinrow_set_apart", "_twinrow_refusal",
    "_twinrow_notice", "_twinrow_since_gap", "_twinrow_reborn", "_twinrow_entity", "_twinrow_table",
)  # fmt: skip


def forget(tx: Connection, table: str, parts: Iterable[str] = STATE_OF_A_TABLE) -> None:
    """Delete all state of a table, but for its lease row: the fence goes on counting, so an old holder stays out."""
    for part in parts:
        tx.execute(f"DELETE FROM {part} WHERE table_name = %s", (table,))
    tx.execute("UPDATE _twinrow_lease SET row_count = 0 WHERE table_name = %s", (table,))
