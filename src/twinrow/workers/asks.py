"""The questions that all tables of a process share: a thread asks MySQL what is due, and which tables are free."""

from __future__ import annotations

from typing import Final

from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.state import asked
from twinrow.workers.run import Shared, StandingBy

ASK_EVERY_S: Final = 0.5
"""Work that another process enters, and a lease that somebody lets go, are noticed after at most this time."""


def ask(shared: Shared, mysql: MySQL, over: Stop) -> None:
    """Ask until `over`, and ring the bell of each table for which an answer is news.

    While MySQL does not answer, each table looks for itself: it then meets the trouble, or finds its work.
    """
    session: Connection | None = None
    while not over.wait(ASK_EVERY_S):
        held, waiting = list(shared.leases), dict(shared.waiting)
        if not held and not waiting:
            continue
        try:
            if session is None or not session.open:
                session = mysql.connect(read_timeout_s=mysql.lease_s)
            _ask_due(shared, session, held)
            _ask_free(shared, session, waiting)
        except TwinrowError:
            session = None
            for table in held:
                shared.due(table).update(asked.DUE_KINDS)
            for table in waiting:
                shared.ring(table)
    if session is not None:
        session.close()


def _ask_due(shared: Shared, session: Connection, held: list[str]) -> None:
    if not held:
        return
    for table, kinds in asked.due_work(session, held).items():
        if kinds:
            shared.due(table).update(kinds)
            shared.ring(table)


def _ask_free(shared: Shared, session: Connection, waiting: dict[str, StandingBy]) -> None:
    if not waiting:
        return
    answers = asked.awaited(session, list(waiting))
    for table, standing in waiting.items():
        standing.answer = answers.get(table, asked.UNKNOWN)
        shared.ring(table)
