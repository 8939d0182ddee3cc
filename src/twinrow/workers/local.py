"""The name of a process as the holder of its leases, and the heartbeat that keeps them."""

from __future__ import annotations

import os
import socket
import uuid

from twinrow import clock
from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.state import lease
from twinrow.workers.shared import Shared

HEARTBEATS_A_LEASE = 5


def holder_name() -> str:
    """A name for this process as a lease's holder, like no other."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


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
