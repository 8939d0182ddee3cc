"""A gap that exports fill, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from twinrow.app.observe.troubles import many, span
from twinrow.exports import fill
from twinrow.exports.fill import FillProgress, FillState

DOES: dict[FillState, str] = {
    "waiting": "waits until the end of the last window is past",
    "exporting": "DynamoDB exports",
    "reading": "files are read",
    "rechecking": "keys in doubt are read again",
}


def progress_in(kept: str) -> FillProgress | None:
    """How far the plan that is kept is; None for no plan."""
    return fill.progress_of(fill.from_json(kept)) if kept else None


def sentence(gaps: int, progress: FillProgress, at: float) -> str:
    """The gaps, their windows, the state, the price, and how long it takes at least from the moment `at`."""
    left_s = progress.ready_at - at if progress.ready_at is not None else 0.0
    return (
        f"{many(gaps, 'gap')} in what was read, filled by {many(progress.windows, 'export')} of "
        f"{_moment(progress.from_at)} to {_moment(progress.to_at)} UTC: {DOES[progress.state]}, "
        f"{progress.windows_read} of {progress.windows} read, about ${progress.dollars:,.2f}"
        + (f", ready in {span(left_s)} or later" if left_s > 0 else "")
        + (f" (last trouble: {progress.trouble})" if progress.trouble else "")
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
