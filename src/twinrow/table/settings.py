"""The settings of a table; built from the configuration by `app.wiring`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from twinrow.capacity import Capacity
from twinrow.capture.pages import Page
from twinrow.capture_kind import Traits, traits_of
from twinrow.change import AttributeValue, Item
from twinrow.decode.number import canonical_number
from twinrow.decode.readable import UNREADABLE
from twinrow.link.update import LinkRules

if TYPE_CHECKING:
    from twinrow.entities.row_filter import RowFilter
    from twinrow.entities.table import SplitSettings
    from twinrow.protect.guard import TableProtection


@dataclass(frozen=True, slots=True)
class PendingIndex:
    """The pending index: `marks` mean "not copied yet", `done` is what takes their place (None: nothing)."""

    index: str
    attribute: str
    marks: tuple[AttributeValue, ...]
    done: AttributeValue | None
    deleted: str | None


@dataclass(frozen=True, slots=True)
class KinesisStream:
    """The Kinesis stream to which DynamoDB writes the table's changes, and where it is read."""

    arn: str
    endpoint_url: str | None = None

    @property
    def region(self) -> str:
        """The Region that the ARN names."""
        return self.arn.split(":")[3]


GapFill = Literal["auto", "export", "reconcile"]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Where exports of the table are written and read.

    `first_copy`: whether a new copy begins with an export. `gap_fill`: what mends a gap of its stream.
    """

    bucket: str
    prefix: str | None = None
    kms_key: str | None = None
    owner: str | None = None
    s3_region: str | None = None
    s3_endpoint_url: str | None = None
    first_copy: bool = False
    gap_fill: GapFill = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """A table's settings with every default resolved; times in seconds."""

    table: str
    into: str
    capture: str
    linked: bool
    link_attribute: str
    soft_deletes: bool
    soft_ttl_deletes: bool
    reconcile_s: float | None
    rebuild_rows_max: int
    segments: int | None
    pending: PendingIndex | None
    own: frozenset[str]
    adopt_links: bool = False
    allow_global: bool = False
    workers: int | None = None
    capacity: Capacity = field(default_factory=Capacity)
    overrides: tuple[Any, ...] = ()
    kinesis: KinesisStream | None = None
    export: ExportSettings | None = None
    row_filter: RowFilter | None = None
    protection: TableProtection | None = None
    index: tuple[tuple[str, ...], ...] = ()
    views: bool = False
    idle_poll_s: float | None = None
    split: SplitSettings | None = None
    traits: Traits = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Look the traits of the capture up once: they are asked for each item."""
        object.__setattr__(self, "traits", traits_of(self.capture))

    def mark_of(self, item: Item) -> AttributeValue | None:
        """The pending mark that the item carries, where marks are what is followed; else None."""
        if not self.traits.carries_marks or self.pending is None:
            return None
        value = item.get(self.pending.attribute)
        return value if value is not None and any(same_mark(value, mark) for mark in self.pending.marks) else None

    @property
    def fills_gaps(self) -> bool:
        """Whether exports may fill gaps of the stream: all other changes must come by it, in their order."""
        return self.export is not None and self.export.gap_fill != "reconcile" and self.traits.is_whole_log

    @property
    def fills_behind_copy(self) -> bool:
        """Whether a first copy from an export leaves a hole: the capture does not show what was deleted since."""
        return self.export is not None and self.export.first_copy and not self.traits.is_whole_log

    @property
    def asks_for_windows(self) -> bool:
        """Whether exports of windows may be asked for."""
        return self.fills_gaps or self.fills_behind_copy

    @property
    def link_rules(self) -> LinkRules:
        """Which attributes a link of this table writes."""
        link = self.link_attribute if self.linked else None
        if self.pending is None:
            return LinkRules(link, None, None, self.own)
        return LinkRules(link, self.pending.attribute, self.pending.done, self.own)

    @property
    def deleted_attribute(self) -> str | None:
        """The attribute by which the app marks items as deleted (`deleted` of the pending index), if any."""
        return self.pending.deleted if self.pending is not None else None

    def counts_as_deleted(self, item: Item) -> bool:
        """Whether the app has marked the item as deleted."""
        name = self.deleted_attribute
        return name is not None and item.get(name) == {"BOOL": True}

    def leaves_out(self, item: Item) -> bool:
        """Whether `where` wants no row of the item."""
        return self.row_filter is not None and not self.row_filter.takes(item)

    def has_no_row(self, item: Item) -> bool:
        """Whether the item has no row by a rule of the configuration: it counts as deleted, or `where` leaves it out.

        Its mark is cleared as any other; it is not linked, and an id that it carries stays.
        """
        return self.counts_as_deleted(item) or self.leaves_out(item)

    def wanted(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that `where` does not leave out: columns are learned from these alone."""
        return items if self.row_filter is None else [item for item in items if self.row_filter.takes(item)]

    def wanted_of(self, page: Page) -> Page:
        """A page without the items that `where` leaves out; it says how many these are. Raises ValueError: no items."""
        if self.row_filter is None:
            return page
        raw, left_out = self.row_filter.of_page(page.raw)
        return replace(page, raw=raw, left_out=page.left_out + left_out) if left_out else page

    def link_of(self, item: Item) -> AttributeValue | None:
        """The link attribute as the item carries it."""
        return item.get(self.link_attribute)

    def is_linked(self, item: Item, row_id: int) -> bool:
        """Whether the item carries this row's id."""
        return item.get(self.link_attribute) == {"N": str(row_id)}


def same_mark(value: AttributeValue, mark: AttributeValue) -> bool:
    """Marks are compared by value: the number 0 is also `0.0`, but no other, however close."""
    if value == mark:
        return True
    try:
        return canonical_number(value["N"]) == canonical_number(mark["N"])
    except UNREADABLE:
        return False  # no number, so no mark
