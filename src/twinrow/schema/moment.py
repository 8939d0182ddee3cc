"""Points in time: from what applications write into DynamoDB to DATE and DATETIME text, in UTC, and back.

A moment is a number of microseconds since 1970, rounded down: a rounded-up 23:59:59.9999 would be the next day.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from twinrow.decode.number import decimal_text, exact_decimal
from twinrow.schema.sql_type import Source

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  all moments are UTC, and MySQL's DATETIME has no zone
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENT_MIN: Final = (datetime(1000, 1, 1) - _EPOCH) // _MICROSECOND  # noqa: DTZ001
_MOMENT_MAX: Final = (datetime(9999, 12, 31, 23, 59, 59, 999_999) - _EPOCH) // _MICROSECOND  # noqa: DTZ001
"""The range of DATETIME (MySQL manual, "The DATE, DATETIME, and TIMESTAMP Types")."""

_EXACT: Final = Context(prec=60, rounding=ROUND_FLOOR)
_DECIMAL_PLACES_MAX: Final = 20
_POWER: Final[dict[Source, int]] = {"epoch_s": 6, "epoch_ms": 3}

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?\s?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)


def read_moment(text: str, source: Source) -> int | None:
    """Return microseconds since 1970, or None for what is no such moment or outside the years 1000 to 9999.

    Times without an offset are taken as UTC.
    """
    moment = _read_iso(text) if source == "iso8601" else _read_epoch(text, _POWER[source])
    return moment if moment is not None and _MOMENT_MIN <= moment <= _MOMENT_MAX else None


def _read_epoch(text: str, power: int) -> int | None:
    try:
        number = exact_decimal(text)
    except ValueError:
        return None
    if number.adjusted() > _DECIMAL_PLACES_MAX:
        return None
    return int(number.scaleb(power, _EXACT).to_integral_value(ROUND_FLOOR))


def _read_iso(text: str) -> int | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        whole = (datetime(year, month, day, hour, minute, second) - _EPOCH) // _MICROSECOND  # noqa: DTZ001
    except ValueError:
        return None
    fraction = int((found[7] or "").ljust(6, "0")[:6])
    offset_hours, offset_minutes = int(found[10] or 0), int(found[11] or 0)
    if offset_hours > 23 or offset_minutes > 59:
        return None
    offset = (offset_hours * 60 + offset_minutes) * 60_000_000 * (-1 if found[9] == "-" else 1)
    return whole + fraction - offset


def moment_sql(moment: int, digits: int | None) -> str:
    """Return DATETIME text with that many digits of a second, cut not rounded, as servers print it; None: a DATE."""
    at = _EPOCH + timedelta(microseconds=moment)
    if digits is None:
        return at.strftime("%Y-%m-%d").rjust(10, "0")
    text = at.isoformat(sep=" ", timespec="microseconds")
    return text[: 19 + (digits + 1 if digits else 0)]


def moment_text(sql: str, source: Source) -> str | None:
    """Return the wire text that a stored DATE or DATETIME stands for, or None when it is none (`0000-00-00`).

    ISO-8601 comes back as `2024-05-01T12:00:00.123Z`, with the column's digits, as JavaScript's toISOString has it;
    a DATE as `2024-05-01`.
    """
    if source == "iso8601":
        return sql if len(sql) == 10 else f"{sql[:10]}T{sql[11:]}Z"
    moment = _read_iso(sql)
    if moment is None:
        return None
    return decimal_text(Decimal(moment).scaleb(-_POWER[source], _EXACT))
