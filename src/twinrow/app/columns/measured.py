"""The input of `schema --suggest`: the columns of a copy, measured inside MySQL, slice by slice from the newest row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from twinrow.app.setup.suggest import FORMS, SCALES, SOME_TIME, Measured
from twinrow.mysql import Connection
from twinrow.schema.column_type import NUMBERS
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import plain
from twinrow.schema.table import Column, TableSchema
from twinrow.schema.widening import TEXT_TOP

ROWS_LOOKED_AT_MAX: Final = 2_000_000
"""Enough to be told by; a column that turns out too narrow afterwards grows."""
ROWS_MEASURED_AT_ONCE: Final = 20_000
TIME_CHARACTERS_MAX: Final = 40
"""No time is longer: the server matches no pattern against a long text."""


@dataclass
class _Sums:
    """The sums over the slices so far, for each expression of a column; None before the first slice."""

    column: Column
    sums: list[Any] = field(default_factory=list)


def measured(connection: Connection, schema: TableSchema) -> tuple[list[Measured], int]:
    """(the learned columns of texts and numbers, rows looked at). Keys and overridden columns are left as they are."""
    wanted = [
        _Sums(column)
        for column in schema.columns
        if not column.key and not column.overridden and (column.type in NUMBERS or column.type == TEXT_TOP)
    ]
    before, rows = 2**63, 0
    while wanted and rows < ROWS_LOOKED_AT_MAX:
        newest = f"WHERE row_id < %s ORDER BY row_id DESC LIMIT {ROWS_MEASURED_AT_ONCE}"
        ids = f"SELECT row_id FROM {quote(schema.into)} {newest}"
        first, count = connection.query(f"SELECT MIN(row_id), COUNT(*) FROM ({ids}) AS slice", (before,))[0]
        if not count:
            break
        asked = [expression for known in wanted for expression in _expressions(known.column)]
        found = connection.query(
            f"SELECT {', '.join(asked)} FROM {quote(schema.into)} WHERE row_id >= {int(first)} AND row_id < %s",
            (before,),
        )[0]
        _add(wanted, found)
        before, rows = int(first), rows + int(count)
    return [_measured(known) for known in wanted if known.sums], rows


def _expressions(column: Column) -> list[str]:
    """How many values, then the two outermost, then how many are of each form or need each scale."""
    name = quote(column.column)
    if column.kind == "N":
        counted = [f"SUM({name} <> ROUND({name}, {scale}))" for scale in (0, *SCALES)]
        return [f"COUNT({name})", f"MIN({name})", f"MAX({name})", *counted]
    short = f"CHAR_LENGTH({name}) <= {TIME_CHARACTERS_MAX}"
    counted = [f"SUM({short} AND {name} REGEXP '{pattern}')" for pattern in (SOME_TIME, *FORMS.values())]
    return [f"COUNT({name})", f"MIN(CHAR_LENGTH({name}))", f"MAX(CHAR_LENGTH({name}))", *counted]


def _add(wanted: Sequence[_Sums], found: Sequence[Any]) -> None:
    place = 0
    for known in wanted:
        size = len(_expressions(known.column))
        values = found[place : place + size]
        place += size
        if not known.sums:
            known.sums = [0, values[1], values[2], *([0] * (size - 3))]
        outer = [
            [value for value in pair if value is not None] for pair in zip(known.sums[1:3], values[1:3], strict=True)
        ]
        known.sums = [
            known.sums[0] + int(values[0]),
            min(outer[0], default=None),
            max(outer[1], default=None),
            *(before + int(value or 0) for before, value in zip(known.sums[3:], values[3:], strict=True)),
        ]


def _measured(known: _Sums) -> Measured:
    column, (values, low, high, *counted) = known.column, known.sums
    ct = plain(column.type)
    if column.kind == "N":
        inexact = dict(zip((0, *SCALES), counted, strict=True))
        return Measured(
            column.attribute, "N", ct, values, low=float(Decimal(low or 0)), high=float(Decimal(high or 0)),
            inexact=inexact,
        )  # fmt: skip
    times, *forms = counted
    of_forms = dict(zip(FORMS, forms, strict=True))
    return Measured(column.attribute, "S", ct, values, int(high or 0), times, of_forms)
