"""Messages between a process that holds a copy and a process that reads for it, over the reader's stdin and stdout."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from twinrow.capture.pages import Page, SourceSpec
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import TwinrowError
from twinrow.exports.damaged import DamagedExport, UnfitExport
from twinrow.flavour import Flavour
from twinrow.schema.load_text import LoadText
from twinrow.schema.table import from_json, to_json
from twinrow.write.load import RowPlan

LENGTH_BYTES: Final = 4


class RowPlanMessage(msgspec.Struct, tag=True, frozen=True):
    """How rows are made from now on."""

    schema: str
    flavour: Flavour
    ignored: list[str]
    spare: list[str]
    deleted: str | None
    where: str | None


class Job(msgspec.Struct, tag=True, frozen=True):
    """The first message: what to read, from which positions."""

    table: str
    source: SourceSpec
    positions: dict[str, str | None]
    row_plan: RowPlanMessage


class Go(msgspec.Struct, tag=True, frozen=True):
    """A request may be sent."""


class Ask(msgspec.Struct, tag=True, frozen=True):
    """May a request be sent?"""


class Paid(msgspec.Struct, tag=True, frozen=True):
    """The cost of an answer."""

    units: float


class WasThrottled(msgspec.Struct, tag=True, frozen=True):
    """DynamoDB throttled."""


class Waits(msgspec.Struct, tag=True, frozen=True):
    """Why the reader waits; empty when it does no more."""

    trouble: str


class PageRead(msgspec.Struct, tag=True, frozen=True):
    """A page as it came, and its rows where they could be made."""

    page: Page
    text: LoadText | None


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The reader cannot go on; `code` is DynamoDB's, where it refuses, and the name of what is wrong with an export."""

    what: str
    where: str
    remedy: str
    code: str = ""
    commands: tuple[str, ...] = ()


_OF_EXPORTS: Final[dict[str, type[TwinrowError]]] = {"DamagedExport": DamagedExport, "UnfitExport": UnfitExport}
"""Errors of which the process that holds the copy has to know what they are."""


def failure_of(error: TwinrowError) -> Failed:
    """The message of an error."""
    code = error.code if isinstance(error, DynamoDBError) else type(error).__name__
    is_known = isinstance(error, DynamoDBError) or code in _OF_EXPORTS
    return Failed(error.what, error.where, error.remedy, code if is_known else "", error.commands)


def error_of(failed: Failed) -> TwinrowError:
    """The error of a message."""
    if not failed.code or failed.code in _OF_EXPORTS:
        kind = _OF_EXPORTS.get(failed.code, TwinrowError)
        return kind(failed.what, where=failed.where, remedy=failed.remedy, commands=failed.commands)
    return DynamoDBError(failed.code, failed.what, where=failed.where, remedy=failed.remedy, commands=failed.commands)


ToReader = Job | RowPlanMessage | Go
FromReader = Ask | Paid | WasThrottled | Waits | PageRead | Failed

encode: Final = msgspec.msgpack.Encoder().encode
decode_to_reader: Final = msgspec.msgpack.Decoder(ToReader).decode
decode_from_reader: Final = msgspec.msgpack.Decoder(FromReader).decode


def told(row_plan: RowPlan) -> RowPlanMessage:
    """A row plan as a message."""
    where = row_plan.row_filter.source if row_plan.row_filter is not None else None
    return RowPlanMessage(
        to_json(row_plan.schema), row_plan.flavour, sorted(row_plan.ignored), sorted(row_plan.spare),
        row_plan.deleted, where,
    )  # fmt: skip


def row_plan_of(message: RowPlanMessage) -> RowPlan:
    """The row plan that a message tells."""
    ignored, spare = frozenset(message.ignored), frozenset(message.spare)
    row_filter = None
    if message.where is not None:
        from twinrow.entities.row_filter import opened

        row_filter = opened(message.where)
    return RowPlan(from_json(message.schema), message.flavour, ignored, spare, message.deleted, row_filter)


def write(stream: IO[bytes], message: ToReader | FromReader) -> None:
    """Send a message whole. Raises OSError when the other side is gone."""
    body = encode(message)
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big"))
    stream.write(body)
    stream.flush()


def read(stream: IO[bytes]) -> bytes | None:
    """The next message; None when the other side is gone, also in the middle of a message."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    return body if len(body) == length else None
