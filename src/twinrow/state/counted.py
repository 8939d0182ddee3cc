"""Progress.

Counts and rates of the process that copies a table, kept in the register so that every reader sees them.
"""

from __future__ import annotations

from typing import Final

import msgspec


class AppliedCount(msgspec.Struct, frozen=True):
    """How many changes of one kind (PUT, DELETE) and origin (SCAN, STREAM, PENDING, RECHECK) became rows."""

    kind: str
    origin: str
    count: int


class Rates(msgspec.Struct, frozen=True):
    """Rates a second, averaged over the last seconds: changes applied by kind, links settled, units consumed."""

    puts_per_s: float = 0.0
    deletes_per_s: float = 0.0
    links_per_s: float = 0.0
    read_units_per_s: float = 0.0
    write_units_per_s: float = 0.0


class Counted(msgspec.Struct, frozen=True):
    """Counts since `since` (epoch seconds), when the process began; they start at 0 again with the next process.

    `in_extra`: rows written of which some value stands exactly only in `_twinrow_extra`. `not_understood`: stream
    records and images that could not be understood, so that their items were read again; `last_doubt` says what was odd
    about the last of them. `read_units` and `write_units`
    are capacity units that DynamoDB said were consumed; `*_units_max` the units per second of the budget, None without
    a bound; `*_share` what is left of it while DynamoDB throttles (1 = all). `reconcile_rows`: rows that the reconcile
    under way has met, None while none is. `dynamodb_skew_s` and `mysql_skew_s`: by how much the clock of the process's
    host is ahead of each server's, behind where negative, None where it is not known.
    """

    since: float
    applied: tuple[AppliedCount, ...] = ()
    links_paid: int = 0
    links_refused: int = 0
    rechecked: int = 0
    parked: int = 0
    in_extra: int = 0
    not_understood: int = 0
    last_doubt: str = ""
    read_units: float = 0.0
    read_units_max: float | None = None
    read_share: float = 1.0
    write_units: float = 0.0
    write_units_max: float | None = None
    write_share: float = 1.0
    reconcile_rows: int | None = None
    dynamodb_skew_s: float | None = None
    mysql_skew_s: float | None = None
    rates: Rates = Rates()


_decode: Final = msgspec.json.Decoder(Counted).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


def to_json(counted: Counted) -> str:
    """The counts as they are kept in `_twinrow_table.counters`."""
    return msgspec.json.encode(counted).decode()


def from_json(text: str | None) -> Counted | None:
    """The record that `to_json` wrote; None for a table that no process has followed yet."""
    return _decode(text) if text else None
