"""How large the tables of a whole and of a quick run are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of one run."""

    copy_items: int
    link_items: int
    backlog_records: int
    linked_backlog_records: int
    increments: tuple[int, ...]
    lag_rates: tuple[int, ...]
    lag_s: float
    seed_items: int
    idle_tables: int


WHOLE: Final = Scale(
    copy_items=200_000, link_items=20_000, backlog_records=200_000, linked_backlog_records=20_000,
    increments=(1_000, 100_000, 1_000_000), lag_rates=(10, 200, 500), lag_s=20.0,
    seed_items=10_000, idle_tables=200,
)  # fmt: skip
QUICK: Final = Scale(
    copy_items=20_000, link_items=3_000, backlog_records=10_000, linked_backlog_records=2_000,
    increments=(1_000, 10_000, 20_000), lag_rates=(200,), lag_s=5.0, seed_items=1_000, idle_tables=20,
)  # fmt: skip
