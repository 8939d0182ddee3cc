"""The registry of capture kinds (the ways to find changes), and the traits by which the engine treats each.

No code outside `twinrow.kinds` asks for a capture's name: it asks the traits, or calls the kind (`sync.kind`). A module
of the registry is imported when a table first uses its kind, so a kind that is not used is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final, Literal

from twinrow.table_description import TableDescription

KINDS: Final[dict[str, str]] = {
    "pending-index": "twinrow.kinds.pending_index",
    "stream": "twinrow.kinds.stream",
    "scan": "twinrow.kinds.scan",
    "kinesis": "twinrow.kinds.kinesis",
    "events": "twinrow.kinds.events",
}
"""The module of each kind, by the value of `capture`; its KIND is a `sync.kind.CaptureKind`. A new kind is a line."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a capture kind on which the engine depends.

    `label`: its name in the findings of `check`.
    `origin`: the word under which its changes are counted (metric label); "" where it makes none of its own.
    `tells_every_change`: every write of an item arrives as a change of its own, so that any successful link write
    settles a pending link. Without it, a link is settled only when the image before the write is the copied image.
    `tells_deletes`: deletes arrive, perhaps late. Tombstones are kept until the source is past the first copy.
    `in_order`: the changes of one item arrive in the order in which they happened, each once. Where they do not, no
    image of them is written: each key is read consistently in its place.
    `carries_marks`: items carry a mark, which is cleared once the item is copied.
    `waits_for_adoption`: while a first copy adopts ids, the source waits: new items must not take ids that the scan
    still brings.
    `consistent_scan`: changes older than a scan are left out or are gone, so the scan must read consistently.
    `runs_by_invocations`: nothing runs between two invocations, so `status` does not say whether something runs.
    `passes_only`: whole-table passes are the source; there is no other.
    `retention_s`: changes that were not read for this long are lost; None where they wait without end.
    `links_by_default`, `reconcile_every`: defaults of these settings. `part`: the part of the configuration that it
    needs, if any. `changes_table`: whether `check --fix` may have to change the table for it; `fix_rights`: the rights
    that it takes. For a person, else "":
    `unseen` is what it does not see without a reconcile, `unpriced` what the figures of `plan` leave out.
    """

    label: str
    origin: str = ""
    tells_every_change: bool = False
    tells_deletes: bool = False
    in_order: bool = True
    carries_marks: bool = False
    waits_for_adoption: bool = False
    consistent_scan: bool = False
    runs_by_invocations: bool = False
    passes_only: bool = False
    retention_s: float | None = None
    links_by_default: bool = False
    reconcile_every: str | None = None
    part: str | None = None
    changes_table: bool = True
    fix_rights: tuple[str, ...] = ("dynamodb:UpdateTable",)
    unseen: str = ""
    unpriced: str = ""

    @property
    def is_whole_log(self) -> bool:
        """Whether every write and delete of an item arrives, in its order: whatever else is copied may be older."""
        return self.tells_every_change and self.tells_deletes and self.in_order

    def is_record(self, origin: str) -> bool:
        """Whether changes of this origin are records: each tells a single write, and may be older than the row."""
        return self.tells_every_change and origin == self.origin

    def is_image(self, origin: str) -> bool:
        """Whether changes of this origin show an item as it was found, not a single write of it."""
        return origin == SCANNED or (not self.tells_every_change and origin == self.origin)


@dataclass(frozen=True, slots=True)
class Right:
    """Actions on a resource; writes may name these attributes only (empty: no limit)."""

    actions: tuple[str, ...]
    resource: str
    attributes: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Rights that are equal but for their resource share a statement."""
        return self.actions, self.attributes


@dataclass(frozen=True, slots=True)
class Try:
    """A reading request that proves the rights it is named after."""

    rights: str
    request: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning of `check`: what will work, and cost more or show less."""

    name: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TableChange:
    """A change to a DynamoDB table, as data: what it does, what it costs, and how it is done.

    `update`: the parameters of UpdateTable, or of another `operation` (None: only to wait). `waits_for`: what is waited
    for afterwards, until `is_there` says so of the table's description. `makes` and `name`: what is there afterwards
    that was not before, as `state.made` notes it (a stream's name is in the answer).
    """

    what: str
    cost: str
    update: Mapping[str, Any] | None
    waits_for: str
    is_there: Callable[[TableDescription], bool]
    makes: Literal["index", "stream", "pitr", "destination"] | None = None
    name: str = ""
    operation: str = "update_table"


@dataclass(frozen=True, slots=True)
class ConfigLines:
    """Lines that `init` writes: a comment for `capture`, lines beside it, and a part of its own."""

    comment: str
    lines: tuple[str, ...] = ()
    part: tuple[str, ...] = ()


UNFIT, POSSIBLE, PREFERRED, SUITED = range(4)
"""How well a kind suits a table: `init` suggests the best."""

SCANNED = "SCAN"
"""The origin of changes that a first copy or a pass makes, under any kind."""


@cache
def load(name: str) -> Any:
    """The kind of that name, imported; `sync.kind.kind_of` is the same, typed. Raises ValueError for no such kind."""
    if name not in KINDS:
        raise ValueError(f"no capture is called {name!r} (known: {', '.join(KINDS)})")
    return import_module(KINDS[name]).KIND


def traits_of(name: str) -> Traits:
    """The traits of the kind of that name."""
    traits: Traits = load(name).traits
    return traits
