"""The lease of one table while this process holds it, and the session that writes under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from twinrow import clock
from twinrow.dynamodb import LINK_TIMEOUT_S
from twinrow.errors import LeaseLost, TwinrowError
from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQL
from twinrow.state import lease
from twinrow.state.lease import Lease, Locked

LEASE_MARGIN_S: Final = 0.5
"""A link call is not sent so close to the end of the lease: clocks and threads are not exact."""


class Tenure:
    """The lease of a table and its writing session, which the table's own thread alone uses.

    Heartbeats prolong the lease, and the threads that settle links ask whether it is held, from threads of their own.
    """

    def __init__(self, table: str, mysql: MySQL) -> None:
        self._table = table
        self._mysql = mysql
        self._lease: Lease | None = None
        self._held_until = 0.0
        self._writer: Connection | None = None
        self._claimed: Connection | None = None
        self._generation = 0

    @property
    def lease(self) -> Lease:
        """The lease. Raises LeaseLost when none is held."""
        if self._lease is None:
            raise LeaseLost("no lease is held", where=f"table {self._table}")
        return self._lease

    @property
    def held(self) -> Lease | None:
        """The lease, or None."""
        return self._lease

    def hold(self, won: Lease, at: float) -> None:
        """Take note of a lease asked for at `at` (`clock.boot_time`) and won; a session of its own writes under it."""
        self.close()
        self._lease = won
        self._held_until = at + won.lease_s

    def let_go(self) -> None:
        """Hold no lease any more; the session that wrote under it ends."""
        self._lease = None
        self._held_until = 0.0
        self.close()

    def beaten(self, at: float) -> None:
        """A heartbeat sent at `at` (`clock.boot_time`) got through."""
        if self._lease is not None:
            self._held_until = at + self._lease.lease_s

    def may_call(self) -> bool:
        """Whether the lease outlasts a link call sent now; else it is not sent: a successor could be ahead of it."""
        return self._lease is not None and clock.boot_time() + LINK_TIMEOUT_S + LEASE_MARGIN_S < self._held_until

    def may_write(self) -> bool:
        """Whether this process still believes that it holds the lease."""
        return self._lease is not None and clock.boot_time() < self._held_until

    @property
    def generation(self) -> int:
        """The highest generation that this process knows as committed."""
        return self._generation

    def committed(self, generation: int) -> None:
        """A transaction of this generation is committed, by this process or by a holder that it waited for."""
        self._generation = max(self._generation, generation)

    def began_at(self, generation: int) -> None:
        """The run begins at the generation that MySQL has, which is lower than before where MySQL went back."""
        self._generation = generation

    def open_writer(self) -> Connection:
        """The writing session, taken from the pool where none is held; by the table's own thread alone."""
        writer = self._writer
        if writer is not None and (not writer.open or self._mysql.pool.stale(writer)):
            self.close()
            writer = None
        if writer is None:
            writer = self._writer = self._mysql.pool.take()
        return writer

    def _claimed_writer(self) -> Connection:
        """The writing session, marked as that of this lease: a successor ends it, and no other session."""
        writer = self.open_writer()
        if self._claimed is not writer and self._lease is not None and lease.claim(writer, self._lease):
            self._claimed = writer
        return writer

    def rest(self) -> None:
        """Give the writing session back until it is needed again: an idle table holds none."""
        writer = self._writer
        if writer is None:
            return
        if self._claimed is writer and writer.open and self._lease is not None:
            try:
                lease.disclaim(writer, self._lease)
            except TwinrowError:
                writer.close()  # a session that may still bear the mark of this table is lent to no other
        self._writer = self._claimed = None
        self._mysql.pool.give(writer)

    @property
    def is_wanted(self) -> bool:
        """Whether other tables wait for a session."""
        return self._mysql.pool.is_wanted

    def flavour(self) -> Flavour:
        """MySQL or MariaDB, as the writing session knows it."""
        return self.open_writer().flavour

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of the writing session under the lease's lock. Raises LeaseLost."""
        with self._claimed_writer().transaction() as tx:
            lease.lock(tx, self.lease, None)
            yield tx

    @contextmanager
    def row_transaction(self, schema_version: int) -> Iterator[tuple[Connection, Locked]]:
        """The same for rows made under a schema. Raises SchemaMoved where that is not the schema of today."""
        with self._claimed_writer().transaction() as tx:
            yield tx, lease.lock(tx, self.lease, schema_version)

    def close(self) -> None:
        """End the writing session."""
        writer, self._writer, self._claimed = self._writer, None, None
        if writer is not None:
            writer.close()
            self._mysql.pool.give(writer)
