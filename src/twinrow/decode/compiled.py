"""Rows straight from a page's bytes, by a decoder made from the schema: no dict is built for what columns hold.

A page fits when every item has known attributes only, each of its column's kind (or NULL), and teaches the schema
nothing. Any other page is for the general path (`schema.row`). Both paths give equal rows, a law that hypothesis
checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from twinrow.change import AttributeValue, Item
from twinrow.decode.kind import Kind
from twinrow.flavour import Flavour
from twinrow.schema.cell import PayloadEncoder, payload_encoder
from twinrow.schema.row import Row, extra_text, fingerprint_of
from twinrow.schema.table import Column, TableSchema
from twinrow.schema.widening import grows, widened

_PAYLOADS: Final[dict[Kind, Any]] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "M": dict[str, dict[str, Any]], "L": list[dict[str, Any]],
    "SS": list[str], "NS": list[str], "BS": list[str],
}  # fmt: skip
SPARE_MAX: Final = 64
"""Attributes without a column, known to be NULL wherever they were met, that a decoder takes note of."""
NUMBER_CHARACTERS_SHORT: Final = 18
"""An exact number of at most this many characters never asks for a wider column."""


class _Null(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The value of an attribute that only ever was NULL."""

    NULL: bool


def _value_type(kind: Kind) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = [("payload", _PAYLOADS[kind] | UnsetType, UNSET)]
    fields.append(("null", bool | UnsetType, UNSET))
    return msgspec.defstruct(
        f"Value{kind}", fields, rename={"payload": kind, "null": "NULL"}, forbid_unknown_fields=True,
        gc=kind in ("M", "L"),
    )  # fmt: skip


_VALUE_TYPES: Final[dict[Kind, type[msgspec.Struct]]] = {kind: _value_type(kind) for kind in _PAYLOADS}
_KNOWN: Final = [msgspec.json.Decoder(struct) for struct in (_Null, *_VALUE_TYPES.values())]
"""A decoder of every type that threads share, made while one thread imports this module.

msgspec inspects a Struct at its first use. Two threads that do so at the same time crash the process (msgspec
0.22, 6 of 8 processes with 4 threads).
"""


class DoesNotFit(Exception):
    """The general path must see this page."""


class PageDecoder:
    """Makes rows from pages under one schema. Attributes in `ignored` are skipped.

    A page with any other attribute in `own` does not fit.

    Attributes in `spare` have no column and were NULL so far; the values of attribute `kept`, an own one, are given
    back beside the rows. A page in which an item counts as deleted (its attribute `deleted` is true) does not fit. Not
    thread-safe.
    """

    def __init__(
        self,
        schema: TableSchema,
        flavour: Flavour,
        ignored: frozenset[str],
        spare: frozenset[str] = frozenset(),
        kept: str | None = None,
        deleted: str | None = None,
    ) -> None:
        self.schema = schema
        self.spare = spare
        self.spare_names = nameable(spare - schema.by_attribute.keys() - schema.left_out)[:SPARE_MAX]
        passed_over = nameable((ignored | schema.left_out - schema.own) - schema.by_attribute.keys() - {kept, deleted})
        self._fits_nothing = len(nameable([*schema.by_attribute, kept or ""])) < len(schema.columns) + 1
        fields: list[tuple[str, Any, Any]] = [("kept", dict[str, Any] | None, None)] if kept else []
        names: dict[str, str] = {"kept": kept} if kept and not self._fits_nothing else {}
        for number, column in enumerate(schema.columns):
            if not self._fits_nothing:
                names[f"c{number}"] = column.attribute
            fields.append((f"c{number}", _VALUE_TYPES[column.kind] | UnsetType, UNSET))
        for number, name in enumerate(self.spare_names):
            names[f"s{number}"] = name
            fields.append((f"s{number}", _Null | UnsetType, UNSET))
        for number, name in enumerate(passed_over):
            names[f"o{number}"] = name
            fields.append((f"o{number}", msgspec.Raw, msgspec.Raw(b"")))
        item = msgspec.defstruct("Item", fields, rename=names, forbid_unknown_fields=True, gc=False)
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[item]).decode  # type: ignore[valid-type]
        self._cells = _getter([f"c{number}" for number in range(len(schema.columns))])
        self._spares = _getter([f"s{number}" for number in range(len(self.spare_names))])
        self.columns = [
            (column.attribute, column.kind, _strict(column, payload_encoder(column.type, column.kind, flavour)))
            for column in schema.columns
        ]
        where = {column.attribute: number for number, column in enumerate(schema.columns)}
        self.keys = [where[key.name] for key in schema.keys]
        tells_deleted = deleted in where and schema.by_attribute[deleted or ""].kind == "BOOL"
        self._deleted = attrgetter(f"c{where[deleted or '']}") if tells_deleted else None
        self.keeps = kept is not None

    def items(self, raw: bytes) -> list[Any]:
        """The page's items as structs: fields c0, c1… of its columns (payload, null), s0… of spare ones, kept.

        Raises DoesNotFit.
        """
        if self._fits_nothing:
            raise DoesNotFit
        try:
            items = self._decode(raw)
        except (msgspec.DecodeError, ValueError) as error:
            raise DoesNotFit from error
        if b"NULL" in raw and any(map(_has_two_types, items, repeat(self._cells))):
            raise DoesNotFit
        deleted = map(self._deleted, items) if self._deleted is not None else ()
        if any(cell is not UNSET and cell.payload is True for cell in deleted):
            raise DoesNotFit
        return items

    def rows(self, raw: bytes) -> list[Row] | None:
        """The rows of a page's items, as `to_row` makes them; None when the page does not fit."""
        found = self.rows_and_kept(raw)
        return None if found is None else found[0]

    def rows_and_kept(self, raw: bytes) -> tuple[list[Row], list[AttributeValue | None]] | None:
        """The rows, and the value of `kept` in each item (nothing where none is kept); None as `rows`."""
        try:
            items = self.items(raw)
            return [self._row(item) for item in items], [item.kept for item in items] if self.keeps else []
        except (DoesNotFit, ValueError, TypeError, AttributeError):
            return None  # the general path tells what it is, item by item

    def unchanged(self, before: bytes, after: bytes) -> list[bool] | None:
        """Whether each item of a page equals its item in an earlier page, except for `kept`; None as `rows`.

        A set in another order counts as changed.
        """
        try:
            pairs = list(zip(self.items(before), self.items(after), strict=True))
        except DoesNotFit:
            return None
        if self.keeps:
            for earlier, other in pairs:
                earlier.kept = other.kept = None
        return [earlier == other for earlier, other in pairs]

    def _row(self, item: Any) -> Row:
        values: list[Any] = []
        apart: Item = {}
        cells = self._cells(item)
        for cell, (name, kind, encode_payload) in zip(cells, self.columns, strict=True):
            if cell is UNSET:
                values.append(None)
                continue
            payload = cell.payload
            if payload is UNSET:
                if cell.null is not True:
                    raise DoesNotFit
                values.append(None)
                apart[name] = {"NULL": True}
                continue
            sql, exact = encode_payload(payload)
            values.append(sql)
            if not exact:
                apart[name] = {kind: payload}
        for name, spare in zip(self.spare_names, self._spares(item), strict=True):
            if spare is not UNSET:
                apart[name] = {"NULL": spare.NULL}
        keys = [cells[number].payload for number in self.keys]
        return Row(
            fingerprint_of(self.schema.keys, keys), tuple(values), extra_text(apart) if apart else None
        )  # fmt: skip


def _has_two_types(item: Any, cells: Callable[[Any], tuple[Any, ...]]) -> bool:
    """Whether a value is NULL and something else: its item has to be read again, which is for the general path."""
    return any(cell is not UNSET and cell.null is not UNSET and cell.payload is not UNSET for cell in cells(item))


def nameable(names: Iterable[str]) -> tuple[str, ...]:
    """Those that msgspec can name a field after."""
    return tuple(sorted(name for name in names if not any(char < " " or char in '"\\' for char in name)))


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """All these fields of a struct at once."""
    if not names:
        return lambda item: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda item: (get(item),)


def _strict(column: Column, encode_payload: PayloadEncoder) -> PayloadEncoder:
    """The encoder of a column. For a column that may grow it refuses the values that would make it grow."""
    if not grows(column):
        return encode_payload
    kind = column.kind

    def encode_known(payload: Any) -> tuple[Any, bool]:
        sql, exact = encode_payload(payload)
        if not exact or (
            kind == "N" and len(payload) > NUMBER_CHARACTERS_SHORT and widened(column, {"N": payload}) != column.type
        ):
            raise DoesNotFit
        return sql, exact

    return encode_known


def null_only(schema: TableSchema, items: Sequence[Item]) -> frozenset[str]:
    """The attributes of these items that have no column and were NULL in all of them."""
    seen: dict[str, bool] = {}
    for item in items:
        for name in item.keys() - schema.by_attribute.keys() - schema.left_out:
            seen[name] = seen.get(name, True) and item[name] == {"NULL": True}
    return frozenset(name for name, nothing in seen.items() if nothing)
