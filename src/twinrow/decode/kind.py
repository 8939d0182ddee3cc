"""The ten kinds of DynamoDB values, and how to find the kind of a value."""

from __future__ import annotations

from typing import Final, Literal, get_args

from twinrow.change import AttributeValue

Kind = Literal["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"]

KINDS: Final[frozenset[Kind]] = frozenset(get_args(Kind))
_KIND_OF: Final[dict[str, Kind]] = {kind: kind for kind in KINDS}

LEVELS_MAX: Final = 64
"""Levels of maps and lists that are followed. DynamoDB takes 32 (AWS: "Nested attributes can be up to 32 levels deep");
the rest is room for another way of counting, well below Python's recursion limit."""


def kind_of(value: AttributeValue) -> Kind:
    """Return the kind of a value in wire form. Raises ValueError unless it has exactly one known kind."""
    if len(value) == 1:
        (name,) = value
        kind = _KIND_OF.get(name)
        if kind is not None:
            return kind
    raise ValueError(f"not a DynamoDB value: its kinds are {sorted(value)!r}")


def too_deep() -> ValueError:
    """The error for a value nested deeper than DynamoDB allows."""
    return ValueError(f"nested deeper than {LEVELS_MAX} levels, which DynamoDB does not allow")
