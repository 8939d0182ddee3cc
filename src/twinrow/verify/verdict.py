"""The verdict of a verify: counts and examples."""

from __future__ import annotations

from dataclasses import dataclass, field

from twinrow.change import Item, without_seal
from twinrow.compare.items import Difference

EXAMPLES_MAX = 100
UNSETTLED = "UNSETTLED"


@dataclass(frozen=True, slots=True)
class Example:
    """A difference as it is reported."""

    kind: str
    key: Item
    row_id: int | None
    attributes: tuple[str, ...]


@dataclass(slots=True)
class Verdict:
    """The verdict of a verify; `kept` are soft-deleted rows, `seconds` how long it took.

    `filtered` are the items that `where` leaves out; `items` are all others.

    `unsettled` are keys that kept moving and whose row was never seen equal: neither a proof nor a difference.
    """

    table: str
    items: int = 0
    filtered: int = 0
    rows: int = 0
    kept: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    unlinked: int = 0
    misplaced: int = 0
    unsettled: int = 0
    dead_letters: int = 0
    seconds: float = 0.0
    examples: list[Example] = field(default_factory=list)

    @property
    def in_step(self) -> bool:
        """Whether both sides are proved equal and nothing is parked."""
        found = (
            self.missing or self.extra or self.different or self.unlinked or self.misplaced or self.unsettled
        )  # fmt: skip
        return not (found or self.dead_letters)

    def count(self, found: Difference, *, settled: bool = True) -> None:
        """Count a confirmed difference, or (not `settled`) a difference that could be neither confirmed nor refuted."""
        kind = found.kind if settled else UNSETTLED
        name = kind.lower()
        setattr(self, name, getattr(self, name) + 1)
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(Example(kind, without_seal(found.key), found.row_id, found.attributes))
