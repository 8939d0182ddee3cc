"""The capacity budget: a token bucket in DynamoDB capacity units, halved while DynamoDB throttles."""

from __future__ import annotations

import threading
from typing import Protocol

from twinrow.clock import Stop, monotonic
from twinrow.errors import Broken

BURST_S = 1.0
HALVE_EVERY_S = 1.0
RECOVER_PER_S = 0.05
RATE_SHARE_MIN = 1 / 64
WAIT_S_MAX = 1.0
BUDGET_WAIT_S = 0.5
"""The longest that one step waits for a budget: stream, index and links beside it are not held up for longer."""


class Spending(Protocol):
    """The part of a budget that a reader uses, in this process or in the process that holds the budget."""

    def wait(self, stop: Stop) -> None:
        """Block until a request may be sent, or until `stop`."""

    def pay(self, units: float) -> None:
        """Take what an answer says that it cost."""

    def throttled(self) -> None:
        """DynamoDB throttled."""


class Budget:
    """Units per second over all threads that share it; None is no bound.

    Units are paid after the answer has reported its cost, so a single page may overdraw; the next caller waits longer.
    A budget whose rate was never set lets no request through: who forgets to set it must not read without a bound.
    """

    def __init__(self, units_per_s: float | None) -> None:
        self.units_per_s = units_per_s
        self.is_set = True
        self.used = 0.0
        self._lock = threading.Lock()
        self._share = 1.0
        self._tokens = (units_per_s or 0.0) * BURST_S
        self._at = monotonic()
        self._halved_at = 0.0

    @classmethod
    def unset(cls) -> Budget:
        """A budget whose rate is not known yet; until `limit` sets it, `wait`, `ready` and `pay` raise Broken."""
        budget = cls(None)
        budget.is_set = False
        return budget

    def _refuse_unset(self) -> None:
        if not self.is_set:
            raise Broken("the capacity budget was not set before the first request", remedy="please report it")

    def _refill(self) -> None:
        moment = monotonic()
        passed, self._at = moment - self._at, moment
        self._share = min(1.0, self._share + passed * RECOVER_PER_S)
        if self.units_per_s is not None:
            rate = self.units_per_s * self._share
            self._tokens = min(rate * BURST_S, self._tokens + passed * rate)

    def limit(self, units_per_s: float | None) -> None:
        """Set the rate anew: it is known only once the table has been described."""
        with self._lock:
            self._refill()
            self.units_per_s, self.is_set = units_per_s, True
            self._tokens = min(self._tokens, 0.0) + (units_per_s or 0.0) * BURST_S

    def wait(self, stop: Stop) -> None:
        """Block until the bucket is not overdrawn, or until `stop`."""
        while not stop and not self.ready(stop, WAIT_S_MAX):
            pass

    def ready(self, stop: Stop, wait_s_max: float) -> bool:
        """Whether a request may be sent, now or within `wait_s_max` seconds; a stop ends the waiting."""
        seconds = self._overdrawn_s()
        if seconds > 0:
            stop.wait(min(seconds, wait_s_max))
            seconds = self._overdrawn_s()
        return seconds <= 0

    def _overdrawn_s(self) -> float:
        """In how many seconds the bucket is not overdrawn any more."""
        self._refuse_unset()
        with self._lock:
            self._refill()
            if self.units_per_s is None:
                return 0.0
            return -self._tokens / (self.units_per_s * self._share)

    def pay(self, units: float) -> None:
        """Take `units` (capacity units that an answer says it consumed)."""
        self._refuse_unset()
        with self._lock:
            self._refill()
            self.used += units
            if self.units_per_s is not None:
                self._tokens -= units

    def throttled(self) -> None:
        """DynamoDB throttled: halve the rate (at most once a second); it recovers by 5 % a second."""
        with self._lock:
            self._refill()
            if monotonic() - self._halved_at >= HALVE_EVERY_S:
                self._halved_at = monotonic()
                self._share = max(RATE_SHARE_MIN, self._share / 2)

    @property
    def share(self) -> float:
        """The share of the full rate in force now (1.0 = not throttled)."""
        return self._share
