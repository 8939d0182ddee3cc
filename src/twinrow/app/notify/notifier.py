"""Looks at the status now and then, and tells of troubles that begin or are over; no sync ever waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from twinrow import clock
from twinrow.app.logs import Log
from twinrow.app.notify.channels import Channel
from twinrow.app.notify.message import lines
from twinrow.app.observe.alarms import Alarm, Alarms, SeenTable
from twinrow.app.observe.watch import StatusSource
from twinrow.clock import Stop
from twinrow.errors import Transient, TwinrowError, fault_text
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.state import meta, notice
from twinrow.state.notice import Notice

LOOK_EVERY_S = 5.0
QUEUE_MAX = 200
"""Messages that wait for a channel that does not answer; beyond, new ones are dropped and logged."""
SEND_S_MAX = 600.0
"""A message that could not be sent for so long is given up: it is no news any more."""
LEFT_S = 900.0
"""A process that has not sent its message after so long will not: another process takes it up."""
LEFT_EVERY_S = 60.0
END_S_MAX = 3.0
"""At the end of the process messages under way have so long."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A line, the channel that it goes to, and the alarms that it is about (none: it is about their end)."""

    channel: Channel
    text: str
    alarms: tuple[Alarm, ...]


class Notifier:
    """Two threads from `with` to its end: the first looks, the second sends.

    `limits` are the tables, and the lags above which each is late; others may be set at any time.
    """

    def __init__(
        self, channels: Sequence[Channel], source: StatusSource, limits: Mapping[str, float | None], log: Log
    ) -> None:
        self._channels = channels
        self._source = source
        self.limits = limits
        self._log = log
        self._alarms: Alarms | None = None
        self._unnoted: set[tuple[str, str]] = set()
        self._left_at = clock.monotonic()
        self._queue: queue.Queue[_Message] = queue.Queue(QUEUE_MAX)
        self._over = Stop()
        self._looking = threading.Thread(target=self._look_on, name="notify", daemon=True)
        self._sending = threading.Thread(target=self._send_on, name="notify-send", daemon=True)

    def __enter__(self) -> Self:
        self._looking.start()
        self._sending.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._looking.join(END_S_MAX)
        self._sending.join(END_S_MAX)

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                self.look(clock.monotonic())
            except TwinrowError as trouble:
                self._log.trouble("", f"notifications: {trouble}", ())
            except Exception as fault:  # noqa: BLE001 - a fault here must not end the notifications unseen; it is logged
                self._log.trouble("", f"notifications: {fault_text(fault)} (please report it)", ())

    def look(self, now: float) -> None:
        """Tell what has changed since the last look, `now` being monotonic seconds."""
        seen = self._source.latest()
        known = {table.table: table for table in seen.status.tables} if seen.status is not None else {}
        if self._alarms is None:
            opened = self._opened()
            if opened is None:
                return  # nobody knows yet what was sent before: it would be sent again
            self._alarms = Alarms(opened)
        status = {} if seen.trouble else known
        begun, over = self._alarms.look(
            SeenTable(table, status.get(table), table in seen.ended, limit_s, now)
            for table, limit_s in self.limits.items()
        )
        with ExitStack() as stack:
            session = self._session(stack) if begun or over or self._is_time(now) else None
            self._tell([alarm for alarm in begun if self._begins(session, alarm)], over=False)
            self._tell([alarm for alarm in over if self._ends(session, alarm)], over=True)
            if session is not None and self._is_time(now):
                self._left_at = now
                mine = notice.left(session, LEFT_S)
                self._tell([Alarm(each.table, each.kind, each.text, "") for each in mine], over=False)

    def _is_time(self, now: float) -> bool:
        return now - self._left_at >= LEFT_EVERY_S

    def _opened(self) -> list[tuple[str, str]] | None:
        """The alarms that were open before; None where MySQL cannot be asked."""
        try:
            with self._source.session() as session:
                if not meta.installed(session):
                    return []
                return [(each.table, each.kind) for each in notice.open_notices(session)]
        except TwinrowError:
            return None

    def _session(self, stack: ExitStack) -> Connection | None:
        """A session; None where MySQL cannot be asked: messages go out all the same."""
        try:
            return stack.enter_context(self._source.session())
        except TwinrowError:
            return None

    def _begins(self, session: Connection | None, alarm: Alarm) -> bool:
        """Whether this process has to tell of the alarm: no other did."""
        try:
            if session is not None:
                return notice.begin(session, Notice(alarm.table, alarm.kind, alarm.text))
        except TwinrowError:
            session = None
        self._unnoted.add((alarm.table, alarm.kind))
        return True

    def _ends(self, session: Connection | None, alarm: Alarm) -> bool:
        name = (alarm.table, alarm.kind)
        mine = name in self._unnoted
        self._unnoted.discard(name)
        try:
            return session is None or notice.end(session, *name) or mine
        except TwinrowError:
            return True

    def _tell(self, alarms: Iterable[Alarm], *, over: bool) -> None:
        for text, same in lines(alarms, over=over):
            for channel in self._channels:
                message = _Message(channel, text, () if over else tuple(same))
                try:
                    self._queue.put_nowait(message)
                except queue.Full:
                    self._log.trouble("", f"notifications: {channel.name} does not keep up, messages are dropped", ())

    def _send_on(self) -> None:
        while not (self._over and self._queue.empty()):
            try:
                message = self._queue.get(timeout=1.0)
            except queue.Empty:
                continue
            if self._send(message) and message.alarms:
                self._note_sent(message.alarms)

    def _send(self, message: _Message) -> bool:
        """Whether it went out; what passes is tried again, for SEND_S_MAX at most, and not once the process ends."""
        began, tried = clock.monotonic(), 0
        while True:
            tried += 1
            try:
                message.channel.send(message.text)
                return True
            except Transient as trouble:
                self._log.trouble("", f"notifications: {trouble}; it is tried again", ())
                if clock.monotonic() - began > SEND_S_MAX or self._over.wait(back_off_s(tried)):
                    return False
            except TwinrowError as refused:
                self._log.trouble("", f"notifications: {refused}", ())
                return False
            except Exception as fault:  # noqa: BLE001 - the next message may go out; this fault is logged
                self._log.trouble("", f"notifications: {fault_text(fault)} (please report it)", ())
                return False

    def _note_sent(self, alarms: Iterable[Alarm]) -> None:
        try:
            with self._source.session() as session:
                for alarm in alarms:
                    notice.note_sent(session, alarm.table, alarm.kind)
        except TwinrowError as trouble:  # another process tells of it again after LEFT_S
            self._log.trouble("", f"notifications: {trouble}", ())
