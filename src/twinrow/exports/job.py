"""A job: exports that are asked for, waited for and read in the order of their time (pure).

Every step is durable before its effect: the token of a request is kept before the request goes out, so that a process
that comes after a crash asks for the same export again, not for a second export, which costs money. DynamoDB knows a
token for eight hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from twinrow.exports.windows import CLOCK_MARGIN_S, Window

State = Literal["PLANNED", "ASKED", "READY", "READ"]

LOOK_EVERY_S = 30.0
"""DescribeExport is asked so often; an export takes five minutes and more."""
ASK_AGAIN_S = 60.0
TRIES_MAX = 3
"""At most this many exports of a window fail before the job is given up."""
REFUSALS_MAX = 60
"""Refusals of a request for a reason that passes: an hour of them."""
PASSING: Final = frozenset(
    {
        "LimitExceededException", "InternalServerError", "InvalidExportTimeException",
        "ContinuousBackupsUnavailableException", "ThrottlingException",
    }
)  # fmt: skip
"""InvalidExportTimeException passes where the end of a window is near now: DynamoDB's clock may be behind ours."""
FAILED_FOR_GOOD: Final = frozenset({"S3NoSuchBucket", "AccessDenied", "S3AccessDenied"})
"""Failure codes of an export that another try meets again."""


class AskedExport(msgspec.Struct, frozen=True):
    """An export of a job. `from_at` None: a full export, as of `to_at` (epoch seconds, the clock of exports).

    `tries`: exports asked for before it, which failed; each has a token of its own. `refusals`: requests
    refused since. `due_at`: when it is asked for or looked at next, on DynamoDB's clock.
    """

    from_at: int | None
    to_at: int
    state: State = "PLANNED"
    due_at: float = 0.0
    tries: int = 0
    refusals: int = 0
    arn: str = ""
    manifest_key: str = ""
    trouble: str = ""


class ExportJob(msgspec.Struct, frozen=True):
    """Exports in the order in which they are applied. `token` is the base of their client tokens.

    `given_up`: why it cannot be done, else "".
    """

    token: str
    exports: tuple[AskedExport, ...]
    given_up: str = ""


_decode: Final = msgspec.json.Decoder(ExportJob).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class AskFor:
    """Call ExportTableToPointInTime for this export."""

    number: int


@dataclass(frozen=True, slots=True)
class LookAt:
    """Call DescribeExport for this export."""

    number: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read and apply the files of this export: all earlier ones are applied."""

    number: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before this moment (DynamoDB's clock)."""

    until: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job cannot be done."""

    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """Every export is applied."""


JobStep = AskFor | LookAt | Read | Wait | GiveUp | Done


def full_job(token: str, at: int) -> ExportJob:
    """A full export as of a moment."""
    return ExportJob(token, (AskedExport(None, at, due_at=float(at)),))


def windows_job(token: str, windows: Sequence[Window]) -> ExportJob:
    """Incremental exports of contiguous windows."""
    return ExportJob(
        token, tuple(AskedExport(window.from_at, window.to_at, due_at=window.askable_at) for window in windows)
    )


def to_json(job: ExportJob) -> str:
    """The job as it is kept."""
    return _encode(job).decode()


def from_json(text: str) -> ExportJob:
    """The job that was kept. Raises ValueError."""
    return _decode(text)


def token_of(job: ExportJob, number: int) -> str:
    """The client token of an export: the same for each try of a request, another after an export that failed."""
    return f"{job.token}-{number}-{job.exports[number].tries}"


def next_step(job: ExportJob, now: float) -> JobStep:
    """Returns what is to be done now. Files are read in order; requests do not wait for it."""
    if job.given_up:
        return GiveUp(job.given_up)
    for number, export in enumerate(job.exports):
        if export.state in ("PLANNED", "ASKED") and export.due_at <= now:
            return AskFor(number) if export.state == "PLANNED" else LookAt(number)
    unread = [(number, export) for number, export in enumerate(job.exports) if export.state != "READ"]
    if not unread:
        return Done()
    number, first = unread[0]
    if first.state == "READY":
        return Read(number)
    return Wait(min(export.due_at for _, export in unread if export.state != "READY"))


def begun(job: ExportJob, number: int, arn: str, now: float) -> ExportJob:
    """The request was answered: the export is under way."""
    return _with(job, number, state="ASKED", arn=arn, due_at=now + LOOK_EVERY_S, refusals=0, trouble="")


def refused(job: ExportJob, number: int, code: str, message: str, now: float) -> ExportJob:
    """The request was refused: it is sent again a minute later, or the job is given up.

    A conflict says that the token was used for other parameters, by an earlier setting: the next token is taken.
    """
    export = job.exports[number]
    trouble = f"{code}: {message}"
    if code == "ExportConflictException" and export.tries < TRIES_MAX:
        return _with(job, number, tries=export.tries + 1, due_at=now, trouble=trouble)
    if code not in PASSING or export.refusals >= REFUSALS_MAX:
        return msgspec.structs.replace(job, given_up=f"the export is refused ({trouble})")
    return _with(job, number, refusals=export.refusals + 1, due_at=now + ASK_AGAIN_S, trouble=trouble)


def described(job: ExportJob, number: int, answer: Mapping[str, Any], now: float) -> ExportJob:
    """DescribeExport has answered (its ExportDescription): the export runs on, is ready, or has failed."""
    status = answer.get("ExportStatus")
    if status == "COMPLETED":
        return _with(job, number, state="READY", manifest_key=str(answer.get("ExportManifest", "")), trouble="")
    if status == "FAILED":
        code, message = str(answer.get("FailureCode", "")), str(answer.get("FailureMessage", ""))
        return failed(job, number, f"{code}: {message}", now, for_good=code in FAILED_FOR_GOOD)
    return _with(job, number, due_at=now + LOOK_EVERY_S)


def failed(job: ExportJob, number: int, why: str, now: float, *, for_good: bool = False) -> ExportJob:
    """The export failed, or a file of it is damaged: another is asked for, or the job is given up."""
    tries = job.exports[number].tries + 1
    if for_good or tries >= TRIES_MAX:
        return msgspec.structs.replace(job, given_up=f"the export failed ({why})")
    return _with(
        job, number, state="PLANNED", tries=tries, refusals=0, arn="", manifest_key="", due_at=now, trouble=why
    )


def read(job: ExportJob, number: int) -> ExportJob:
    """Every file of the export is applied."""
    return _with(job, number, state="READ", trouble="")


def ready_by(job: ExportJob, now: float, export_s: float) -> float:
    """A moment before which the job cannot be through, where an export takes `export_s` at least."""
    return max((max(export.due_at, now) + export_s for export in job.exports if export.state == "PLANNED"), default=now)


def parameters(job: ExportJob, number: int) -> dict[str, Any]:
    """The parameters of ExportTableToPointInTime that say which export is meant."""
    export = job.exports[number]
    asked: dict[str, Any] = {"ClientToken": token_of(job, number), "ExportFormat": "DYNAMODB_JSON"}
    if export.from_at is None:
        return asked | {"ExportType": "FULL_EXPORT", "ExportTime": export.to_at}
    return asked | {
        "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {
            "ExportFromTime": export.from_at,
            "ExportToTime": export.to_at,
            "ExportViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def full_export_at(now: float) -> int:
    """The latest whole second that is certainly past on the clock of exports."""
    return int(now) - CLOCK_MARGIN_S


def _with(job: ExportJob, number: int, **changes: Any) -> ExportJob:
    exports = list(job.exports)
    exports[number] = msgspec.structs.replace(exports[number], **changes)
    return msgspec.structs.replace(job, exports=tuple(exports))
