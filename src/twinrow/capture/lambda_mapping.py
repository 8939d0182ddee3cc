"""What an event source mapping of AWS Lambda says about changes that may have been lost (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twinrow.aws_watch import Mapping

OFF_S_MAX: Final = 23 * 3600.0
"""A mapping begins again where it stopped, and a stream keeps records for 24 hours: after this, some may be gone."""
GONE: Final = "gone"
ON: Final = frozenset({"Enabled", "Updating", "Enabling", "Creating"})
"""The states in which changes come, or will by themselves (AWS Lambda API, "ListEventSourceMappings")."""
REPLACED_GAP: Final = "EVENTS_MAPPING_REPLACED"
OFF_GAP: Final = "EVENTS_MAPPING_OFF"


@dataclass(frozen=True, slots=True)
class MappingNow:
    """The mapping of a table now, since when it is on or off, and the cause of a gap, "" where nothing may be lost."""

    id: str
    state: str
    at: float
    gap: str = ""


def is_on(state: str) -> bool:
    """Whether changes come in this state; True also where the state was never asked for."""
    return not state or state in ON


def mapping_of(table: str, source_arn: str, mappings: Sequence[Mapping]) -> Mapping | None:
    """The mapping that hands over the changes of a DynamoDB table, one that is on before one that is off.

    `source_arn`: where the last event came from, "" where none came yet.
    """
    found = [
        mapping
        for mapping in mappings
        if mapping.source_arn == source_arn or f":table/{table}/stream/" in mapping.source_arn
    ]
    return min(found, key=lambda mapping: (mapping.state not in ON, mapping.source_arn != source_arn), default=None)


def judge(known_id: str, known_state: str, known_at: float | None, found: Mapping | None, now: float) -> MappingNow:
    """What the mapping found now means beside what was known of it (`known_at`: since when it is on, or off)."""
    state = found.state if found is not None else GONE
    turned = known_at is None or is_on(known_state) != is_on(state)
    at = now if turned else known_at
    if found is None or not is_on(state):
        # The id that is known stays: another mapping in its place is found once it is on.
        return MappingNow(known_id or (found.id if found is not None else ""), state, at or now)
    if known_id and known_id != found.id:
        # A new mapping begins at its StartingPosition, not where the former stopped.
        return MappingNow(found.id, state, now, REPLACED_GAP)
    was_off_s = now - known_at if turned and known_at is not None else 0.0
    return MappingNow(found.id, state, at or now, OFF_GAP if was_off_s >= OFF_S_MAX else "")
