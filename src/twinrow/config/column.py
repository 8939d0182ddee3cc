"""The shape of an override: what a person says of an attribute's column."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


def _told(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class ColumnConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An override of what would be learned of an attribute."""

    column: Annotated[str | None, _told("Name of the column.")] = None
    type: Annotated[str | None, _told("Type of the column, for example `DECIMAL(12,2)`; see schema.md.")] = None
    source: Annotated[
        Literal["epoch_s", "epoch_ms", "iso8601"] | None,
        _told("How a DATE or DATETIME is read; else text as ISO-8601, numbers as epoch seconds."),
    ] = msgspec.field(default=None, name="from")
    ignore: Annotated[bool, _told("Leave the attribute out of rows, extra and comparison.")] = False
    widen: Annotated[
        bool,
        _told(
            "A value that `type` does not hold makes the column wider, as a learned column; for numbers, texts, and "
            "times that are read from numbers."
        ),
    ] = False
