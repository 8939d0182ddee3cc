"""How often a table's work looks, pauses and notes: at once beside work, seldom while there is nothing to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twinrow import clock
from twinrow.state.asked import DUE_KINDS, DueKind

IDLE_S: Final = 0.05
IDLE_S_MIN: Final = 0.01
"""The first pause after work: a link or query that has just begun has often ended by then."""
QUIET_S: Final = 0.25
"""The longest pause of a table with nothing under way: what comes by itself rings its bell."""
NOTE_EVERY_S: Final = 0.5
NOTE_IDLE_S: Final = 2.0
"""Pause between two notes that say the same but for their time. A reader counts 20 s without a note as silence."""
MOMENTS: Final = frozenset({"read_at", "caught_up_at", "retention_left_s", "counters"})
"""Noted values that move with the clock while nothing happens."""


class Pace:
    """The pace of one table. `due` are the kinds of work that may wait in MySQL; it is filled from outside.

    Own work enters rechecks and links, so after a step that worked everything is looked for.
    """

    def __init__(self, due: set[DueKind]) -> None:
        self._due = due
        self._pause_s = IDLE_S_MIN
        self._counted_at = self._noted_at = 0.0
        self._noted: Mapping[str, object] = {}
        self._has_worked = True

    def worked(self) -> None:
        """A step found work: what follows from it may wait in MySQL, and there may be more."""
        self._due.update(DUE_KINDS)
        self._pause_s = IDLE_S_MIN
        self._has_worked = True

    def is_under_way(self) -> None:
        """A link call is under way (or the run ends by itself): what follows from it may wait in MySQL."""
        self._due.update(DUE_KINDS)

    def looks_for(self, kind: DueKind) -> bool:
        """Whether this kind of work may wait in MySQL."""
        return kind in self._due

    def looked_for(self, kind: DueKind, *, found: bool) -> None:
        """A look has shown whether there is any; `found`: the next step looks again."""
        if not found:
            self._due.discard(kind)

    def pause_s(self, *, quiet: bool) -> float:
        """The next pause after a step without work; `quiet`: nothing is under way."""
        pause_s, self._pause_s = self._pause_s, min(QUIET_S if quiet else IDLE_S, self._pause_s * 2)
        return pause_s

    def may_note(self) -> bool:
        """Whether it is time to find out how the table stands; `notes` is asked next."""
        now = clock.monotonic()
        if now - self._counted_at < NOTE_EVERY_S:
            return False
        self._counted_at = now
        return True

    def notes(self, values: Mapping[str, object]) -> bool:
        """Whether these values are to be noted now; then they count as noted."""
        now = clock.monotonic()
        lasting = {name: value for name, value in values.items() if name not in MOMENTS}
        if not self._has_worked and lasting == self._noted and now - self._noted_at < NOTE_IDLE_S:
            return False
        self._noted_at, self._noted, self._has_worked = now, lasting, False
        return True
