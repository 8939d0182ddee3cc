"""The keys of `twinrow.toml` that protect attributes: their shapes, and what is refused before a server is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

MASK_SHOWN_MAX: Final = 64
"""More than this is no mask: most values would stand there whole."""


class ProtectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secret with which attributes are hashed. It is kept nowhere else: without it, a copy cannot go on."""

    secret: Annotated[
        str,
        msgspec.Meta(
            description="At least 32 characters: `${TWINROW_HASH_SECRET}`. Equal values have equal hashes only under "
            "the same secret."
        ),
    ]

    def __repr__(self) -> str:
        return "ProtectConfig()"  # a repr stands in tracebacks and logs


class RuleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of `[tables.protect]` that takes a value: one of the two."""

    mask: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=MASK_SHOWN_MAX)] | None,
        msgspec.Meta(description="So many last characters stay readable, the others become `*`."),
    ] = None
    hash_part: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None,
        msgspec.Meta(
            description="A template such as `USER#{email}`: its parts are hashed, the rest of the text stays readable."
        ),
    ] = None


HidingRule = Literal["hash", "drop"] | RuleConfig


def wants_secret(rules: Mapping[str, HidingRule]) -> bool:
    """Whether a rule hashes."""
    return any(rule == "hash" or (isinstance(rule, RuleConfig) and rule.mask is None) for rule in rules.values())


def fault_in(rules: Mapping[str, HidingRule]) -> tuple[str, str] | None:
    """The first attribute whose rule says nothing, or two things, and why."""
    for name, rule in rules.items():
        if isinstance(rule, RuleConfig) and (rule.mask is None) == (rule.hash_part is None):
            return name, "write `mask` or `hash_part`, one of them"
    return None
