"""A gap that is filled: the plan as it is kept, the choice between exports and a reconcile, and its state (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from twinrow.exports import job as jobs
from twinrow.exports import price
from twinrow.exports.job import ExportJob
from twinrow.exports.windows import Loss, WindowPlan, plan_of_loss

FillState = Literal["waiting", "exporting", "reading", "rechecking"]


class Fill(msgspec.Struct, frozen=True):
    """Exports that fill a gap. `gaps_up_to`: the newest gap that they mend.

    `rows_since`: rows written since then (MySQL's clock) are read consistently, and keys reborn since `recheck_since`
    (DynamoDB's clock). `walked_to`: the row id up to which such rows were looked for, None when all were.
    `dollars`: what it was expected to cost; `billed_bytes`: what DynamoDB has billed.
    """

    job: ExportJob
    gaps_up_to: int
    recheck_since: float
    rows_since: float
    dollars: float
    walked_to: int | None = 0
    billed_bytes: int = 0

    @property
    def from_at(self) -> int:
        """The beginning of the first window (DynamoDB's clock)."""
        return self.job.exports[0].from_at or 0

    @property
    def to_at(self) -> int:
        """The end of the last window."""
        return self.job.exports[-1].to_at


@dataclass(frozen=True, slots=True)
class FillProgress:
    """How far a gap is filled, for people. Times are epoch seconds, on DynamoDB's clock.

    `ready_at`: it cannot be through earlier. `trouble`: why an export was refused or failed last, or "".
    """

    from_at: int
    to_at: int
    state: FillState
    windows: int
    windows_read: int
    dollars: float
    ready_at: float | None
    trouble: str


_decode: Final = msgspec.json.Decoder(Fill).decode
_encode: Final = msgspec.json.Encoder().encode


def to_json(fill: Fill) -> str:
    """The plan as it is kept."""
    return _encode(fill).decode()


def from_json(text: str) -> Fill:
    """The plan that was kept. Raises ValueError."""
    return _decode(text)


def window_plan(lost_from: float, to_at: float) -> WindowPlan:
    """Windows over a loss that was noticed at its end: nothing from later had been applied then."""
    return plan_of_loss(Loss(lost_from, max(to_at, lost_from), max(to_at, lost_from)))


def why_a_pass_is_cheaper(table_bytes: int, changed_bytes: float, windows: int) -> str:
    """Why a whole-table pass costs less than these windows, "" where it does not."""
    by_export, by_pass = price.windows_dollars(changed_bytes, windows), price.pass_dollars(table_bytes)
    if by_export <= by_pass:
        return ""
    return f"a pass costs less (${by_pass:,.4f}; exports ${by_export:,.4f})"


def progress_of(fill: Fill) -> FillProgress:
    """How far it is."""
    exports = fill.job.exports
    unread = [export for export in exports if export.state != "READ"]
    if not unread:
        state: FillState = "rechecking"
    elif unread[0].state == "READY":
        state = "reading"
    elif any(export.state == "ASKED" for export in unread):
        state = "exporting"
    else:
        state = "waiting"
    open_ends = [max(export.due_at, export.to_at) for export in unread if export.state in ("PLANNED", "ASKED")]
    billed = price.cents_up(fill.billed_bytes / price.GB * price.DOLLARS_A_GB)
    return FillProgress(
        fill.from_at, fill.to_at, state, len(exports), len(exports) - len(unread),
        max(price.cents_up(fill.dollars), billed),
        max(open_ends) + price.SECONDS_MIN if open_ends else None,
        next((export.trouble for export in unread if export.trouble), ""),
    )  # fmt: skip


def billed(fill: Fill, job: ExportJob, answer: dict[str, object]) -> Fill:
    """The plan with a job that DescribeExport has moved on."""
    size = answer.get("BilledSizeBytes") if answer.get("ExportStatus") == "COMPLETED" else None
    more = size if isinstance(size, int) else 0
    return msgspec.structs.replace(fill, job=job, billed_bytes=fill.billed_bytes + more)


def is_read(fill: Fill) -> bool:
    """Whether every window is applied."""
    return isinstance(jobs.next_step(fill.job, 0.0), jobs.Done)
