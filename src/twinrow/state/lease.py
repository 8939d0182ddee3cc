"""The lease: who may write a table's rows. Safety rests on the fence alone, the heartbeat only says who is alive.

The heartbeat is a row of its own, because the lease's row stays locked during every writing transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinrow.clock import AHEAD_S_MAX
from twinrow.errors import LeaseLost, SchemaMoved, Transient
from twinrow.mysql import Connection, MySQLError
from twinrow.retry import BACK_OFF_S_MAX
from twinrow.state import meta

_SESSION_NAME = "CONCAT('twinrow ', %s, ' ', LEFT(SHA2(CONCAT(DATABASE(), '/', %s), 256), 32))"
"""The name of a holder's writing session, by fence and table; such locks are the whole server's, with 64 characters."""
_RECOUNT_NAME = "CONCAT('twinrow count ', LEFT(SHA2(CONCAT(DATABASE(), '/', %s), 256), 32))"
LEASE_S_MAX = 600
"""The longest lease that the configuration allows."""
IS_ALIVE = (
    "h.deadline > UTC_TIMESTAMP(6) "
    f"AND h.deadline < UTC_TIMESTAMP(6) + INTERVAL {LEASE_S_MAX + int(AHEAD_S_MAX)} SECOND"
)
"""SQL on a heartbeat `h`: a deadline further ahead was set while the server's clock was wrong, and shows no life."""
WAITS_S_MAX = 2 * BACK_OFF_S_MAX
"""A process that gave its lease back to wait counts as alive for at most this time.

It tries again within half of it.
"""
WAITS = (
    "h.waits_until > UTC_TIMESTAMP(6) "
    f"AND h.waits_until < UTC_TIMESTAMP(6) + INTERVAL {int(WAITS_S_MAX + AHEAD_S_MAX)} SECOND"
)
"""SQL on a heartbeat `h`: its process waits, and takes the lease again by itself."""
LEASES_A_STATEMENT_MAX = 500
CLAIM_WAIT_S = 1
"""A server needs a moment to notice that a session was closed, and to drop its locks."""
RECOUNT_WAIT_S = 60
"""A large table takes seconds to be counted."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a table's rows, as long as the fence in MySQL is still this fence.

    `taken_over`: the holder before did not let go in good order, so requests of it may still be under way.
    """

    table: str
    fence: int
    holder: str
    lease_s: float
    taken_over: bool


@dataclass(frozen=True, slots=True)
class Locked:
    """The lease's row under its lock: `generation` is this transaction's own number, never given twice."""

    generation: int
    schema_version: int
    row_count: int


def holder_of(connection: Connection, table: str) -> str | None:
    """The holder whose heartbeat is fresh, or None."""
    found = connection.query(
        "SELECT l.holder FROM _twinrow_lease l JOIN _twinrow_heartbeat h USING (table_name) "
        "WHERE l.table_name = %s AND h.fence = l.fence AND l.holder <> '' "
        f"AND {IS_ALIVE}",
        (table,),
    )
    return str(found[0][0]) if found else None


def enter(connection: Connection, table: str) -> None:
    """Make the table's lease row where there is none.

    An INSERT alone would wait for whoever has locked the row: a paused holder, whom only its successor's KILL ends.
    """
    if not connection.query("SELECT 1 FROM _twinrow_lease WHERE table_name = %s", (table,)):
        connection.execute("INSERT IGNORE INTO _twinrow_lease (table_name) VALUES (%s)", (table,))


def acquire(connection: Connection, table: str, holder: str, lease_s: float, *, for_run: bool = False) -> Lease | None:
    """Take the lease when nobody alive holds it; None when somebody does.

    `for_run`: a run begins with it, so the notes of the last run count no longer.

    Raises StartRefused when a newer Twinrow has migrated the state meanwhile.

    `holder` itself is nobody else: it asks because it could not let go, its connection was lost. Its name is its own
    (`workers.local.holder_name`), and whoever asks works under the former lease no more.

    The connections of a holder whose heartbeat stopped are killed first: paused inside a transaction it would keep
    the lease's row locked until the server ends its session (`wait_timeout` = the lease time).
    """
    if holder_of(connection, table) not in (None, holder):
        return None
    session = writing_session(connection, table)
    if session is not None:
        kill(connection, session)
    with connection.transaction() as tx:
        row = tx.query("SELECT fence, holder FROM _twinrow_lease WHERE table_name = %s FOR UPDATE", (table,))
        if not row or holder_of(tx, table) not in (None, holder):
            return None
        meta.refuse_another_version(tx)
        fence, before = int(row[0][0]) + 1, str(row[0][1])
        tx.execute(
            "UPDATE _twinrow_lease SET fence = %s, holder = %s, connection_id = 0 WHERE table_name = %s",
            (fence, holder, table),
        )
        tx.execute(
            f"INSERT INTO _twinrow_heartbeat (table_name, fence, deadline, {meta.KEEPS_OUT}) "
            "VALUES (%s, %s, UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, 1) "
            "ON DUPLICATE KEY UPDATE fence = VALUES(fence), deadline = VALUES(deadline), waits_until = NULL",
            (table, fence, int(lease_s * 1e6)),
        )
        # from here on no note of the holder before is taken (`tables.note`)
        begins = ", ended_at = NULL, begun_at = COALESCE(begun_at, UNIX_TIMESTAMP(NOW(6)))" if for_run else ""
        tx.execute(f"UPDATE _twinrow_table SET fence = %s{begins} WHERE table_name = %s", (fence, table))
    return Lease(table, fence, holder, lease_s, taken_over=before != "")


def kill(connection: Connection, connection_id: int) -> None:
    """End another session of this user; a session that is gone already is no error."""
    try:
        connection.execute(f"KILL {int(connection_id)}")
    except MySQLError as error:
        if error.code not in (1094, 1095):  # no such thread; a thread of another user, which wait_timeout will end
            raise


def claim(writer: Connection, lease: Lease) -> bool:
    """Tell which session writes, so that a successor can end it; whether it bears the mark now.

    It is not while a session that was lost a moment ago still bears the mark.

    The session is found again by a named lock that it holds: after a restart of the server its number is another's.
    The lock is not of a row: whoever is paused in a transaction has locked the lease's row.
    """
    return writer.query(f"SELECT GET_LOCK({_SESSION_NAME}, {CLAIM_WAIT_S})", (lease.fence, lease.table)) == [(1,)]


def disclaim(writer: Connection, lease: Lease) -> None:
    """The session writes for this lease no more: it may serve another table, and a successor leaves it alone."""
    writer.query(f"SELECT RELEASE_LOCK({_SESSION_NAME})", (lease.fence, lease.table))


def writing_session(connection: Connection, table: str) -> int | None:
    """The number of the session that writes for the table's holder; None while none does."""
    found = connection.query("SELECT fence FROM _twinrow_lease WHERE table_name = %s AND holder <> ''", (table,))
    if not found:
        return None
    session = connection.query(f"SELECT IS_USED_LOCK({_SESSION_NAME})", (found[0][0], table))[0][0]
    return int(session) if session is not None else None


def heartbeat(connection: Connection, leases: Sequence[Lease]) -> set[str]:
    """Prolong the leases, all at once; the tables whose lease is lost."""
    lost: set[str] = set()
    for first in range(0, len(leases), LEASES_A_STATEMENT_MAX):
        part = leases[first : first + LEASES_A_STATEMENT_MAX]
        names, pairs = ", ".join(["%s"] * len(part)), ", ".join(["(%s, %s)"] * len(part))
        tables = [lease.table for lease in part]
        connection.execute(
            "UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND "
            f"WHERE table_name IN ({names}) AND (table_name, fence) IN ({pairs})",
            (int(part[0].lease_s * 1e6), *tables, *(value for lease in part for value in (lease.table, lease.fence))),
        )
        rows = connection.query(
            f"SELECT table_name, fence FROM _twinrow_heartbeat WHERE table_name IN ({names})", tuple(tables)
        )
        found = {str(table): int(fence) for table, fence in rows}
        lost |= {lease.table for lease in part if found.get(lease.table) != lease.fence}
    return lost


def release(connection: Connection, lease: Lease, *, settled: bool, waits_for: str = "") -> None:
    """Let go, so that a successor starts at once.

    `settled` says that no request is under way and each answer is noted. Else the holder's name stays, and whoever is
    next knows that it takes over. `waits_for`: this process waits for that, and then takes the lease again.
    """
    if settled:
        connection.execute(
            "UPDATE _twinrow_lease SET holder = '', connection_id = 0 WHERE table_name = %s AND fence = %s",
            (lease.table, lease.fence),
        )
    waits = (
        f", waits_for = %s, waits_until = UTC_TIMESTAMP(6) + INTERVAL {int(WAITS_S_MAX)} SECOND" if waits_for else ""
    )
    # without the fence, a beat that is under way prolongs nothing: the table would look held for the time of a lease
    connection.execute(
        f"UPDATE _twinrow_heartbeat SET fence = 0, deadline = UTC_TIMESTAMP(6){waits} "
        "WHERE table_name = %s AND fence = %s",
        (*((waits_for,) if waits_for else ()), lease.table, lease.fence),
    )


def lock(tx: Connection, lease: Lease, schema_version: int | None) -> Locked:
    """Lock the lease's row inside a writing transaction; every transaction that changes rows begins with this.

    Raises LeaseLost when the fence moved on, SchemaMoved when rows were built under another schema version.
    """
    found = tx.query(
        "SELECT fence, generation, schema_version, row_count FROM _twinrow_lease WHERE table_name = %s FOR UPDATE",
        (lease.table,),
    )
    if not found or int(found[0][0]) != lease.fence:
        raise LeaseLost("another process took over", where=f"table {lease.table}")
    _, generation, version, rows = (int(cell) for cell in found[0])
    if schema_version is not None and version != schema_version:
        raise SchemaMoved("the schema moved on", where=f"table {lease.table}")
    return Locked(generation + 1, version, rows)


def keep_still(tx: Connection, table: str) -> int:
    """Lock the lease's row as writers do, so that nobody writes the table's rows; the last transaction's generation.

    For whoever only looks: nothing is written under it. Raises TransactionRetry when the lock is not free in time.
    """
    found = tx.query("SELECT generation FROM _twinrow_lease WHERE table_name = %s FOR UPDATE", (table,))
    return int(found[0][0]) if found else 0


def check(connection: Connection, lease: Lease, schema_version: int) -> None:
    """Raise LeaseLost or SchemaMoved as `lock` does, without its lock.

    For a caller whose other lock keeps writers away.
    """
    found = connection.query("SELECT fence, schema_version FROM _twinrow_lease WHERE table_name = %s", (lease.table,))
    if not found or int(found[0][0]) != lease.fence:
        raise LeaseLost("another process took over", where=f"table {lease.table}")
    if int(found[0][1]) != schema_version:
        raise SchemaMoved("the schema moved on", where=f"table {lease.table}")


def leave(tx: Connection, lease: Lease, locked: Locked, *, rows_delta: int) -> None:
    """Store the transaction's generation and the new number of rows, before the commit."""
    tx.execute(
        "UPDATE _twinrow_lease SET generation = %s, row_count = %s WHERE table_name = %s",
        (locked.generation, locked.row_count + rows_delta, lease.table),
    )


def last_held(connection: Connection, table: str) -> tuple[int, str, float | None]:
    """The fence, the holder that has not let go in good order ("" for none), and the seconds since its last beat."""
    found = connection.query(
        "SELECT l.fence, l.holder, TIMESTAMPDIFF(MICROSECOND, h.deadline, UTC_TIMESTAMP(6)) / 1e6 "
        "FROM _twinrow_lease l LEFT JOIN _twinrow_heartbeat h USING (table_name) WHERE l.table_name = %s",
        (table,),
    )
    if not found:
        return 0, "", None
    fence, holder, since_s = found[0]
    return int(fence), str(holder), float(since_s) if since_s is not None else None


def anyone_alive(connection: Connection) -> bool:
    """Whether a process that lives holds any table, or waits to take it again."""
    alive = (
        f"SELECT 1 FROM _twinrow_heartbeat h JOIN _twinrow_lease l USING (table_name) WHERE ({IS_ALIVE}) OR ({WAITS})"
    )
    return bool(connection.query(f"{alive} LIMIT 1"))


def generation(connection: Connection, table: str) -> int:
    """That of the last writing transaction; it never falls, unless MySQL itself went back."""
    found = connection.query("SELECT generation FROM _twinrow_lease WHERE table_name = %s", (table,))
    return int(found[0][0]) if found else 0


def raise_schema_version(tx: Connection, lease: Lease, version: int) -> None:
    """Make `version` the schema under which rows are written from now on."""
    tx.execute("UPDATE _twinrow_lease SET schema_version = %s WHERE table_name = %s", (version, lease.table))


def recount(connection: Connection, table: str, count_rows: str) -> int:
    """Set right a number of rows that hands put wrong (rows added or removed by SQL); by how much it was wrong.

    Number and rows are read of one moment and only the difference is applied, so that writers need not wait. One at a
    time: two that found the same difference would apply it twice. Raises Transient when another takes too long.
    """
    if connection.query(f"SELECT GET_LOCK({_RECOUNT_NAME}, %s)", (table, RECOUNT_WAIT_S)) != [(1,)]:
        raise Transient("its rows are being counted by another process", where=f"table {table}")
    try:
        with connection.snapshot() as moment:
            wrong = int(moment.query(count_rows)[0][0]) - row_count(moment, table)
        if wrong:
            connection.execute(
                "UPDATE _twinrow_lease SET row_count = row_count + %s WHERE table_name = %s", (wrong, table)
            )
    finally:
        if connection.open:  # a session that ended has let go of it
            connection.query(f"SELECT RELEASE_LOCK({_RECOUNT_NAME})", (table,))
    return wrong


def row_count(connection: Connection, table: str) -> int:
    """The number of rows, as the last writing transaction left it."""
    found = connection.query("SELECT row_count FROM _twinrow_lease WHERE table_name = %s", (table,))
    return int(found[0][0]) if found else 0
