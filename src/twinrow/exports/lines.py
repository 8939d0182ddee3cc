"""The lines of an export: an item (full export) or a change (incremental export) (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from twinrow.change import Item
from twinrow.decode import wire_json
from twinrow.exports.damaged import DamagedExport
from twinrow.exports.manifest import ASK_AGAIN, DataFile

MICROSECONDS = 1e6


class _FullLine(msgspec.Struct):
    """The item stays bytes: it is decoded by whoever makes rows of it."""

    item: msgspec.Raw = msgspec.field(name="Item")


class _Metadata(msgspec.Struct):
    """AWS writes the number as an attribute value, its guide shows it as text."""

    written: dict[str, str] | str = msgspec.field(name="WriteTimestampMicros")


class _ChangeLine(msgspec.Struct):
    metadata: _Metadata = msgspec.field(name="Metadata")
    keys: dict[str, Any] | None = msgspec.field(name="Keys", default=None)
    old: dict[str, Any] | None = msgspec.field(name="OldImage", default=None)
    new: dict[str, Any] | None = msgspec.field(name="NewImage", default=None)


_decode_full: Final = msgspec.json.Decoder(_FullLine).decode
_decode_changes: Final = msgspec.json.Decoder(list[_ChangeLine]).decode


@dataclass(frozen=True, slots=True)
class ExportedChange:
    """The fate of an item in a window: `new` is its image at the window's end, None where it is gone.

    `old` is its image before the window, None where there was none or the export holds no old images. `at` (epoch
    seconds) is when it was last written. A deletion by DynamoDB's TTL looks like any other.
    """

    key: Item
    old: Item | None
    new: Item | None
    at: float


def items_array(lines: Sequence[bytes], file: DataFile) -> bytes:
    """The items of a full export's lines as a JSON array, as a page of a scan has them. Raises DamagedExport."""
    try:
        return b"[%b]" % b",".join([bytes(_full_line(line).item) for line in lines])
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise _no_line(file.key, error) from error


def _full_line(line: bytes) -> _FullLine:
    return wire_json.decoded(_decode_full, line, lambda plain: _FullLine(msgspec.Raw(wire_json.encoded(plain["Item"]))))


def change_of(line: bytes, keys: Sequence[str], file: str) -> ExportedChange:
    """The change of an incremental export's line; `keys` are the table's key attributes. Raises DamagedExport."""
    changes = changes_of(b"[%b]" % line, keys, file)
    if len(changes) != 1:
        raise _no_line(file, ValueError("it is empty"))
    return changes[0]


def changes_of(array: bytes, keys: Sequence[str], file: str) -> list[ExportedChange]:
    """The changes of a JSON array of such lines; `file` names where they are from. Raises DamagedExport."""
    try:
        found = wire_json.decoded(_decode_changes, array, lambda plain: msgspec.convert(plain, list[_ChangeLine]))
        return [_change(line, keys) for line in found]
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise _no_line(file, error) from error


def _change(line: _ChangeLine, keys: Sequence[str]) -> ExportedChange:
    written = line.metadata.written
    micros = int(written if isinstance(written, str) else written["N"])
    key = {name: (line.keys or line.new or {})[name] for name in keys}
    return ExportedChange(key, line.old, line.new, micros / MICROSECONDS)


def _no_line(file: str, error: Exception) -> DamagedExport:
    return DamagedExport(
        f"holds a line that is none of an export of its kind ({error})", where=f"export file {file}",
        remedy=ASK_AGAIN,
    )  # fmt: skip
