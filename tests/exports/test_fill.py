"""A gap that is filled: its windows, its price against a pass, its state in words."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.app.observe.filling import progress_in, sentence
from twinrow.exports import fill, job
from twinrow.exports.fill import Fill
from twinrow.exports.windows import CLOCK_MARGIN_S

LOST_FROM = 1_768_000_000.0


def _fill(lost_s: float = 1200.0) -> Fill:
    plan = fill.window_plan(LOST_FROM, LOST_FROM + lost_s)
    return Fill(job.windows_job("t", plan.windows), 7, plan.recheck_since or 0.0, 0.0, 0.001)


@given(st.floats(0, 40 * 86_400))
def test_the_windows_hold_the_loss_with_a_margin_on_both_sides(lost_s: float) -> None:
    plan = fill.window_plan(LOST_FROM, LOST_FROM + lost_s)
    assert plan.from_at <= LOST_FROM - CLOCK_MARGIN_S
    assert plan.to_at >= LOST_FROM + lost_s + CLOCK_MARGIN_S
    assert plan.recheck_since is not None
    assert plan.recheck_since <= plan.from_at - CLOCK_MARGIN_S


def test_a_small_table_is_cheaper_to_read_and_a_large_one_to_export() -> None:
    assert fill.why_a_pass_is_cheaper(10_000_000, 0.0, 1) == "a pass costs less ($0.0003; exports $0.0010)"
    assert fill.why_a_pass_is_cheaper(1_000_000_000, 0.0, 1) == ""
    assert fill.why_a_pass_is_cheaper(1_000_000_000, 0.9e9, 1)


def test_it_is_kept_and_read_back() -> None:
    kept = msgspec.structs.replace(_fill(), walked_to=None, billed_bytes=3)
    assert fill.from_json(fill.to_json(kept)) == kept


def _moved(kept: Fill, **values: object) -> Fill:
    exports = tuple(msgspec.structs.replace(export, **values) for export in kept.job.exports)
    return msgspec.structs.replace(kept, job=msgspec.structs.replace(kept.job, exports=exports))


@pytest.mark.parametrize(
    ("values", "state"),
    [({}, "waiting"), ({"state": "ASKED"}, "exporting"), ({"state": "READY"}, "reading"),
     ({"state": "READ"}, "rechecking")],
)  # fmt: skip
def test_its_state_follows_its_exports(values: dict[str, object], state: str) -> None:
    assert fill.progress_of(_moved(_fill(), **values)).state == state


def test_status_tells_window_state_price_and_time() -> None:
    progress = progress_in(fill.to_json(_fill()))
    assert progress is not None
    assert sentence(1, progress, LOST_FROM + 1200) == (
        "1 gap in what was read, filled by 1 export of 2026-01-09 23:05:40 to 2026-01-09 23:27:41 UTC: waits until the "
        "end of the last window is past, 0 of 1 read, about $0.01, ready in 7 min or later"
    )
    assert progress_in("") is None


def test_what_dynamodb_has_billed_counts() -> None:
    kept = _fill()
    answer = {"ExportStatus": "COMPLETED", "BilledSizeBytes": 5_000_000_000}
    assert fill.progress_of(fill.billed(kept, kept.job, answer)).dollars == 0.5
    assert fill.billed(kept, kept.job, {"ExportStatus": "IN_PROGRESS"}).billed_bytes == 0
