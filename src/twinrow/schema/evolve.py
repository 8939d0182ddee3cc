"""Learning columns from items.

A new attribute becomes a column, a wider value widens a column, within the room of a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from twinrow.change import AttributeValue, Item
from twinrow.decode.kind import Kind, kind_of
from twinrow.decode.readable import UNREADABLE
from twinrow.schema.cell import holds, kind_of_column
from twinrow.schema.column_type import ColumnType, join, least, record_bytes, row_bytes, settled
from twinrow.schema.naming import column_name, fold
from twinrow.schema.sql_type import plain
from twinrow.schema.table import Column, Override, TableSchema
from twinrow.schema.widening import both, grows, top, widened

COLUMNS_MAX: Final = 1_000
"""Attributes' columns; InnoDB takes 1,017 in all, generated ones and ours included (MySQL manual, "InnoDB Limits")."""
ROW_BYTES_MAX: Final = {4_096: 1_982, 8_192: 4_030, 16_384: 8_126, 32_768: 16_318, 65_536: 16_383}
"""The bytes that InnoDB keeps of a row, by page size (its error 1118 names the numbers, on both servers)."""
ROW_BYTES_OWN: Final = 150
"""row_id, fingerprint, extra, two times, the record's header, InnoDB's own two columns, room for instant columns."""
RECORD_BYTES_MAX: Final = 65_535
RECORD_BYTES_OWN: Final = 100

KIND_ORDER: Final[tuple[Kind, ...]] = ("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS")
"""Decides between kinds that are as common."""
_NUMBER_PAYLOAD_CHARACTERS_SHORT: Final = 18
"""Digits that always fit BIGINT."""


Wanted = Mapping[str, tuple[Kind, ColumnType]]
"""The columns that attributes need: of this kind, of at least this type."""


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A new column, and why it came."""

    column: Column
    why: str


@dataclass(frozen=True, slots=True)
class WidenColumn:
    """A column whose type grows, and why."""

    before: Column
    after: Column
    why: str


@dataclass(frozen=True, slots=True)
class Evolution:
    """The schema after these steps; the same schema, unchanged, when there are none."""

    schema: TableSchema
    steps: tuple[AddColumn | WidenColumn, ...]


def evolve(schema: TableSchema, items: Iterable[Item], taken: Collection[str] = ()) -> Evolution:
    """Return the schema that these items ask for and the steps to it; `taken` are column names that others gave.

    A new attribute takes the kind that most of its values have, NULL apart (under an override: see `kind_of_column`;
    of equally common kinds the earlier in `KIND_ORDER`), and of that kind's values the least type that holds
    all; values of other kinds go to extra. The order of the items says nothing. Attributes that only ever are NULL,
    and those for which a row has no room, get no column. A value that cannot be read teaches nothing.
    """
    known = _known(schema)
    found: dict[str, tuple[Kind, ColumnType]] = {}
    tallies: dict[str, _Tally] = {}
    for item in items:
        for name in sorted(item.keys() - known):
            try:
                if name in schema.by_attribute:
                    _widen(schema.by_attribute[name], found, item[name])
                else:
                    _tally(_wanted_type(schema, name), tallies.setdefault(name, {}), item[name])
            except UNREADABLE:
                continue  # no row is made of this image: its item is read again
    found |= {name: _commonest(tally) for name, tally in tallies.items() if tally}
    return _evolved(schema, found, taken)


def evolve_to(schema: TableSchema, wanted: Wanted, taken: Collection[str] = ()) -> Evolution:
    """Return the schema that holds what was `wanted` earlier; no steps where it does so by now, or never can."""
    known = _known(schema)
    found: dict[str, tuple[Kind, ColumnType]] = {}
    for name, (kind, ct) in wanted.items():
        column, override = schema.by_attribute.get(name), _wanted_type(schema, name)
        if name in known or (override is not None and not holds(override, kind)):
            continue
        if column is None:
            found[name] = kind, override or ct
        elif column.kind == kind:
            try:
                found[name] = kind, both(column.type, ct)
            except ValueError:
                continue  # the setting of its type was changed since
    return _evolved(schema, found, taken)


def wanted_by(steps: Iterable[AddColumn | WidenColumn]) -> Wanted:
    """The columns that these steps would give, by attribute."""
    columns = [step.column if isinstance(step, AddColumn) else step.after for step in steps]
    return {column.attribute: (column.kind, column.type) for column in columns}


def _evolved(schema: TableSchema, found: Wanted, taken: Collection[str]) -> Evolution:
    found = {name: (kind, settled(ct)) for name, (kind, ct) in found.items()}
    widened = _widened(schema, found)
    added = _added(
        schema, [(name, *wanted) for name, wanted in found.items() if name not in schema.by_attribute], taken
    )
    if not widened and not added:
        return Evolution(schema, ())
    after = {step.before.attribute: step.after for step in widened}
    columns = tuple(after.get(column.attribute, column) for column in schema.columns)
    grown = replace(schema, version=schema.version + 1, columns=columns + tuple(step.column for step in added))
    return Evolution(grown, (*added, *widened))


@lru_cache(maxsize=256)
def _known(schema: TableSchema) -> frozenset[str]:
    """Attributes that no value teaches anything new: left out, overridden, or at the top of their ladder."""
    settled = {column.attribute for column in schema.columns if not grows(column)}
    return schema.left_out | settled


_Tally = dict[Kind, tuple[int, ColumnType]]
"""How many values of each kind an attribute has, and the least type that holds all of that kind."""


def _tally(wanted: ColumnType | None, tally: _Tally, value: AttributeValue) -> None:
    """Count a value of an attribute that has no column yet; `wanted` is the type that an override says."""
    kind = kind_of(value)
    if wanted is not None:
        owner = kind_of_column(wanted, kind, value)
        if owner is not None:
            tally[owner] = tally.get(owner, (0, wanted))[0] + 1, wanted
        return
    if kind == "NULL":
        return
    count, before = tally.get(kind, (0, None))
    tally[kind] = count + 1, before if before is not None and kind != "N" else _wider(before, kind, value)


def _wider(before: ColumnType | None, kind: Kind, value: AttributeValue) -> ColumnType:
    return least(kind, value) if before is None else join(before, least(kind, value))


def _commonest(tally: _Tally) -> tuple[Kind, ColumnType]:
    kind = max(tally, key=lambda kind: (tally[kind][0], -KIND_ORDER.index(kind)))
    return kind, tally[kind][1]


def _widen(column: Column, found: dict[str, tuple[Kind, ColumnType]], value: AttributeValue) -> None:
    """Note a value for which its column is too narrow."""
    text = value.get("N")
    if text is not None and len(text) <= _NUMBER_PAYLOAD_CHARACTERS_SHORT and text.isdigit() and not column.overridden:
        return
    known_type = found.get(column.attribute, (column.kind, column.type))[1]
    wider = widened(column, value, known_type)
    if wider != known_type:
        found[column.attribute] = column.kind, wider


def _wanted_type(schema: TableSchema, name: str) -> ColumnType | None:
    """The type that an override says."""
    override = schema.override_of.get(name)
    return override.type if override is not None else None


def _widened(schema: TableSchema, found: Wanted) -> list[WidenColumn]:
    steps = []
    for name, (_, wider) in sorted(found.items()):
        before = schema.by_attribute.get(name)
        if before is not None and before.type != wider:
            what = "a number" if before.kind == "N" and wider.name != "DATETIME" else "a value"
            why = f"{what} needs {plain(wider)}, more than {plain(before.type)}"
            steps.append(WidenColumn(before, replace(before, type=wider), why))
    return steps


def _added(
    schema: TableSchema, candidates: Sequence[tuple[str, Kind, ColumnType]], others: Collection[str]
) -> list[AddColumn]:
    """The columns of new attributes, in the order seen, as far as rows have room."""
    if not candidates:
        return []
    room = _Room(schema)
    taken = {*schema.names_taken, *others}
    theirs = {fold(name) for name in others}
    steps = []
    for name, kind, learned in candidates:
        override = schema.override_of.get(name, Override(name))
        try:
            name.encode()
        except UnicodeEncodeError:
            # No row holds an attribute of that name, so it needs no column: `to_row` says so.
            continue
        column = Column(
            name, "", kind, override.type or learned, False, override.type is not None, override.widen
        )  # fmt: skip
        if not room.take(column):
            continue
        wished = override.column if override.column and fold(override.column) not in theirs else None
        column = replace(column, column=wished or column_name(name, taken))
        taken.add(column.column)
        steps.append(AddColumn(column, f"first seen, as {kind}" + (", type by override" if column.overridden else "")))
    return steps


def has_room(schema: TableSchema, columns: Sequence[Column]) -> bool:
    """Whether a row has room for these columns beside those of the schema."""
    room = _Room(schema)
    return all(room.take(column) for column in columns)


class _Room:
    """The room left in a row, where every number's column counts as wide as it may become."""

    def __init__(self, schema: TableSchema) -> None:
        self._row_bytes = ROW_BYTES_MAX[schema.page_bytes] - ROW_BYTES_OWN
        self._record_bytes = RECORD_BYTES_MAX - RECORD_BYTES_OWN
        self._bits = COLUMNS_MAX
        coming = schema.reshape.shadows if schema.reshape is not None else ()
        for column in (*schema.columns, *(shadow.column for shadow in coming)):
            self._subtract(column)

    def _subtract(self, column: Column) -> None:
        types = (column.type, top(column))  # a VARCHAR counts more of a record than the text that it may become
        self._row_bytes -= max(map(row_bytes, types))
        self._record_bytes -= max(map(record_bytes, types))
        self._bits -= 1

    def take(self, column: Column) -> bool:
        """Reserve a column's room; False, and nothing reserved, where there is none."""
        before = self._row_bytes, self._record_bytes, self._bits
        self._subtract(column)
        null_bytes = (COLUMNS_MAX - self._bits + 7) // 8
        if self._row_bytes >= null_bytes and self._record_bytes >= null_bytes and self._bits >= 0:
            return True
        self._row_bytes, self._record_bytes, self._bits = before
        return False


def without_widening(evolution: Evolution) -> Evolution:
    """Return the same evolution with its new columns only, for whom may not rebuild a table; values wait in extra."""
    before = {step.before.attribute: step.before for step in evolution.steps if isinstance(step, WidenColumn)}
    if not before:
        return evolution
    added = tuple(step for step in evolution.steps if isinstance(step, AddColumn))
    columns = tuple(before.get(column.attribute, column) for column in evolution.schema.columns)
    version = evolution.schema.version if added else evolution.schema.version - 1
    return Evolution(replace(evolution.schema, columns=columns, version=version), added)


def part_of(before: TableSchema, whole: Evolution, steps: Sequence[AddColumn | WidenColumn]) -> Evolution:
    """Return the part of an evolution that these of its steps make."""
    made = {(step.column if isinstance(step, AddColumn) else step.after).attribute for step in steps}
    known = before.by_attribute
    columns = tuple(
        column if column.attribute in made else known[column.attribute]
        for column in whole.schema.columns
        if column.attribute in made or column.attribute in known
    )
    return Evolution(replace(whole.schema, columns=columns), tuple(steps))
