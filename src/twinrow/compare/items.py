"""Items against their rows: what is missing, extra, different or unlinked, a page at a time, no query per item."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from twinrow.change import Item
from twinrow.decode.attribute import digest
from twinrow.decode.number import one_double
from twinrow.decode.readable import unreadable
from twinrow.flavour import SqlValue
from twinrow.mysql import Connection
from twinrow.schema.json_cell import same_json
from twinrow.schema.naming import quote
from twinrow.schema.row import (
    Row,
    Unrepresentable,
    differing,
    fingerprint,
    held_apart,
    key_of,
    to_item,
    to_row,
    with_apart,
)
from twinrow.schema.table import TableSchema
from twinrow.sink import statements
from twinrow.state import set_apart
from twinrow.table.catalogue import REST, Catalogue
from twinrow.table.settings import Settings
from twinrow.write.prepare import content

DifferenceKind = Literal["MISSING", "EXTRA", "DIFFERENT", "UNLINKED", "MISPLACED"]
KEYS_A_QUERY_MAX = 500
ROWS_A_PAGE = 5000
DOUBLE = re.compile(r"-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)", re.ASCII)
LITERAL_BYTES = 4
"""The most bytes of a character in a statement."""
ABSENT = b""
"""The image of an item that is not there, and of a row that is not there."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it stands: its values in the schema's order. `entity` has the table that it stands in."""

    row_id: int
    hash: bytes
    deleted: bool
    updated_at: float
    extra: str | None
    values: tuple[Any, ...]
    entity: str = REST


@dataclass(frozen=True, slots=True)
class RowIds:
    """A page of rows in the order of their ids: the last id, the ids of live rows, how many are soft-deleted."""

    last: int
    live: list[int]
    deleted: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One key on which the sides are not equal. `orphan`: the row's fingerprint is not that of its own key columns.

    `image` is that of the item when it was seen. `gone`: a consistent read found no item for the row.
    """

    kind: DifferenceKind
    hash: bytes
    key: Item
    row_id: int | None
    attributes: tuple[str, ...] = ()
    orphan: bool = False
    image: bytes = ABSENT
    gone: bool = False


class Comparer:
    """Compares under a catalogue. `parked` are the keys of dead letters: that their items have no row is known."""

    def __init__(self, connection: Connection, catalogue: Catalogue, settings: Settings, parked: set[bytes]) -> None:
        self.connection = connection
        self.catalogue = catalogue
        self._settings = settings
        self.parked = parked

    @property
    def schema(self) -> TableSchema:
        """The schema of the only table, or of the rest."""
        return self.catalogue.rest

    def _schema_of(self, row: StoredRow) -> TableSchema:
        return self.catalogue.entities[row.entity]

    def rows(self, hashes: Sequence[bytes]) -> dict[bytes, StoredRow]:
        """The stored rows of these fingerprints, a row for each: a pass over all rows finds second rows."""
        found = self.all_rows(hashes)
        return {key: next((row for row in rows if not row.deleted), rows[-1]) for key, rows in found.items()}

    def all_rows(self, hashes: Sequence[bytes]) -> dict[bytes, list[StoredRow]]:
        """The stored rows of these fingerprints by their ids.

        A fingerprint has several only without the UNIQUE index, or in several tables of a split.
        """
        found: dict[bytes, list[StoredRow]] = {}
        for schema in self.catalogue.tables:
            for first in range(0, len(hashes), KEYS_A_QUERY_MAX):
                part = hashes[first : first + KEYS_A_QUERY_MAX]
                where = f"`_twinrow_key` IN ({', '.join(['%s'] * len(part))}) ORDER BY `row_id`"
                for row in self.connection.query(statements.select_rows(schema, where), part):
                    stored = _stored(row, schema.entity)
                    found.setdefault(stored.hash, []).append(stored)
        return found

    def last_row_id(self) -> int:
        """The highest id there is, 0 where there is no row."""
        return max(
            int(self.connection.query(f"SELECT COALESCE(MAX(row_id), 0) FROM {quote(schema.into)}")[0][0])
            for schema in self.catalogue.tables
        )

    def row_ids(self, after: int = 0) -> Iterator[RowIds]:
        """Every row's id in order, ROWS_A_PAGE at a time; a text for each page, since most of them are only counted.

        In a split an id may stand in several tables: live in a single table, deleted in others.
        """
        pages = [
            f"(SELECT row_id, _twinrow_deleted_at IS NOT NULL AS deleted FROM {quote(schema.into)} WHERE row_id > %s "
            f"ORDER BY row_id LIMIT {ROWS_A_PAGE})"
            for schema in self.catalogue.tables
        ]
        rows = pages[0] if len(pages) == 1 else f"({' UNION ALL '.join(pages)} ORDER BY row_id LIMIT {ROWS_A_PAGE})"
        sql = (
            "SELECT COUNT(*), COALESCE(SUM(deleted), 0), MAX(row_id), GROUP_CONCAT(IF(deleted, NULL, row_id)) FROM "
            f"{rows} AS page"
        )
        while True:
            count, deleted, last, live = self.connection.query(sql, (after,) * len(pages))[0]
            if not count:
                return
            yield RowIds(int(last), [int(digits) for digits in live.split(",")] if live else [], int(deleted))
            after = int(last)

    def rows_of(self, row_ids: Sequence[int]) -> Iterator[StoredRow]:
        """The rows of these ids, as far as they are there and live still."""
        for first in range(0, len(row_ids), KEYS_A_QUERY_MAX):
            part = row_ids[first : first + KEYS_A_QUERY_MAX]
            where = f"`_twinrow_deleted_at` IS NULL AND `row_id` IN ({', '.join(map(str, part))})"
            for schema in self.catalogue.tables:
                for row in self.connection.query(statements.select_rows(schema, where)):
                    yield _stored(row, schema.entity)

    def rows_between(self, after: int, until: int) -> list[StoredRow]:
        """The first rows with ids above `after` and up to `until`, soft-deleted rows among them; fewer: the last."""
        where = f"`row_id` > {after} AND `row_id` <= {until} ORDER BY `row_id` LIMIT {KEYS_A_QUERY_MAX}"
        rows = [
            _stored(row, schema.entity)
            for schema in self.catalogue.tables
            for row in self.connection.query(statements.select_rows(schema, where))
        ]
        rows.sort(key=lambda row: row.row_id)
        # in a split a row and its ghosts have one id: all of them are in the same slice
        last = rows[KEYS_A_QUERY_MAX - 1].row_id if len(rows) >= KEYS_A_QUERY_MAX else until
        return [row for row in rows if row.row_id <= last]

    def rows_after(self, schema: TableSchema, after: int, rows_max: int) -> list[StoredRow]:
        """The first rows of a table with ids above `after`, soft-deleted rows among them."""
        where = f"`row_id` > {after} ORDER BY `row_id` LIMIT {rows_max}"
        return [_stored(row, schema.entity) for row in self.connection.query(statements.select_rows(schema, where))]

    def page(self, items: Sequence[Item], on_row: Callable[[StoredRow], None] | None = None) -> list[Difference]:
        """Compare whole items with their rows; `on_row` is called with each row that an item has."""
        keyed = {fingerprint(self.catalogue.keys, item): item for item in items}
        stored = self.all_rows(list(keyed))
        found = []
        for key_hash, item in keyed.items():
            row, seconds = self.one_of(item, stored.get(key_hash, []))
            if row is not None and on_row is not None:
                on_row(row)
            difference = self.difference_of(key_hash, item, row)
            if difference is None and seconds and self.catalogue.is_split:
                # both may have the same id, so that no look at ids would tell them apart
                difference = replace(self.extra(seconds[0]), image=self.image_of(item))
            if difference is not None:
                found.append(difference)
        return found

    def difference_of(self, key_hash: bytes, item: Item, row: StoredRow | None) -> Difference | None:
        """Compare one item with its row (None: there is none)."""
        kind, names = self._difference(item, row if row is not None and not row.deleted else None, key_hash)
        if kind is None:
            return None
        live = row is not None and not row.deleted
        return Difference(
            kind, key_hash, key_of(self.catalogue.keys, item), row.row_id if row is not None and live else None, names,
            image=self.image_of(item),
        )  # fmt: skip

    def _difference(
        self, item: Item, live: StoredRow | None, key_hash: bytes
    ) -> tuple[DifferenceKind | None, tuple[str, ...]]:
        """The difference between an item and its live row, and its attributes; (None, ()) for no difference."""
        settings = self._settings
        place = self.catalogue.place(item)
        if settings.has_no_row(item) or (place.schema is None and not place.letter):
            return ("EXTRA" if live is not None else None), ()
        if live is None:
            return (None if key_hash in self.parked else "MISSING"), ()
        schema = place.schema
        if schema is None or unreadable(item, schema.left_out):
            return "EXTRA", ()  # an image that cannot be read proves no row right: only a consistent read tells
        if live.entity != schema.entity:
            return "MISPLACED", ()
        try:
            expected = to_row(schema, item, self.connection.flavour)
        except Unrepresentable:
            return "EXTRA", ()
        names = self._differing_as_written(item, expected, live)
        if names:
            return "DIFFERENT", names
        if settings.linked and not settings.is_linked(item, live.row_id):
            return "UNLINKED", (settings.link_attribute,)
        return None, ()

    def _differing_as_written(self, item: Item, expected: Row, live: StoredRow) -> tuple[str, ...]:
        """`_differing`, where a row that had no room for all its cells may have them in extra alone."""
        names, schema = self._differing(expected, live), self._schema_of(live)
        if not names or not set_apart.stands(self.connection, schema.table, live.hash):
            return names
        try:
            apart = held_apart(schema, live.values, live.extra)
        except ValueError:
            return names  # extra was changed by hand
        return self._differing(with_apart(schema, item, self.connection.flavour, apart), live)

    def _differing(self, expected: Row, live: StoredRow) -> tuple[str, ...]:
        """The attributes in which the row differs from the expected row.

        The server may have rounded values that extra has exactly.
        """
        flavour, schema = self.connection.flavour, self._schema_of(live)
        names = differing(schema, expected, live.values, live.extra, flavour)
        if not names or flavour != "mysql":
            return names
        meant = [
            ours if column.attribute in names and column.type.name == "JSON" and self._is_bent(ours, stored) else stored
            for column, ours, stored in zip(schema.columns, expected.values, live.values, strict=True)
        ]
        return differing(schema, expected, meant, live.extra, flavour)

    def _is_bent(self, ours: SqlValue, stored: SqlValue) -> bool:
        """Whether the server itself makes the stored JSON of ours.

        MySQL 8 reads doubles of 16 or 17 digits one unit off now and then (bugs.mysql.com 116160); 9.7 does not.
        """
        if not (isinstance(ours, str) and isinstance(stored, str)) or all(map(one_double, DOUBLE.findall(ours))):
            return False
        if LITERAL_BYTES * len(ours) > self.connection.packet_bytes_max:
            return False  # as large as this it is different, and written anew
        return same_json(str(self.connection.query("SELECT CAST(%s AS JSON)", (ours,))[0][0]), stored)

    def _rebuilt(self, row: StoredRow) -> Item | None:
        try:
            return to_item(self._schema_of(row), row.values, row.extra)
        except (ValueError, TypeError):
            return None  # extra is not what Twinrow writes: changed by hand

    def image_of(self, item: Item | None) -> bytes:
        """A digest of what a row of this item has to show, the link included; ABSENT where there has to be no row."""
        settings = self._settings
        schema = self.catalogue.of(item) if item is not None else None
        if item is None or schema is None or settings.has_no_row(item):
            return ABSENT
        shown = _described(item, schema, settings)
        if settings.linked and settings.link_attribute in item:
            shown[settings.link_attribute] = item[settings.link_attribute]
        return digest(shown, frozenset())

    def shown_by(self, row: StoredRow | None) -> bytes | None:
        """The image (as `image_of` tells it) that a row shows; None for a row that no item gives."""
        if row is None or row.deleted:
            return ABSENT
        item, schema = self._rebuilt(row), self._schema_of(row)
        if item is None or self.catalogue.of(item) is not schema:
            return None
        try:
            expected = to_row(schema, item, self.connection.flavour)
            if self._settings.linked:
                item = {**item, self._settings.link_attribute: {"N": str(row.row_id)}}
            image = digest(item, frozenset())
        except (Unrepresentable, ValueError):
            return None  # changed by hand: no item gives such cells
        # extra alone could give the item back while a cell was changed by hand
        return image if expected.key == row.hash and not self._differing_as_written(item, expected, row) else None

    def one_of(self, item: Item | None, rows: Sequence[StoredRow]) -> tuple[StoredRow | None, list[StoredRow]]:
        """Among all rows of a key, the row of the item, and the live rows that are too many.

        The item's row has the id that the item carries, else the lowest id, as `repair` keeps it; live rows come first.
        """
        live = [row for row in rows if not row.deleted]
        if not live:
            return (rows[0] if rows else None), []
        settings = self._settings
        schema = self.catalogue.of(item) if item is not None and self.catalogue.is_split else None
        here = [row for row in live if schema is None or row.entity == schema.entity] or live
        linked = [row for row in here if item is not None and settings.linked and settings.is_linked(item, row.row_id)]
        own = linked[0] if linked else here[0]
        return own, [row for row in live if row is not own]

    def extra(self, row: StoredRow) -> Difference:
        """A live row that no item was met for; its key comes from the row alone."""
        item = self._rebuilt(row) or {}
        try:
            key = key_of(self.catalogue.keys, item)
            orphan = fingerprint(self.catalogue.keys, key) != row.hash
        except ValueError:
            key, orphan = {}, True
        return Difference("EXTRA", row.hash, key, row.row_id, orphan=orphan)

    def item_of(self, row: StoredRow) -> Item:
        """The item as the row tells it; empty when it cannot."""
        return self._rebuilt(row) or {}


def expired(item: Item, ttl: str, at: float) -> bool:
    """Whether an item's time to live, in its attribute `ttl`, had passed at `at` (epoch seconds)."""
    value = item.get(ttl, {}).get("N")
    return value is not None and float(value) < at


def _described(item: Item, schema: TableSchema, settings: Settings) -> Item:
    return {name: value for name, value in content(item, settings).items() if name not in schema.left_out}


def _stored(row: tuple[Any, ...], entity: str) -> StoredRow:
    row_id, key_hash, deleted, updated_at, extra, *values = row
    return StoredRow(int(row_id), bytes(key_hash), bool(deleted), float(updated_at), extra, tuple(values), entity)


def state_of(row: StoredRow | None) -> bytes:
    """A value that changes whenever the row is written, and that no other row has."""
    return b"" if row is None else f"{row.row_id} {row.deleted} {row.updated_at} {row.entity}".encode()
