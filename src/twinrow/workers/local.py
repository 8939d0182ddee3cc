"""All tables side by side in this process: a thread each, and one heartbeat for all their leases."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence

from twinrow import clock
from twinrow.clock import Stop
from twinrow.errors import TwinrowError, fault_of
from twinrow.mysql import Connection, MySQL
from twinrow.state import lease
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers.run import Outcome, Shared, TableRun

HEARTBEATS_A_LEASE = 5


def holder_name() -> str:
    """A name for this process as a lease's holder, like no other."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def run_tables(
    contexts: Sequence[TableContext],
    mysql: MySQL,
    *,
    once: bool,
    on_waiting: Callable[[str, str], None],
    on_start: Callable[[Mapping[str, TableRun]], None] = lambda runs: None,
    on_described: Callable[[TableDescription], None] = lambda description: None,
    on_end: Callable[[str, Outcome], None] = lambda table, outcome: None,
) -> dict[str, Outcome]:
    """Copy the tables until their stop is set (or once); how each ended. A broken table never stops the others.

    The callbacks only listen: to each table's waits, to its description before anything of it is read, and to its end.
    """
    shared = Shared(holder_name(), once, clock.boot_time(), on_waiting=on_waiting, on_described=on_described)
    outcomes: dict[str, Outcome] = {}
    runs = {context.name: TableRun(context, shared) for context in contexts}
    on_start(runs)

    def work(run: TableRun) -> None:
        try:
            outcomes[run.context.name] = run.run()
        except Exception as error:  # noqa: BLE001 - one table's fault must not stop the others; it is reported as its end
            outcomes[run.context.name] = Outcome(error=fault_of(error, run.context.name))
        on_end(run.context.name, outcomes[run.context.name])

    threads = [
        threading.Thread(target=work, args=(run,), name=f"table-{name}", daemon=True) for name, run in runs.items()
    ]
    over = Stop()
    beat = threading.Thread(target=heartbeat, args=(shared, mysql, over), name="heartbeat", daemon=True)
    beat.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    beat.join()
    return outcomes


def heartbeat(shared: Shared, mysql: MySQL, over: Stop) -> None:
    """Prolong all leases of this process; a lost lease is taken from its table, which then stands by."""
    session: Connection | None = None
    while not over.wait(mysql.lease_s / HEARTBEATS_A_LEASE):
        held = [(context, won) for context in list(shared.leases.values()) if (won := context.tenure.held) is not None]
        if not held:
            continue
        at = clock.boot_time()
        try:
            if session is None or not session.open:
                session = mysql.connect(read_timeout_s=mysql.lease_s)
            lost = lease.heartbeat(session, [won for _, won in held])
            session.read_clock()  # a failover may have brought another clock
        except TwinrowError as error:
            shared.on_waiting("", str(error))
            session = None
            continue
        for context, won in held:
            if context.tenure.held is not won:
                continue  # let go or won anew meanwhile
            if context.name in lost:
                shared.leases.pop(context.name, None)
            else:
                context.tenure.beaten(at)
    if session is not None:
        session.close()
