"""The status of all tables, read once a second for everybody who looks: page, metrics, health checks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from twinrow import clock
from twinrow.app.observe.history import History
from twinrow.app.observe.status import Status, collect
from twinrow.app.typed import as_typed, config_option
from twinrow.clock import Stop
from twinrow.config import TableConfig
from twinrow.errors import Transient, TwinrowError, fault_text
from twinrow.mysql import Connection, MySQL

READ_EVERY_S = 1.0
UNWATCHED_S = 10.0
READ_TIMEOUT_S = 5.0
SILENT_S_MAX = 4.0
"""A server that neither answers nor refuses is a trouble after so long, not only when its time-out is over."""
SESSIONS_MAX = 4
SESSION_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class LastStatus:
    """The last status that could be read (None: none yet), and why it cannot be read now (empty: it can).

    `ended` holds why a table's sync ended in this process, by table: a refusal to start stands nowhere else.
    `age_s` is how long ago the status was read. `config` is why the files of the configuration are not those in force.
    """

    status: Status | None
    trouble: str
    ended: dict[str, str]
    age_s: float = 0.0
    config: str = ""

    @property
    def now(self) -> float:
        """This moment by the clock of the status, which is MySQL's."""
        return clock.wall() if self.status is None else self.status.at + self.age_s


class StatusSource:
    """Reads the status in a thread of its own, from `with` to its end; one reader, however many look.

    Every second while it is `watched`, else every UNWATCHED_S. `histories` holds the last hour of each table.
    `waiting` tells why tables of this process wait, since not every wait can be noted in MySQL.
    """

    def __init__(
        self, mysql: MySQL, chosen: Sequence[TableConfig], watched: Callable[[], bool] = lambda: True,
        waiting: Callable[[], Mapping[str, str]] = dict,
    ) -> None:  # fmt: skip
        self._watched = watched
        self._waiting = waiting
        self.tables = tuple(table.name for table in chosen)
        self._mysql = mysql
        self._chosen = tuple(chosen)
        self.histories = {name: History() for name in self.tables}
        self._status: Status | None = None
        self._body = b'{"at":null,"tables":[]}'
        self._trouble = ""
        self.config_trouble = ""
        self._ended: dict[str, str] = {}
        self._mending: dict[str, tuple[str, ...]] = {}
        self._answered_at = clock.monotonic()
        self._session: Connection | None = None
        self._sessions = threading.BoundedSemaphore(SESSIONS_MAX)
        self._over = Stop()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def follow(self, chosen: Sequence[TableConfig]) -> None:
        """From now on these are the tables; what was seen of those that stay is kept."""
        names = tuple(table.name for table in chosen)
        # new objects: the thread that reads has the old or the new
        self.histories = {name: self.histories.get(name) or History() for name in names}
        self._chosen, self.tables = tuple(chosen), names
        for name in [name for name in self._ended if name not in names]:
            self.forget(name)

    def forget(self, table: str) -> None:
        """A table that had ended in this process begins again, or is watched no more."""
        self._ended.pop(table, None)
        self._mending.pop(table, None)

    def latest(self) -> LastStatus:
        """The status that was read last."""
        trouble = self._trouble
        silent_s = clock.monotonic() - self._answered_at
        if not trouble and silent_s > SILENT_S_MAX:
            trouble = f"{self._mysql.place}: has not answered for {silent_s:.0f} s"
        return LastStatus(self._status, trouble, dict(self._ended), silent_s, self.config_trouble)

    def body(self) -> bytes:
        """The same as one JSON document: `{"now", "trouble", "config", "ended", "mending", "option", "status"}`.

        `status` is as `status --json` has it; `mending` are the commands that mend it, by table; `option` is
        what stands at the end of a command for this configuration.
        """
        seen = self.latest()
        mending = {table: [as_typed(command) for command in ended] for table, ended in self._mending.items()}
        head = json.dumps(
            {
                "now": seen.now, "trouble": seen.trouble, "config": seen.config, "ended": seen.ended,
                "mending": mending, "option": config_option(),
            }
        )  # fmt: skip
        return head[:-1].encode() + b',"status":' + self._body + b"}"

    def history(self, table: str) -> dict[str, Any] | None:
        """The last hour of a table; None for a table that is not watched."""
        history = self.histories.get(table)
        return history.document() if history is not None else None

    def tell(self, table: str, text: str, commands: tuple[str, ...] = ()) -> None:
        """A table's sync ended in this process: why, and what mends it; shown until the process ends."""
        self._mending[table], self._ended[table] = commands, text

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session for what somebody asks for beyond the status; at most SESSIONS_MAX at a time. Raises Transient."""
        if not self._sessions.acquire(timeout=SESSION_WAIT_S):
            raise Transient("too many are asking at once", where=self._mysql.place)
        try:
            session = self._mysql.connect(read_timeout_s=READ_TIMEOUT_S)
            try:
                yield session
            finally:
                session.close()
        finally:
            self._sessions.release()

    def _run(self) -> None:
        read_at = clock.monotonic()
        while not self._over:
            began = clock.monotonic()
            if self._watched() or began - read_at >= UNWATCHED_S:
                read_at = began
                self._read()
            self._over.wait(READ_EVERY_S - (clock.monotonic() - began))
        self._drop_session()

    def _read(self) -> None:
        try:
            if self._session is None or not self._session.open:
                self._session = self._mysql.connect(read_timeout_s=READ_TIMEOUT_S)
            waiting = {table: why for table, why in self._waiting().items() if table not in self._ended}
            histories, chosen = self.histories, self._chosen
            status = collect(self._session, chosen, waiting)
        except TwinrowError as trouble:
            self._not_read(str(trouble))
            return
        except Exception as fault:  # noqa: BLE001 - the thread that reports troubles must not end by a trouble; it is shown
            self._not_read(f"{fault_text(fault)} (please report it)")
            return
        for entry in status.tables:
            if entry.table in histories:  # not where the tables change at this moment
                histories[entry.table].add(status.at, entry)
        self._status, self._body, self._trouble = status, json.dumps(status.document()).encode(), ""
        self._answered_at = clock.monotonic()

    def _not_read(self, why: str) -> None:
        """A hole in the plots is honest; a line from before the trouble to after it is not."""
        self._trouble = why
        self._drop_session()
        for history in self.histories.values():
            history.skip(self.latest().now)

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
