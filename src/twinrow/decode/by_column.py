"""Pages to texts column by column, for rows that are loaded or compared as a whole: no row object is made.

Which pages fit is what `compiled.PageDecoder` says, and the texts are those of the rows that it makes: laws for
hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from msgspec import UNSET

from twinrow.change import AttributeValue, Item
from twinrow.decode.compiled import DoesNotFit, PageDecoder
from twinrow.flavour import SqlValue
from twinrow.schema.column_text import ColumnTexts
from twinrow.schema.row import extra_text, fingerprints_of
from twinrow.schema.table import Column

_UNUSUAL: Final = (ValueError, TypeError, AttributeError, KeyError)

CellTexts = Sequence[str | None]
"""Cells in the order of the items; None is NULL."""


@dataclass(frozen=True, slots=True)
class PageTexts:
    """A page's rows: fingerprints in hexadecimal, cells by column, extra (None: no row has any), what was kept."""

    keys: list[str]
    columns: list[CellTexts]
    extras: CellTexts | None
    kept: list[AttributeValue | None]


@dataclass(frozen=True, slots=True)
class Form:
    """How cells become text: a whole column at once where that is possible, else cell by cell."""

    at_once: Callable[[Column], ColumnTexts | None]
    cell: Callable[[Column], Callable[[SqlValue], str]]


class ColumnDecoder:
    """Makes texts in one form from the pages that a decoder fits."""

    def __init__(self, decoder: PageDecoder, form: Form) -> None:
        self._decoder = decoder
        columns = decoder.schema.columns
        self._columns = [
            (attrgetter(f"c{number}"), attrgetter(f"c{number}.payload"), form.at_once(column), form.cell(column))
            for number, column in enumerate(columns)
        ]
        self._key_payloads = [attrgetter(f"c{number}.payload") for number in decoder.keys]

    def page(self, raw: bytes) -> PageTexts | None:
        """The texts of a page's rows; None when the page does not fit."""
        try:
            return self._page(self._decoder.items(raw))
        except (DoesNotFit, *_UNUSUAL):
            return None  # the general path tells what it is, item by item

    def _page(self, items: list[Any]) -> PageTexts:
        apart: dict[int, Item] = {}
        keys = self._fingerprints(items)
        columns = [self._column(items, number, apart) for number in range(len(self._columns))]
        for number, name in enumerate(self._decoder.spare_names):
            for place, value in enumerate(map(attrgetter(f"s{number}"), items)):
                if value is not UNSET:
                    apart.setdefault(place, {})[name] = {"NULL": value.NULL}
        extras: list[str | None] | None = None
        if apart:
            extras = [None] * len(items)
            for place, rest in apart.items():
                extras[place] = extra_text(rest)
        return PageTexts(keys, columns, extras, [item.kept for item in items] if self._decoder.keeps else [])

    def _fingerprints(self, items: list[Any]) -> list[str]:
        payloads = [list(map(get, items)) for get in self._key_payloads]
        return [key_hash.hex() for key_hash in fingerprints_of(self._decoder.schema.keys, payloads)]

    def _column(self, items: list[Any], number: int, apart: dict[int, Item]) -> CellTexts:
        cell_of, payload_of, at_once, _ = self._columns[number]
        if at_once is not None:
            try:
                return at_once(list(map(payload_of, items)))
            except _UNUSUAL:
                cells = list(map(cell_of, items))
            try:
                made = iter(at_once([cell.payload for cell in cells if cell is not UNSET]))
                return [None if cell is UNSET else next(made) for cell in cells]
            except _UNUSUAL:
                pass  # a payload must be looked at by itself
        return [self._cell(cell, number, place, apart) for place, cell in enumerate(map(cell_of, items))]

    def _cell(self, cell: Any, number: int, place: int, apart: dict[int, Item]) -> str | None:
        if cell is UNSET:
            return None
        name, kind, encode_payload = self._decoder.columns[number]
        payload = cell.payload
        if payload is UNSET:
            if cell.null is not True:
                raise DoesNotFit
            apart.setdefault(place, {})[name] = {"NULL": True}
            return None
        sql, exact = encode_payload(payload)
        if not exact:
            apart.setdefault(place, {})[name] = {kind: payload}
        return None if sql is None else self._columns[number][3](sql)
