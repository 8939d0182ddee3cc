"""The outcome of the step that writes rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from twinrow.sink.alone import Refusal
from twinrow.sink.writer import Written


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """The outcome of a write.

    `parked`: keys that no row can hold, with the reason; `put_off`: keys to be tried again later, with the server's
    error. `removed`: keys whose row is gone now. `set_apart`: rows written with values in extra for want of room.
    `rows_delta`: the change in live rows.
    """

    written: Written
    parked: Mapping[bytes, str] = field(default_factory=dict)
    put_off: Mapping[bytes, Refusal] = field(default_factory=dict)
    removed: Collection[bytes] = ()
    buried: Collection[bytes] = ()
    set_apart: Collection[bytes] = ()
    rows_delta: int = 0
