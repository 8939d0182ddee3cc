"""Rules of protection that have changed since a copy was made (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

NONE: Final[Mapping[str, Any]] = {"rules": {}, "attributes": None, "secret": None}


@dataclass(frozen=True, slots=True)
class ProtectionChange:
    """The difference between two summaries of `TableProtection`.

    `keys`: key attributes whose rule is another. `another_secret`: hashes of before mean nothing under today's secret.
    """

    keys: tuple[str, ...] = ()
    another_secret: bool = False
    differs: bool = False


def change_between(
    before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, keys: Collection[str]
) -> ProtectionChange:
    """Compare the summaries of the copy and of today. `keys`: the key attributes."""
    before, now = before or NONE, now or NONE
    if before == now:
        return ProtectionChange()
    another = None not in (before["secret"], now["secret"]) and before["secret"] != now["secret"]
    changed = [name for name in keys if before["rules"].get(name) != now["rules"].get(name)]
    return ProtectionChange(tuple(sorted(changed)), another, differs=True)
