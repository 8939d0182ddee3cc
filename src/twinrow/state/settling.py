"""Waiting until what stands open now is settled, on a table where something new is entered all the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

KEYS_MAX: Final = 50_000
"""More keys are not looked at, only waited for until they are fewer: 4 MB of fingerprints at each look."""

ReadOpen = Callable[[int], set[bytes]]
"""Gives the fingerprints of the keys that stand open, at most so many."""


class Settling:
    """Keys that stand open at the first look; what is entered later does not count."""

    def __init__(self, read_open: ReadOpen) -> None:
        self._read_open = read_open
        self._left: set[bytes] | None = None

    def through(self) -> bool:
        """Look again; whether each of them was seen settled once. Raises what the reading raises."""
        if self._left is not None and not self._left:
            return True
        found = self._read_open(KEYS_MAX + 1)
        if len(found) > KEYS_MAX:
            return False
        self._left = found if self._left is None else self._left & found
        return not self._left
