"""Checkpoints: positions made durable in the transaction of the rows that came from before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from twinrow.mysql import Connection

RECONCILE_BEGUN = "reconcile:pass"
"""The pass under way: when it began, and as `info` the number of the newest gap that it mends."""

FILL: Final = "export:gap"
"""Checkpoints of exports that fill gaps: the plan, and how far the files of a window are read."""
FILL_JOB: Final = f"{FILL}:job"
FILL_FILES: Final = f"{FILL}:files:"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one part (`segment:3/8`, `shard:…`, `reconcile:0/4`) of a table was read.

    `position` is the source's own text (a LastEvaluatedKey, a sequence number), None at the very start; `read_at` the
    epoch second of the last reading; `info` what else the part's owner needs, as JSON.
    """

    position: str | None = None
    done: bool = False
    read_at: float = 0.0
    info: str | None = None


def save(tx: Connection, table: str, parts: Mapping[str, Checkpoint]) -> None:
    """Store checkpoints of several parts."""
    if not parts:
        return
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(parts))
    args = [
        value
        for part, checkpoint in parts.items()
        for value in (table, part, checkpoint.position, int(checkpoint.done), checkpoint.read_at, checkpoint.info)
    ]
    tx.execute(
        f"INSERT INTO _twinrow_checkpoint (table_name, part, position, done, read_at, info) VALUES {rows} "
        "ON DUPLICATE KEY UPDATE position = VALUES(position), done = VALUES(done), read_at = VALUES(read_at), "
        "info = VALUES(info)",
        args,
    )


def load(connection: Connection, table: str, prefix: str) -> dict[str, Checkpoint]:
    """Every part whose name begins with `prefix`."""
    found = connection.query(
        "SELECT part, position, done, read_at, info FROM _twinrow_checkpoint "
        "WHERE table_name = %s AND LEFT(part, %s) = %s",
        (table, len(prefix), prefix),
    )
    return {str(part): Checkpoint(position, bool(done), float(at), info) for part, position, done, at, info in found}


def forget(tx: Connection, table: str, prefix: str) -> None:
    """Drop every part whose name begins with `prefix`."""
    tx.execute(
        "DELETE FROM _twinrow_checkpoint WHERE table_name = %s AND LEFT(part, %s) = %s", (table, len(prefix), prefix)
    )
