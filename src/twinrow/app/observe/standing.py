"""How much of what a run has noted about its table may be taken for true at the moment of a look (pure).

Notes outlive the process that wrote them. A process that was killed leaves the notes of a healthy process, so silence
must not be taken for health.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from twinrow.clock import is_ahead
from twinrow.state.overview import Counts
from twinrow.state.tables import Phase, Registered

ShownPhase = Phase | Literal["STOPPED"]
STOPPED: Final = "STOPPED"

TABLE_GONE: Final = "GONE"
"""The DynamoDB table was deleted. The copy stays, and there is nothing that it could be in step with."""

SILENT_S_MAX = 20.0
"""A sync that holds its lease notes every half second that it has read; after so long without, nothing is known."""
START_S_MAX = 30.0
"""A start describes the table, waits for locks and reads first pages: reading nothing for so long is no trouble."""
_WITHOUT_LAG: Final = ("NEW", "BROKEN", TABLE_GONE, STOPPED)
TOLD_S_MAX = 10.0
"""A note this young is shown as it is, so that two readers within a second see the same number."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The knowledge about a table's run.

    `as_of`: the moment for which the notes hold where no sync runs, because the last run ended in good order then.
    `at`: the moment by which lag and silence are measured. `known`: whether the run's figures may be shown as its
    state; else lag, backlog and rates are unknown, and nothing says that the table is in step. `waits`: no process
    holds the table, because the process that syncs it waits and tries again.
    """

    phase: ShownPhase
    running: bool
    waits: bool
    as_of: float | None
    at: float
    known: bool

    @property
    def stopped(self) -> bool:
        """Whether nobody knows how the copy stands: its process died, or its start was refused."""
        return self.phase == STOPPED


def standing_of(known: Registered | None, counts: Counts, at: float) -> Standing:
    """How a table's run stands at the moment `at`."""
    running = bool(counts.holder)
    waits = bool(counts.waits) and not running
    if known is None:
        return Standing(
            STOPPED if counts.refusal and not running and not waits else "NEW", running, waits, None, at, False
        )
    if known.phase == "BROKEN":
        return Standing("BROKEN", running, False, None, at, False)
    if known.phase == TABLE_GONE and not running:
        return Standing(TABLE_GONE, False, waits, None, at, False)
    if running:
        return Standing(known.phase, True, False, None, at, _has_told(known, at))
    if waits:
        return Standing(known.phase, False, True, None, at, False)
    if known.ended_at is None:
        return Standing(STOPPED, False, False, None, at, False)
    through = known.snapshot_done_at is not None  # half a copy that nobody goes on with is not known to be in step
    holds = through and _has_told(known, known.ended_at)
    return Standing(known.phase, False, False, known.ended_at, known.ended_at, holds)


def lag_s(known: Registered | None, standing: Standing) -> float | None:
    """Seconds from the oldest change not committed, by the run's notes; None where that is not known.

    A sync that has read nothing for a while waits for a server: what it has seen by then may be as old.
    """
    if known is None or standing.waits or standing.phase in _WITHOUT_LAG or known.begun_at is not None:
        return None
    if known.oldest_at is not None:
        return round(max(0.0, standing.at - known.oldest_at), 3)
    if known.caught_up_at <= 0:
        return None
    silent_s = standing.at - known.read_at
    return round(silent_s, 3) if silent_s > TOLD_S_MAX else 0.0


def is_silent(known: Registered, at: float) -> bool:
    """Whether the sync that runs should have read by the moment `at`."""
    starts = known.begun_at is not None and at - known.begun_at <= START_S_MAX
    return known.read_at > 0 and at - known.read_at > SILENT_S_MAX and not starts


def _has_told(known: Registered, at: float) -> bool:
    """Whether the run had read by `at`, and not too long before; a time that is yet to come tells nothing."""
    fresh = at - known.read_at <= SILENT_S_MAX and not is_ahead(known.read_at, at)
    return known.phase != "NEW" and known.begun_at is None and fresh
