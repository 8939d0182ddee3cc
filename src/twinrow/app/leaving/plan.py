"""Which steps leaving takes for a table, and what stays (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

from twinrow.app.setup.plan import SCAN_BYTES_A_UNIT
from twinrow.state.made import Made, MadeKind
from twinrow.table_description import TableDescription

Part = Literal["items", "index", "stream", "destination", "pitr", "rows", "state"]
NOT_NOTED: Final = "Twinrow is not noted to have turned it on"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parts that a person has named to be removed, besides row ids and Twinrow's state."""

    marks: bool = False
    index: bool = False
    stream: bool = False
    pitr: bool = False
    drop_tables: bool = False

    @property
    def named(self) -> tuple[str, ...]:
        """The names of those that were named."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name))


@dataclass(frozen=True, slots=True)
class Pending:
    """Items that carry a mark and are not copied yet; `more`: there are more than were counted."""

    items: int = 0
    more: bool = False

    def __str__(self) -> str:
        return f"{'more than ' if self.more else ''}{self.items:,}"


@dataclass(frozen=True, slots=True)
class LeftTable:
    """The parts of a table that exist.

    `description` is None where DynamoDB has no such table; `rows` is None where no copy is registered. `is_ours`:
    the MySQL table `into` is there and was made by Twinrow. `mark_attribute`, `link_attribute` and `index` are None
    where the configuration names none. `marks`, `pending_links` and `dead_letters` are what was not finished. `others`:
    registered tables besides this table. `destination`: the Kinesis stream to which Twinrow has let the table write.
    `others_into`: the copy's further MySQL tables, in a split.
    """

    table: str
    into: str
    description: TableDescription | None
    rows: int | None
    is_there: bool
    is_ours: bool
    link_attribute: str | None
    mark_attribute: str | None
    index: str | None
    marks: Pending
    pending_links: int
    dead_letters: int
    pitr_on: bool
    made: tuple[Made, ...]
    others: tuple[str, ...]
    holder: str | None = None
    destination: str | None = None
    others_into: tuple[str, ...] = ()

    @property
    def takes_ids(self) -> bool:
        """Whether ids can be taken off the items: only beside their rows, which tell whose they are."""
        return self.link_attribute is not None and self.rows is not None and self.is_ours

    def noted(self, what: MadeKind, name: str) -> bool:
        """Whether Twinrow is noted to have made it, on the very table that is there."""
        found = self.description
        return found is not None and any(
            (thing.what, thing.name, thing.source_id) == (what, name, found.table_id or found.arn)
            for thing in self.made
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is to be done: what it does and, where there is more to know, what it costs."""

    part: Part
    text: str
    cost: str = ""


@dataclass(frozen=True, slots=True)
class LeavingPlan:
    """The steps for a table, in their order, and what stays, with the reason."""

    table: str
    steps: tuple[Step, ...]
    stays: tuple[str, ...]

    def without(self, declined: Sequence[Part]) -> LeavingPlan:
        """The plan without the steps that a person did not agree to."""
        return LeavingPlan(self.table, tuple(step for step in self.steps if step.part not in declined), self.stays)


def plan(standing: LeftTable, wanted: Wanted, leaving: Collection[str] = ()) -> LeavingPlan:
    """The steps in their order; `leaving` are all tables that are left now.

    Items come first, since their ids are compared with rows; the state last, since it tells how far a run has come.
    """
    steps: list[Step] = []
    stays: list[str] = []
    for found in (
        *_items(standing, wanted), *_index(standing, wanted), *_stream(standing, wanted),
        *_destination(standing, wanted), *_pitr(standing, wanted),
        *_rows(standing, wanted), _state(standing, leaving),
    ):  # fmt: skip
        if isinstance(found, Step):
            steps.append(found)
        else:
            stays.append(found)
    return LeavingPlan(standing.table, tuple(steps), tuple(stays))


def _items(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    """Row ids and marks: a single pass over the items takes both."""
    if standing.description is None:
        yield "items: DynamoDB has no table of that name"
        return
    link, mark = standing.link_attribute, standing.mark_attribute
    if link is not None and not standing.takes_ids:
        yield f"ids: `{link}` stays in the items: without the copy no id can be compared with its row's"
    if mark is not None:
        unfinished = f"; {standing.marks} marked items are not copied yet" if standing.marks.items else ""
        if not wanted.marks:
            yield f"marks: `{mark}` stays in the items (--marks takes it off){unfinished}"
    takes_marks = wanted.marks and mark is not None
    taken = []
    if standing.takes_ids:
        taken.append(f"`{link}`, only where it equals the id of the item's row")
    if takes_marks:
        waiting = f" ({standing.marks} of them not copied yet)" if standing.marks.items else ""
        taken.append(f"`{mark}`, where it holds a configured value{waiting}")
    if taken:
        yield Step("items", f"take off the items: {' and '.join(taken)}", _cost_of_items(standing.description))


def _cost_of_items(description: TableDescription) -> str:
    reads = max(1, round(2 * description.bytes / SCAN_BYTES_A_UNIT))  # read consistently
    return (
        f"Reads the whole table: about {reads:,} read units. Each item taken from costs a write: about "
        f"{description.items:,} items, 1 unit for each KB. The budgets of the configuration hold."
    )


def _index(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    name = standing.index
    if name is None or standing.description is None or standing.description.index(name) is None:
        return
    if not standing.noted("index", name):
        yield f"index {name}: stays: {NOT_NOTED}"
    elif wanted.index:
        yield Step("index", f"delete the index {name}", "Nothing reads it any more, unless the app does.")
    else:
        yield f"index {name}: stays, Twinrow has made it (--index deletes it)"


def _stream(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    arn = standing.description.stream_arn if standing.description is not None else None
    if arn is None:
        return
    if not standing.noted("stream", arn):
        yield f"stream: stays on: {NOT_NOTED}"
    elif wanted.stream:
        yield Step("stream", "turn the stream off", "Whatever else reads it gets no more changes.")
    else:
        yield "stream: stays on, Twinrow has turned it on (--stream turns it off)"


def _destination(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    arn = standing.destination
    if arn is None or not standing.noted("destination", arn):
        return
    if wanted.stream:
        cost = "Whatever else reads the Kinesis stream gets no more changes of the table. The stream itself stays."
        yield Step("destination", f"let DynamoDB write no more changes to {arn}", cost)
    else:
        yield f"Kinesis: DynamoDB goes on writing to {arn}, Twinrow has turned it on (--stream turns it off)"


def _pitr(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    if not standing.pitr_on or not standing.noted("pitr", ""):
        if wanted.pitr:
            yield f"point-in-time recovery: stays as it is: {NOT_NOTED}"
    elif wanted.pitr:
        yield Step("pitr", "turn point-in-time recovery off", "The table can no longer be restored to a moment.")
    else:
        yield "point-in-time recovery: stays on, Twinrow has turned it on (--pitr turns it off)"


def _rows(standing: LeftTable, wanted: Wanted) -> Iterator[Step | str]:
    if not standing.is_there:
        return
    rows = f", {standing.rows:,} rows" if standing.rows is not None else ""
    if not standing.is_ours:
        yield f"MySQL table {standing.into}: stays: it was not made by Twinrow"
    elif wanted.drop_tables:
        yield Step("rows", f"drop the MySQL table {standing.into}{rows}", "The copy is gone; views on it fail.")
    else:
        yield f"MySQL table {standing.into}: stays{rows} (--drop-tables drops it)"


def _state(standing: LeftTable, leaving: Collection[str]) -> Step:
    lost = [
        f"{count:,} {name}"
        for count, name in (
            (standing.pending_links, "links that are not written yet"), (standing.dead_letters, "dead letters")
        )
        if count
    ]  # fmt: skip
    with_it = f"With it go {' and '.join(lost)}." if lost else ""
    if {*standing.others} - {*leaving}:
        return Step("state", "forget what Twinrow remembers of this table", with_it)
    whole = "forget what Twinrow remembers; with the last table all tables _twinrow_* are dropped"
    return Step("state", whole, with_it)
