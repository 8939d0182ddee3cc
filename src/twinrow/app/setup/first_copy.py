"""How long a first copy takes, and what bounds it: the budget, the CPU of this process, or MySQL (pure).

Each constant is measured, and `docs/scale.md` says how; what follows from them is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

ALONE_S_AN_ITEM: Final = 28.3e-6
"""CPU of a process that reads and writes by itself."""
PARENT_S_AN_ITEM: Final = 16.8e-6
"""CPU of the process that writes, while other processes read for it (`[sync] workers`)."""
SESSION_S_A_KB: Final = 25e-6
"""Time of a MySQL session for LOAD DATA of a row of 1 KB; a smaller row takes half of that at least."""
LINK_S_AN_ITEM: Final = 332e-6
"""CPU of a process for an item that is linked: its row takes the general way, and its link is sent and settled."""
ITEM_BYTES: Final = 1024
"""The size of an item where nothing says it."""
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)", re.IGNORECASE)
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make the first copy: how long it takes at least, and what bounds it."""

    name: str
    seconds: float
    bound: str


def size_bytes(text: str) -> int:
    """Bytes of `"1TB"`, `"500 GB"`, in steps of 1,000. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is no size: write a number and B, KB, MB, GB or TB, for example 1TB")
    factor: int = 1000 ** _UNITS.index(match[2].upper())
    return round(float(match[1]) * factor)


def ways(items: int, size: int, *, linked: bool, budget_s: float) -> tuple[Way, ...]:
    """Each way for so many items and bytes; `budget_s` is how long the capacity budget alone takes."""
    kilobytes = size / items / ITEM_BYTES if items else 1.0
    mysql_s = items * SESSION_S_A_KB * max(0.5, kilobytes)
    if linked:
        return (_way("a process alone", "the CPU of the process", items * LINK_S_AN_ITEM, mysql_s, budget_s),)
    return (
        _way("a process alone", "the CPU of the process", items * ALONE_S_AN_ITEM, mysql_s, budget_s),
        _way("with `[sync] workers = 4`", "the CPU that writes", items * PARENT_S_AN_ITEM, mysql_s, budget_s),
    )


def _way(name: str, cpu: str, cpu_s: float, mysql_s: float, budget_s: float) -> Way:
    bounds = {cpu: cpu_s, "a single MySQL session": mysql_s, "the capacity budget": budget_s}
    bound = max(bounds, key=lambda which: bounds[which])
    return Way(name, round(bounds[bound], 1), bound)
