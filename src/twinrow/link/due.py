"""Links that wait in the outbox: those that are due, those left there for want of room, those of an earlier run."""

from __future__ import annotations

from twinrow.link.settle import LATE_RECHECK_S
from twinrow.link.threads import Linker
from twinrow.mysql import Connection
from twinrow.state import outbox


def send_due(session: Connection, table: str, linker: Linker, limit: int) -> int:
    """Send links of the outbox whose time has come and whose call is not under way; how many."""
    known = linker.known()
    due = outbox.due(session, table, session.now(), limit)
    ready = [link for link in due if link.key_hash not in known]
    linker.submit(ready)
    return len(ready)


def send_left_marks(session: Connection, table: str, linker: Linker, limit: int) -> int:
    """Send the next marks that were left to the outbox, by a walk over it from `left_after` on; how many."""
    due = outbox.due_marks(session, table, session.now(), linker.left_after, limit)
    linker.walked(due, is_last=len(due) < limit)
    known = linker.known()
    ready = [link for link in due if link.key_hash not in known]
    linker.submit(ready)
    return len(ready)


def recheck_unfinished(session: Connection, table: str) -> None:
    """On start nobody knows what became of the calls for the links in the outbox: all of them are rechecked."""
    outbox.to_recheck(session, table, "unfinished link", late=False, due_at=0.0)


def recheck_unfinished_late(session: Connection, table: str) -> None:
    """On takeover again after LATE_RECHECK_S, when no request signed by the former holder can still arrive."""
    due_at = session.now() + LATE_RECHECK_S
    outbox.to_recheck(session, table, "unfinished link, again", late=True, due_at=due_at)
