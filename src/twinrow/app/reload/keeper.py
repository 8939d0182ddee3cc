"""Keeps the tables of a running sync as the configuration says, while files and DynamoDB change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from twinrow import clock
from twinrow.app import wiring
from twinrow.app.logs import Log
from twinrow.app.many import named
from twinrow.app.observe.watch import StatusSource
from twinrow.app.reload.changes import Begun, changes, in_words, recipes_of, refuse_restart
from twinrow.app.reload.files import FileWatcher
from twinrow.app.typed import in_text
from twinrow.clock import Stop
from twinrow.config import Config, TableConfig
from twinrow.errors import Reason, StartRefused, Transient, TwinrowError, fault_text
from twinrow.mysql import MySQL

if TYPE_CHECKING:
    from twinrow.app.discovery import Looked
    from twinrow.table.context import TableContext
    from twinrow.workers.fleet import Fleet
    from twinrow.workers.run import Outcome

KEEP_EVERY_S: Final = 1.0
REFUSED_AGAIN_S: Final = 60.0
"""A table whose start was refused (its stream is off) is tried again: two requests, that a person need not restart."""
LOOK_AGAIN_S: Final = 10.0
"""After a look that failed, and for a table that DynamoDB is still making: both take seconds, not minutes."""


@dataclass(frozen=True, slots=True)
class AskedSync:
    """The wishes of whoever started `twinrow sync`: file, and tables named; `watches`: changed files are read again."""

    path: Path
    names: tuple[str, ...] = ()
    watches: bool = False


@dataclass(frozen=True, slots=True)
class Means:
    """The means to keep the tables.

    `build` makes the parts of tables; `follow` hears of each configuration and its tables; `stays`: whether a process
    without a table goes on, by how the tables ended.
    """

    fleet: Fleet
    mysql: MySQL
    log: Log
    source: StatusSource
    build: Callable[[Config, Sequence[TableConfig]], Sequence[TableContext]]
    follow: Callable[[Config, Sequence[TableConfig]], None]
    stays: Callable[[Mapping[str, Outcome]], bool]


class HangUps:
    """SIGHUP, which may come before there is anything to reload. Any thread may `ask`."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self) -> None:
        """Count a signal."""
        self.asked += 1


class Keeper:
    """The configuration in force, and the tables that it makes this process copy."""

    def __init__(self, asked: AskedSync, config: Config, means: Means, hang_ups: HangUps) -> None:
        self._asked = asked
        self._config = config
        self._means = means
        self._hang_ups = hang_ups
        self._heard = 0
        self._round = 0
        self._begun: dict[str, Begun] = {}
        self._gone: frozenset[str] = frozenset()
        self._vanished: frozenset[str] = frozenset()
        self._watcher = FileWatcher(config.watched)
        self._first_read = asked.watches
        self._read_at: float | None = None
        self._looks_at = clock.monotonic()
        self._retries_at = clock.monotonic() + REFUSED_AGAIN_S
        self._idle_said = False
        self.retried: frozenset[str] = frozenset()
        """Tables that were begun again after a refusal: the same refusal is no news."""

    def run(self, stop: Stop) -> None:
        """Begin the tables, and keep them until the stop, or until none runs and none can come.

        A server that hangs holds up a look for as long as its time-outs are, and must not hold up the stop.
        """
        self._follow()
        self._step()
        looking = threading.Thread(target=self._look_on, args=(stop,), name="keeper", daemon=True)
        looking.start()
        while looking.is_alive() and not stop.wait(KEEP_EVERY_S):
            pass
        self._means.fleet.join()

    def _look_on(self, stop: Stop) -> None:
        goes_on = True
        while goes_on and not stop.wait(KEEP_EVERY_S):
            try:
                self._look()
                self._step()
                goes_on = self._goes_on()
            except Exception as fault:  # noqa: BLE001 - the tables are copied all the same; the fault is logged
                self._means.log.trouble("", f"reload: {fault_text(fault)} (please report it)", ())

    def _chosen(self, config: Config) -> tuple[TableConfig, ...]:
        wanted = set(self._asked.names)
        return tuple(table for table in config.tables if not wanted or table.name in wanted)

    def _wanted(self, config: Config) -> tuple[TableConfig, ...]:
        return tuple(table for table in self._chosen(config) if table.name not in self._gone)

    def _follow(self) -> None:
        """Show the tables of the configuration, also those that cannot be copied."""
        self._means.source.follow(self._chosen(self._config))
        self._means.follow(self._config, self._wanted(self._config))

    def _step(self) -> None:
        """Ask tables to end, and begin those that can begin by now; nothing here waits."""
        means, tables = self._means, {table.name: table for table in self._wanted(self._config)}
        running = means.fleet.running
        due = changes(recipes_of(self._config, tables.values()), self._begun, running, self._round)
        means.fleet.end(due.end)
        over = [name for name in self._begun if name not in tables and name not in running]
        if over:
            self._begun = {name: begun for name, begun in self._begun.items() if name not in over}
            means.fleet.forget(over)
            for name in over:
                means.source.forget(name)
        self._note_vanished(running)
        if not due.begin:
            return
        begin = [tables[name] for name in due.begin]
        for name, recipe in recipes_of(self._config, begin).items():
            self._begun[name] = Begun(recipe, self._round)
            means.source.forget(name)
        self._idle_said = False
        means.fleet.add(means.build(self._config, begin))

    def _goes_on(self) -> bool:
        """Whether a table runs, or may come yet."""
        if self._means.fleet.running:
            return True
        may_come, stays = self._asked.watches or self._config.patterns, self._means.stays(self._means.fleet.outcomes)
        if (may_come or stays) and not self._idle_said:
            self._idle_said = True
            goes_on = (
                "page and metrics stay until this is stopped"
                if stays
                else "this process goes on, since tables may come"
            )
            self._means.log.event("warning", "ended", "", f"no table is left to copy; {goes_on}")
        return bool(may_come or stays)

    def _look(self) -> None:
        """Read the files again, or look for tables, where either is due."""
        heard, now = self._hang_ups.asked, clock.monotonic()
        again = self._read_at is not None and now >= self._read_at
        if heard != self._heard or again or (self._asked.watches and self._watcher.changed()):
            self._read_again(asked=heard != self._heard)
            self._heard = heard
        elif self._config.patterns and now >= self._looks_at:
            self._discover()
        if now >= self._retries_at:
            self._retries_at = now + REFUSED_AGAIN_S
            self._retry_refused()

    def _read_again(self, *, asked: bool) -> None:
        """Read the files again. A mistake in them, or a server that does not answer, leaves all as it is.

        `asked`: somebody waits for an answer, also for the same as before.
        """
        means, before = self._means, self._watcher.stamp()
        self._read_at = None
        try:
            new, warnings = wiring.read_config(self._asked.path)
            watched = new.watched
            refuse_restart(self._config, new)
            self._try_login(new)
            looked = self._looked(new)
            (looked.config if looked is not None else new).chosen(self._asked.names)
        except TwinrowError as error:
            self._watcher.follow(self._config.watched, before)
            self._refused(error, asked=asked)
            return
        self._watcher.follow(watched, before)
        means.source.config_trouble = ""
        for warning in warnings:
            means.log.event("warning", "reload", "", warning)
        if means.mysql.settings != new.mysql:
            means.mysql.take_login(new.mysql)
        if asked or not self._first_read:
            self._round, self.retried = self._round + 1, frozenset()
        said = self._take(looked.config if looked is not None else new, looked)
        if said or asked or not self._first_read:
            means.log.event("info", "reload", "", f"the configuration was read again: {said or 'no table changes'}")
        self._first_read = False

    def _refused(self, error: TwinrowError, *, asked: bool) -> None:
        """The configuration before goes on. Where a server does not answer the files are read again by themselves.

        With `--watch-config` they are read again in any case: the mistake may be in a file that nobody has watched.
        """
        text = f"the configuration from before goes on, the files are not taken: {error}"
        is_news = asked or text != self._means.source.config_trouble
        self._means.source.config_trouble = text
        if isinstance(error, Transient) or self._asked.watches:
            self._read_at = clock.monotonic() + LOOK_AGAIN_S
        if is_news:
            self._means.log.event("error", "reload", "", in_text(text))

    def _try_login(self, new: Config) -> None:
        """Open a session with a login that is new, before the sessions of all tables use it. Raises TwinrowError."""
        if self._means.mysql.settings != new.mysql:
            wiring.connect(wiring.mysql_of(new)).close()

    def _discover(self) -> None:
        log, every_s = self._means.log, self._config.sync.discover_s
        before = {table.name for table in self._wanted(self._config)}
        try:
            looked = self._looked(self._config.without_found())
        except TwinrowError as error:
            self._looks_at = clock.monotonic() + min(every_s, LOOK_AGAIN_S)
            log.waiting("", f"new tables cannot be looked for: {error}")
            return
        if looked is None:
            return
        self._take(looked.config, looked)
        new = [table.name for table in self._wanted(self._config) if table.name not in before]
        if new:
            log.event("info", "found", "", f"new in DynamoDB: {named(new)}")

    def _looked(self, config: Config) -> Looked | None:
        """The configuration with the tables of its patterns; None where it has no patterns. Raises TwinrowError."""
        if not config.patterns:
            return None
        from twinrow.app import discovery

        with closing(wiring.connect(wiring.mysql_of(config))) as session:
            looked = discovery.look(config, session)
        every_s = config.sync.discover_s
        self._looks_at = clock.monotonic() + (min(every_s, LOOK_AGAIN_S) if looked.coming else every_s)
        return looked

    def _retry_refused(self) -> None:
        """A table whose start was refused begins again: what it needs may be there by now."""
        outcomes = dict(self._means.fleet.outcomes)
        refused = {name for name, outcome in outcomes.items() if isinstance(outcome.error, StartRefused)}
        self.retried = frozenset((refused & self._begun.keys()) - self._means.fleet.running)
        for name in self.retried:
            self._begun[name] = replace(self._begun[name], round=self._round - 1)

    def _take(self, new: Config, looked: Looked | None) -> str:
        """Put a configuration in force; what changes, in words."""
        self._config = new
        self._gone = looked.gone if looked is not None else frozenset()
        self._vanished = looked.vanished if looked is not None else frozenset()
        for table, why in (looked.refused if looked is not None else {}).items():
            self._means.log.trouble(table, f"not copied: {why}", ())
        self._follow()
        return in_words(recipes_of(new, self._wanted(new)), self._begun, self._means.fleet.running)

    def _note_vanished(self, running: frozenset[str]) -> None:
        """Once their runs have ended: what a run notes at its end would take the place of it."""
        chosen = {table.name for table in self._chosen(self._config)}
        names = sorted((self._vanished & chosen) - running)
        if not names:
            return
        from twinrow.app import discovery
        from twinrow.state import lease, tables

        self._vanished -= frozenset(names)
        try:
            with closing(self._means.mysql.connect()) as session:
                for name in names:
                    if lease.holder_of(session, name) is None:  # else another process copies it, and says how it stands
                        command = f"twinrow uninstall {name}"
                        tables.note_gone(session, name, Reason(discovery.GONE_TEXT, (command,)))
        except TwinrowError as error:  # they are missing at the next look, too
            self._means.log.waiting("", f"that tables are gone could not be noted in MySQL: {error}")
        for name in names:
            self._means.log.trouble(name, discovery.GONE_TEXT, (f"twinrow uninstall {name}",))
