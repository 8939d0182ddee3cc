"""A host's clock that is off: `check` and `status` report it, though no decision about a copy depends on it."""

from __future__ import annotations

from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.clock import SKEW_S_MAX, ServerClock
from twinrow.state.counted import Counted

REMEDY = "set this host's clock (NTP); AWS refuses requests signed minutes off"


def is_off(skew_s: float | None) -> bool:
    """Whether a skew is worth a word."""
    return skew_s is not None and abs(skew_s) > SKEW_S_MAX


def skewed(progress: Counted | None) -> Iterator[str]:
    """The warning about the clock of the host that copies a table, as its process has reported it."""
    if progress is None:
        return
    for server, skew_s in (("DynamoDB", progress.dynamodb_skew_s), ("MySQL", progress.mysql_skew_s)):
        if skew_s is not None and is_off(skew_s):
            yield f"the clock of the host that runs the sync is {_by(skew_s)} {server}'s"


def finding(table: str, server: str, server_clock: ServerClock) -> Finding:
    """The finding of `check` about this host's clock against a server's."""
    skew_s = server_clock.skew_s()
    if skew_s is None:
        return Finding(table, f"clock of {server}", "warning", f"{server} has not sent its time", REMEDY)
    if is_off(skew_s):
        return Finding(table, f"clock of {server}", "warning", f"this host's clock is {_by(skew_s)} {server}'s", REMEDY)
    return Finding(table, f"clock of {server}", "ok", f"this host's clock is within {SKEW_S_MAX:g} s of it")


def _by(skew_s: float) -> str:
    return f"{abs(skew_s):,.0f} s {'ahead of' if skew_s > 0 else 'behind'}"
