"""Troubles that somebody wants to hear of: when they begin and when they are over, each once (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from twinrow.app.observe.standing import TABLE_GONE
from twinrow.app.observe.status import TableStatus
from twinrow.app.observe.troubles import many, span

AlarmState = Literal["holds", "over", "unknown"]
CALM_S = 60.0
"""A lag that swings around its limit is a single trouble: it is over once it was below the limit for so long."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A trouble of a table: its kind, what it is in words without any key or value of an item, what to do."""

    table: str
    kind: str
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class SeenTable:
    """A table at a moment: its status (None: it cannot be read), and why its sync ended in this process (empty: not).

    `now` is monotonic; `lag_alert_s` is the limit of the table, None without.
    """

    table: str
    status: TableStatus | None
    ended: bool
    lag_alert_s: float | None
    now: float


class LagWatch:
    """Whether lags are above their limits; a lag that is not known for as long as the limit is above it, too."""

    def __init__(self) -> None:
        self._known_at: dict[str, float] = {}
        self._calm_since: dict[str, float] = {}

    def look(self, seen: SeenTable) -> tuple[AlarmState, str]:
        """The state of the alarm, and its words."""
        limit_s, table = seen.lag_alert_s, seen.table
        if limit_s is None or (seen.status is not None and seen.status.phase == TABLE_GONE):
            return "over", ""
        lag_s = seen.status.lag_s if seen.status is not None else None
        if lag_s is None:
            self._calm_since.pop(table, None)
            silent_s = seen.now - self._known_at.setdefault(table, seen.now)
            if silent_s <= limit_s:
                return "unknown", ""
            return "holds", f"how far it is behind is not known for {span(silent_s)}"
        self._known_at[table] = seen.now
        if lag_s > limit_s:
            self._calm_since.pop(table, None)
            return "holds", f"it is {span(lag_s)} behind (lag_alert is {span(limit_s)})"
        calm_s = seen.now - self._calm_since.setdefault(table, seen.now)
        return ("over" if calm_s >= CALM_S else "unknown"), ""


def _broken(seen: SeenTable) -> tuple[AlarmState, str]:
    if seen.ended or (seen.status is not None and seen.status.phase == "BROKEN"):
        return "holds", "its sync stopped until somebody acts"
    return ("over" if seen.status is not None and seen.status.running else "unknown"), ""


def _gone(seen: SeenTable) -> tuple[AlarmState, str]:
    if seen.status is None:
        return "unknown", ""
    if seen.status.phase == TABLE_GONE:
        return "holds", "its DynamoDB table is gone; the copy stays as it was"
    return ("over" if seen.status.running else "unknown"), ""


def _counted(
    count: Callable[[TableStatus], int], words: Callable[[int], str]
) -> Callable[[SeenTable], tuple[AlarmState, str]]:
    def state(seen: SeenTable) -> tuple[AlarmState, str]:
        if seen.status is None:
            return "unknown", ""
        found = count(seen.status)
        return ("holds", words(found)) if found else ("over", "")

    return state


def _verified(seen: SeenTable) -> tuple[AlarmState, str]:
    if seen.status is None or not seen.status.verified:
        return "unknown", ""
    if seen.status.verified.get("in_step"):
        return "over", ""
    return "holds", "the last verify found that the copy is not in step"


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """A kind of trouble: whether it holds, the command that tells more, and what is said once it is over."""

    state: Callable[[SeenTable], tuple[AlarmState, str]]
    command: str
    over: str


KINDS: Final[Mapping[str, AlarmKind]] = {
    "broken": AlarmKind(_broken, "twinrow status {}", "its sync works again"),
    "gone": AlarmKind(_gone, "twinrow uninstall {}", "it is copied again"),
    "dead_letters": AlarmKind(
        _counted(lambda table: table.dead_letters, lambda count: f"{many(count, 'item')} that no row can hold"),
        "twinrow dead-letters list {}", "no dead letter is left",
    ),
    "gap": AlarmKind(
        _counted(lambda table: table.gaps, lambda count: f"{many(count, 'gap')} in what was read; a sync mends it"),
        "twinrow status {}", "all gaps are mended",
    ),
    "verify": AlarmKind(_verified, "twinrow repair {}", "verify finds it in step"),
}  # fmt: skip
LAG: Final = AlarmKind(lambda seen: ("unknown", ""), "twinrow status {}", "it is no longer behind")


class Alarms:
    """Which troubles are known to somebody, and what has changed since the last look."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._open = set(known)
        self._lag = LagWatch()

    def look(self, tables: Iterable[SeenTable]) -> tuple[list[Alarm], list[Alarm]]:
        """The alarms that begin, and those that are over. A fact that is not known changes nothing."""
        begun, over = [], []
        for seen in tables:
            states = {kind: alarm.state(seen) for kind, alarm in KINDS.items()} | {"lag": self._lag.look(seen)}
            for kind, (state, text) in states.items():
                alarm, name = KINDS.get(kind, LAG), (seen.table, kind)
                command = alarm.command.format(seen.table)
                if state == "holds" and name not in self._open:
                    self._open.add(name)
                    begun.append(Alarm(seen.table, kind, text, command))
                elif state == "over" and name in self._open:
                    self._open.remove(name)
                    over.append(Alarm(seen.table, kind, alarm.over, ""))
        return begun, over
