"""`_twinrow_member`: the processes that copy the tables of a configuration, each alive up to its deadline.

Members see each other's loads here and share the tables fairly. Nothing that is written hangs on it: leases alone say
who may write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from twinrow.mysql import Connection
from twinrow.state import lease

FORGOTTEN_AFTER_S: Final = 3600
"""A member that died is kept so long: nobody counts it, and somebody may look for its name."""
_ALIVE: Final = lease.IS_ALIVE.replace("h.", "m.")


@dataclass(frozen=True, slots=True)
class LivingMember:
    """A process: the weight and the number of the tables that it holds, and for how many it waits."""

    holder: str
    load: float
    held: int
    waits: int


def of_tables(tables: Iterable[str]) -> bytes:
    """The mark of a configuration, by the names of its tables: members share with their like alone."""
    return hashlib.sha256("\0".join(sorted(tables)).encode()).digest()[:16]


def beat(connection: Connection, member: LivingMember, group: bytes, lease_s: float) -> None:
    """Say that a process lives for the time of a lease, and how it stands."""
    connection.execute(
        "INSERT INTO _twinrow_member (holder, of_tables, deadline, weight, held, waits) "
        "VALUES (%s, %s, UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, %s, %s, %s) ON DUPLICATE KEY UPDATE "
        "of_tables = VALUES(of_tables), deadline = VALUES(deadline), weight = VALUES(weight), held = VALUES(held), "
        "waits = VALUES(waits)",
        (member.holder, group, int(lease_s * 1e6), member.load, member.held, member.waits),
    )


def living(connection: Connection, group: bytes | None = None) -> list[LivingMember]:
    """The members that live, of a configuration or of all."""
    found = connection.query(
        f"SELECT m.holder, m.weight, m.held, m.waits FROM _twinrow_member m WHERE {_ALIVE} "
        "AND (%s IS NULL OR m.of_tables = %s) ORDER BY m.holder",
        (group, group),
    )
    return [LivingMember(str(holder), float(load), int(held), int(waits)) for holder, load, held, waits in found]


def leave(connection: Connection, holder: str) -> None:
    """A process ends, and so do members that died long ago."""
    connection.execute(
        f"DELETE FROM _twinrow_member WHERE holder = %s OR deadline < UTC_TIMESTAMP(6) - INTERVAL {FORGOTTEN_AFTER_S} "
        "SECOND",
        (holder,),
    )
