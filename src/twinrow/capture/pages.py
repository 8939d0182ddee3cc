"""Pages of a table's items: where they come from, and who reads them: two protocols.

Any source of pages works with any reader of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb_wire import decoded_items


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of one part of a table.

    `raw` is the JSON array of the items in wire form. `position` is where the part goes on after this page: text that
    its source alone understands; None: this was the part's last page. No image in it is older than `image_at` (epoch
    seconds, DynamoDB's clock) but for what the source's reads may lag behind. `left_out`: how many more items there
    are that `where` leaves out.
    """

    part: str
    raw: bytes
    position: str | None
    image_at: float
    left_out: int = 0

    @property
    def items(self) -> list[Item]:
        """The items in wire form, decoded anew each time: they are five times as large as `raw`."""
        return decoded_items(self.raw)


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """All that another process needs to read the same pages.

    `module` has a function `opened(text, budget)` that returns the source; `text` is for that function alone.
    """

    module: str
    text: str


class PageSource(Protocol):
    """Where pages come from: the items of a table, in parts that are read independently of each other.

    Every item is in one part at least. Any thread may call any method.
    """

    @property
    def parts(self) -> Sequence[str]:
        """The parts' names, ASCII, at most 180 characters: positions are kept under them, so they stay the same."""

    @property
    def plan(self) -> str:
        """How the table is cut into parts, for a source that is opened later with positions of this one."""

    @property
    def spec(self) -> SourceSpec | None:
        """What another process needs to read the same pages; None where only this one can."""

    def pages(self, part: str, position: str | None, stop: Stop) -> Iterator[Page]:
        """The pages of a part after a position (None: from its beginning), in order; the last one has no position.

        It waits for its own budget. Raises Transient for what passes, and at `stop`: whoever reads asks again, from
        the position of the last page that came.
        """

    def first(self, stop: Stop) -> list[Page]:
        """Some items of every part: columns are learned from them before any page is read. Raises Transient."""


Result_co = TypeVar("Result_co", covariant=True)


class Pages(Protocol[Result_co]):
    """Pages that somebody reads ahead of whoever takes them: threads, processes. Each comes as what was made of it."""

    @property
    def done(self) -> bool:
        """Whether every part's last page was taken."""

    @property
    def trouble(self) -> str:
        """Why it waits, when it does."""

    def take(self, wait_s: float) -> Result_co | None:
        """The next page of any part, in order within a part; None when none came in `wait_s` or all is read.

        Raises what the reading has raised, unless it passes.
        """

    def close(self) -> None:
        """Stop reading; pages not taken are dropped (their positions were never made durable)."""
