"""The questions that all tables of a process share: a thread asks MySQL what is due, and which tables are free.

It also notes for other processes of the same tables how much this process holds, and shares the tables with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from twinrow import clock
from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.state import asked, member
from twinrow.state.asked import Awaited, DueKind
from twinrow.state.member import LivingMember
from twinrow.workers import shares
from twinrow.workers.shared import Shared, StandingBy
from twinrow.workers.shares import Candidate, Member

ASK_EVERY_S: Final = 0.5
"""Work that another process enters, and a lease that somebody lets go, are noticed after at most this time."""
BEATS_A_LEASE: Final = 5
GIVE_EVERY_S: Final = 5.0
"""Pause between two times at which tables are given up: by then the others have noted what they took."""
LEFT_FREE_S: Final = 1.4
"""A table that is free for longer is taken by whoever waits, whatever the shares: none stands still for 2 s."""


def ask(shared: Shared, mysql: MySQL, over: Stop) -> None:
    """Ask until `over`, and ring the bell of each table for which an answer is news.

    While MySQL does not answer, each table looks for itself: it then meets the trouble, or finds its work.
    """
    session: Connection | None = None
    sharing = Sharing(shared, mysql.lease_s)
    while not over.wait(ASK_EVERY_S):
        held, waiting = list(shared.leases), dict(shared.waiting)
        if not held and not waiting:
            continue
        try:
            if session is None or not session.open:
                session = mysql.connect(read_timeout_s=mysql.lease_s)
            _ask_due(shared, session, held)
            if waiting or not shared.once:
                sharing.step(session, held, waiting)
        except TwinrowError:
            session = None
            for table in held:
                shared.due(table).update(asked.DUE_KINDS)
            for table in waiting:
                shared.ring(table)
    _leave(shared, session)


def _ask_due(shared: Shared, session: Connection, held: list[str]) -> None:
    if not held:
        return
    # Read before the question: a commit that comes later than the answer is no loss.
    known = {table: context.tenure.generation for table, context in dict(shared.leases).items()}
    for table, found in asked.due_work(session, held).items():
        kinds: set[DueKind] = set(found.kinds)
        if found.generation < known.get(table, 0):
            kinds.add("loss")
        if kinds:
            shared.due(table).update(kinds)
            shared.ring(table)


def _leave(shared: Shared, session: Connection | None) -> None:
    """The others need not wait for the deadline of this process; where MySQL does not answer, they do."""
    if session is None:
        return
    try:
        if not shared.once:
            member.leave(session, shared.holder)
    except TwinrowError as error:
        shared.on_waiting("", str(error))
    session.close()


class Sharing:
    """Takes and gives up tables by the rules of `workers.shares`, from what all members have noted."""

    def __init__(self, shared: Shared, lease_s: float) -> None:
        self._shared = shared
        self._lease_s = lease_s
        self._noted: tuple[float, int, int] | None = None
        self._noted_at = self._given_at = clock.monotonic() - lease_s
        self._free_since: dict[str, float] = {}

    def step(self, session: Connection, held: list[str], waiting: Mapping[str, StandingBy]) -> None:
        """Note how this process stands, tell tables that wait whether they are free to be taken, give some up."""
        shared = self._shared
        own = [shared.candidate(table) for table in held]
        load = sum(table.weight for table in own)
        group = member.of_tables(shared.names)
        if not shared.once:
            self._beat(session, LivingMember(shared.holder, load, len(held), len(waiting)), group)
        answers = asked.awaited(session, list(waiting)) if waiting else {}
        others = [
            Member(other.holder, other.load, other.waits > 0)
            for other in member.living(session, group)
            if other.holder != shared.holder
        ]
        self._answer(waiting, answers, load, others)
        if others and clock.monotonic() - self._given_at > GIVE_EVERY_S:
            self._given_at = clock.monotonic()
            movable = {table: shared.may_move(table) for table in held}
            shared.give_up.update(shares.to_give(own, movable, load, others))

    def _beat(self, session: Connection, now: LivingMember, group: bytes) -> None:
        noted = now.load, now.held, now.waits
        if noted == self._noted and clock.monotonic() - self._noted_at < self._lease_s / BEATS_A_LEASE:
            return
        member.beat(session, now, group, self._lease_s)
        self._noted, self._noted_at = noted, clock.monotonic()

    def _answer(
        self,
        waiting: Mapping[str, StandingBy],
        answers: Mapping[str, Awaited],
        load: float,
        others: Collection[Member],
    ) -> None:
        now, shared = clock.monotonic(), self._shared
        found = {table: answers.get(table, asked.UNKNOWN) for table in waiting}
        free = [table for table, answer in found.items() if answer.is_free]
        self._free_since = {table: self._free_since.get(table, now) for table in free}
        candidates: list[Candidate] = [shared.candidate(table) for table in free]
        dead = {found[table].holder for table in free}  # its row as a member may outlive its leases by a beat
        living = [other for other in others if other.holder not in dead]
        taken = set(shares.to_take(candidates, load, living, shared.holder))
        taken |= {table for table, since in self._free_since.items() if now - since > LEFT_FREE_S}
        for table, standing in waiting.items():
            standing.answer = replace(found[table], is_free=table in taken)
            shared.ring(table)
