"""A bell: whoever has news for a table's work rings it, and the work need not look again and again whether there is."""

from __future__ import annotations

import threading


class Bell:
    """Rung from any thread; heard by a single thread, once for all the rings since it last listened."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """End the wait of this moment, or the next."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until it rings, at most `seconds`; whether it rang."""
        rang = self._event.wait(max(0.0, seconds))
        self._event.clear()
        return rang
