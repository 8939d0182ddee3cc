"""One table held by a command that ends by itself: schema changes, resets, and rechecks while no sync runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from twinrow import clock
from twinrow.clock import Stop
from twinrow.errors import StartRefused, Transient
from twinrow.link import due
from twinrow.link.threads import Linker
from twinrow.mysql import MySQL
from twinrow.state import lease, meta, recheck
from twinrow.sync import start
from twinrow.sync.pace import IDLE_S
from twinrow.sync.recheck import recheck_some
from twinrow.sync.table_work import DUE_LINKS_MAX
from twinrow.table.context import TableContext
from twinrow.workers.local import heartbeat, holder_name
from twinrow.workers.shared import Shared

DRAIN_S_MAX = 60.0


@contextmanager
def held(context: TableContext, mysql: MySQL) -> Iterator[TableContext]:
    """Hold the table's lease, kept alive meanwhile. Raises StartRefused when a process that lives holds it."""
    session = mysql.connect()
    meta.install(session)
    lease.enter(session, context.name)
    at = clock.boot_time()
    won = lease.acquire(session, context.name, holder_name(), mysql.lease_s)
    if won is None:
        holder = lease.holder_of(session, context.name) or "another process"
        session.close()
        raise StartRefused(
            f"is being copied by {holder}", where=f"table {context.name}",
            remedy=f"stop that `twinrow sync` first; a killed sync lets go after {mysql.lease_s:g} s",
        )  # fmt: skip
    context.tenure.hold(won, at)
    over = Stop()
    shared = Shared(won.holder, True, clock.boot_time(), leases={context.name: context})
    beat = threading.Thread(target=heartbeat, args=(shared, mysql, over), name="heartbeat", daemon=True)
    beat.start()
    settled = False
    try:
        if won.taken_over:
            due.recheck_unfinished_late(context.tenure.open_writer(), context.name)
        yield context
        settled = True
    finally:
        over.set()
        beat.join()
        context.tenure.let_go()
        mysql.pool.close()  # who waits long for the next event may find them ended by the server
        if session.open:
            lease.release(session, won, settled=settled)
            session.close()


def work_off_rechecks(context: TableContext, mysql: MySQL, stop: Stop) -> None:
    """Bring waiting rechecks of a copied table to their end, links included. Raises StartRefused, Transient, Broken."""
    with held(context, mysql):
        start.open_table(context, mending=True)
        linker = Linker(context.table, context.tenure, context.counters, context.ids.foreign)
        try:
            while not stop and recheck.count(context.tenure.open_writer(), context.name):
                worked, applied = recheck_some(context, linker.in_flight())
                if applied is not None:
                    linker.submit(applied.debts)
                if not worked:
                    stop.wait(IDLE_S)
                if not recheck.count(context.tenure.open_writer(), context.name) and not linker.drain(DRAIN_S_MAX):
                    raise Transient("DynamoDB does not answer link writes", where=f"table {context.name}")
            while not stop and due.send_due(
                context.tenure.open_writer(), context.name, linker, DUE_LINKS_MAX
            ):  # more than are held in memory
                linker.drain(DRAIN_S_MAX)
        finally:
            linker.close()
        linker.raise_failure()
