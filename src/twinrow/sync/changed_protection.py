"""Rules of protection that have changed since a copy was made: what is done to its rows, what is read anew (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from twinrow.change import PATH_DOT

NONE: Final[Mapping[str, Any]] = {"rules": {}, "attributes": None, "secret": None}
UNDER_WAY: Final = "under_way"
"""In a summary that is kept in MySQL: the summary that a pass over the rows is making true."""
WALK: Final = "protecting"
"""The checkpoint of that pass: the highest id of the rows that are through."""
DROP: Final = "drop"


@dataclass(frozen=True, slots=True)
class ProtectionChange:
    """The difference between two summaries of `TableProtection`.

    `keys`: key attributes whose rule is another. `another_secret`: hashes of before mean nothing under today's secret.
    `hidden`: paths whose rule of today is put on the values that are in MySQL. `dropped`: paths whose values go out of
    MySQL until they are read anew. `narrower`: attributes go out that an allow-list does not have any more. `reread`:
    values are needed that MySQL does not have.
    """

    keys: tuple[str, ...] = ()
    another_secret: bool = False
    hidden: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    narrower: bool = False
    reread: bool = False

    @property
    def has_pass(self) -> bool:
        """Whether rows are rewritten inside MySQL."""
        return bool(self.hidden or self.dropped or self.narrower)


def change_between(
    before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, keys: Collection[str] = ()
) -> ProtectionChange:
    """Compare the summaries of the copy and of today. `keys`: the key attributes."""
    before, now = before or NONE, now or NONE
    under_way = before.get(UNDER_WAY)
    if under_way is None and before == now:
        return ProtectionChange()
    earlier, rules = before["rules"], now["rules"]
    again = under_way is not None and under_way != now  # a pass for other rules has changed some of the rows
    if again and under_way is not None:
        earlier = {**under_way["rules"], **earlier}
    changed = [path for path in sorted(earlier.keys() | rules.keys()) if again or earlier.get(path) != rules.get(path)]
    plain = [path for path in changed if path in rules and not again and not _touches(path, earlier)]
    hidden = [path for path in changed if path in plain or rules.get(path) == DROP]
    attributes_before, attributes = before["attributes"], now["attributes"]
    wider = attributes_before is not None and (attributes is None or not set(attributes) <= set(attributes_before))
    narrower = attributes is not None and (attributes_before is None or not set(attributes_before) <= set(attributes))
    another = None not in (before["secret"], now["secret"]) and before["secret"] != now["secret"]
    return ProtectionChange(
        keys=tuple(sorted(name for name in keys if before["rules"].get(name) != rules.get(name))),
        another_secret=another,
        hidden=tuple(path for path in hidden if path not in keys),
        dropped=tuple(path for path in changed if path in rules and path not in hidden and path not in keys),
        narrower=narrower,
        reread=again or wider or another or any(path not in hidden for path in changed),
    )


def _touches(path: str, rules: Mapping[str, Any]) -> bool:
    """Whether a rule covers the path already, something inside it, or something around it."""
    return any(
        path == other or path.startswith(other + PATH_DOT) or other.startswith(path + PATH_DOT) for other in rules
    )
