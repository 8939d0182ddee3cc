"""Conditions as `twinrow.toml` has them: an attribute and what it must be."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

Scalar = str | bool | int | float


def _text(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class WantedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tests of an attribute beyond equality: `exists` everywhere, the others in `where`."""

    exists: Annotated[bool | None, _text("Whether the item has the attribute.")] = None
    other_than: Annotated[
        Scalar | list[Scalar] | None, _text("Anything but this; a missing attribute does not match.")
    ] = msgspec.field(default=None, name="not")
    low: Annotated[Scalar | None, _text("At least this: numbers by value, texts by their UTF-8 bytes.")] = (
        msgspec.field(default=None, name="from")
    )
    high: Annotated[Scalar | None, _text("Less than this.")] = msgspec.field(default=None, name="to")


WantedValue = Scalar | list[Scalar] | WantedConfig
When = dict[str, WantedValue]
Where = When | list[When]

_KNOWN: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(Where)
"""msgspec must know these types before two threads ask for them at once: see `twinrow.decode.compiled`."""
