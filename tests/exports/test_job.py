"""A job of exports: what is due, in which order, with which token, and when it is given up."""

from __future__ import annotations

import pytest

from twinrow.exports import job as jobs
from twinrow.exports import price
from twinrow.exports.decide import Act, KeyStanding, decide
from twinrow.exports.job import AskFor, Done, ExportJob, GiveUp, LookAt, Read, Wait
from twinrow.exports.lines import ExportedChange
from twinrow.exports.windows import Window

TWO = jobs.windows_job("t", (Window(1000, 2000), Window(2000, 3000)))
NOW = 5000.0


def _ready(job: ExportJob, number: int) -> ExportJob:
    job = jobs.begun(job, number, f"arn:{number}", NOW)
    return jobs.described(job, number, {"ExportStatus": "COMPLETED", "ExportManifest": f"m{number}"}, NOW)


def test_windows_are_asked_for_side_by_side_and_read_in_order() -> None:
    assert jobs.next_step(TWO, 0.0) == Wait(2060.0)
    assert jobs.next_step(TWO, 2060.0) == AskFor(0)
    job = jobs.begun(TWO, 0, "arn:0", NOW)
    assert jobs.next_step(job, NOW) == AskFor(1), "the first one is not waited for"
    job = _ready(job, 1)
    assert jobs.next_step(job, NOW) == Wait(NOW + jobs.LOOK_EVERY_S), "the second one is ready, and waits for the first"
    assert jobs.next_step(job, NOW + jobs.LOOK_EVERY_S) == LookAt(0)
    job = _ready(job, 0)
    assert jobs.next_step(job, NOW) == Read(0)
    job = jobs.read(job, 0)
    assert jobs.next_step(job, NOW) == Read(1)
    assert jobs.next_step(jobs.read(job, 1), NOW) == Done()


def test_a_request_sent_again_has_the_same_token_and_an_export_after_a_failed_one_another() -> None:
    token = jobs.token_of(TWO, 0)
    assert jobs.token_of(jobs.refused(TWO, 0, "LimitExceededException", "busy", NOW), 0) == token
    failed = jobs.described(jobs.begun(TWO, 0, "a", NOW), 0, {"ExportStatus": "FAILED", "FailureCode": "X"}, NOW)
    assert jobs.token_of(failed, 0) != token
    assert jobs.next_step(failed, NOW) == AskFor(0)
    assert len({jobs.token_of(TWO, 0), jobs.token_of(TWO, 1)}) == 2
    assert jobs.token_of(jobs.refused(TWO, 0, "ExportConflictException", "used", NOW), 0) != token


def test_what_is_kept_is_the_same_job() -> None:
    job = _ready(jobs.failed(TWO, 1, "lost", NOW), 0)
    assert jobs.from_json(jobs.to_json(job)) == job


@pytest.mark.parametrize("code", ["TableNotFoundException", "PointInTimeRecoveryUnavailableException", "AccessDenied"])
def test_a_refusal_that_does_not_pass_gives_the_job_up(code: str) -> None:
    job = jobs.refused(TWO, 0, code, "no", NOW)
    assert jobs.next_step(job, NOW) == GiveUp(f"the export is refused ({code}: no)")


@pytest.mark.parametrize("code", ["InvalidExportTimeException", "LimitExceededException"])
def test_a_refusal_that_passes_is_tried_again_an_hour_long(code: str) -> None:
    job, now = TWO, NOW
    for _ in range(jobs.REFUSALS_MAX):
        job = jobs.refused(job, 0, code, "no", now)
        assert job.exports[0].due_at == now + jobs.ASK_AGAIN_S
        now += jobs.ASK_AGAIN_S
        assert jobs.next_step(job, now) == AskFor(0)
    assert isinstance(jobs.next_step(jobs.refused(job, 0, code, "no", now), now), GiveUp)


def test_exports_that_fail_are_few() -> None:
    job = TWO
    for _ in range(jobs.TRIES_MAX):
        assert jobs.next_step(job, NOW) == AskFor(0)
        job = jobs.failed(jobs.begun(job, 0, "a", NOW), 0, "why", NOW)
    assert jobs.next_step(job, NOW) == GiveUp("the export failed (why)")
    no_bucket = {"ExportStatus": "FAILED", "FailureCode": "S3NoSuchBucket", "FailureMessage": "b"}
    assert isinstance(jobs.next_step(jobs.described(TWO, 0, no_bucket, NOW), NOW), GiveUp), "no other try helps"


def test_the_requests_say_what_is_meant() -> None:
    assert jobs.parameters(TWO, 1) == {
        "ClientToken": "t-1-0", "ExportFormat": "DYNAMODB_JSON", "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {
            "ExportFromTime": 2000, "ExportToTime": 3000, "ExportViewType": "NEW_AND_OLD_IMAGES",
        },
    }  # fmt: skip
    assert jobs.parameters(jobs.full_job("t", 77), 0) == {
        "ClientToken": "t-0-0", "ExportFormat": "DYNAMODB_JSON", "ExportType": "FULL_EXPORT", "ExportTime": 77,
    }  # fmt: skip


ITEM = {"pk": {"S": "a"}}


@pytest.mark.parametrize(
    ("new", "stands", "has_old", "tells", "act"),
    [
        (ITEM, KeyStanding(False, True, False), True, True, "PUT"),
        (None, KeyStanding(False, True, False), True, True, "DELETE"),
        (ITEM, KeyStanding(False, False, True), True, True, "LEAVE"),
        (ITEM, KeyStanding(False, False, False), True, True, "RECHECK"),
        (None, KeyStanding(False, False, False), True, True, "RECHECK"),
        (ITEM, KeyStanding(False, False, False, doubtful=True), True, True, "PUT"),
        (None, KeyStanding(False, False, False, doubtful=True), True, True, "DELETE"),
        (ITEM, KeyStanding(True, True, False), True, True, "LEAVE"),
        (None, KeyStanding(True, True, False), True, True, "LEAVE"),
        (ITEM, KeyStanding(True, True, False), True, False, "RECHECK"),
        (ITEM, KeyStanding(False, False, False), False, True, "PUT"),
        (None, KeyStanding(False, False, False), False, True, "DELETE"),
    ],
)
def test_what_becomes_of_a_line(new: object, stands: KeyStanding, has_old: bool, tells: bool, act: Act) -> None:
    change = ExportedChange(ITEM, ITEM, ITEM if new is not None else None, 1.0)
    assert decide(change, stands, has_old=has_old, tells_every_change=tells) == act


def test_prices() -> None:
    assert price.full_dollars(50_000_000_000) == 5.0
    assert price.windows_dollars(0, 3) == pytest.approx(0.003), "10 MB a window at least"
    assert price.windows_dollars(20_000_000_000, 2) == 2.0
    assert (price.cents_up(0.003), price.cents_up(0.0), price.cents_up(0.30)) == (0.01, 0.0, 0.3)
    assert price.recovery_dollars_a_month(10_000_000_000) == 2.0
