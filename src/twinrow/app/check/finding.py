"""The findings of a pre-flight check, and the fixes of `check --fix`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twinrow.clock import Stop

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Fix:
    """A change to a DynamoDB table: what it does, what it costs, and how it is done (until it is in force)."""

    what: str
    cost: str
    act: Callable[[Stop], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding: `table` is empty for a server; an `error` keeps a sync from starting."""

    table: str
    name: str
    level: Level
    text: str
    remedy: str = ""
    fix: Fix | None = None
