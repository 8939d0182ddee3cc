"""DynamoDB numbers as text: read, compared and printed without ever passing through a rounding context.

A DynamoDB number has up to 38 significant digits and a magnitude from 1E-130 to 9.99…E+125, or is zero
(AWS: "Data types, Number"). Nothing here depends on that range; every finite decimal number is handled exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

DOUBLE_DIGITS_MAX: Final = 15
"""Significant digits that every double keeps (C's DBL_DIG), so that two servers print what was written."""
DOUBLE_FRACTION_DIGITS_MAX: Final = 15
"""Fraction digits up to which a JSON parser's fast path (one division by an exact power of ten) is exact."""

_NUMBER: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?", re.ASCII)

PLAIN: Final = re.compile(r"-?(0|[1-9]\d*)(?:\.(\d*[1-9]))?", re.ASCII)
"""The single notation of a number that columns give back (except `-0`): groups are integer and fraction digits."""


def number_parts(text: str) -> tuple[bool, str, int]:
    """Return (negative, significant digits, exponent); zero is (False, "", 0). Raises ValueError if it is no number.

    The value is digits times ten to the exponent; the digits neither begin nor end with a zero.
    """
    found = _NUMBER.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise ValueError(f"not a DynamoDB number: {text[:80]!r}")
    fraction = found[3] or ""
    digits = (found[2] + fraction).lstrip("0")
    if not digits:
        return False, "", 0
    kept = digits.rstrip("0")
    return found[1] == "-", kept, int(found[4] or 0) - len(fraction) + len(digits) - len(kept)


def canonical_number(text: str) -> str:
    """Return one text per numeric value: `1`, `1.0` and `1E0` give `1E0`; `-0` gives `0`. Raises ValueError.

    Fingerprints and digests kept in MySQL are made of it, so it must never change.
    """
    # Most numbers are short integers and need no regular expression (isdigit alone takes other scripts' digits, too).
    if text.isdigit() and text.isascii() and text[0] != "0" and text[-1] != "0":
        return text + "E0"
    if text.isdigit() and text.isascii() and text[0] != "0":  # most numbers, without the parser
        digits = text.rstrip("0")
        return f"{digits}E{len(text) - len(digits)}"
    negative, digits, exponent = number_parts(text)
    if not digits:
        return "0"
    return f"{'-' if negative else ''}{digits}E{exponent}"


def exact_decimal(text: str) -> Decimal:
    """Return the number as a Decimal of the same value. Raises ValueError if it is no number."""
    negative, digits, exponent = number_parts(text)
    return Decimal((int(negative), tuple(map(int, digits)), exponent))


def decimal_text(number: Decimal) -> str:
    """Return a finite Decimal in fixed notation without trailing zeros, as DynamoDB prints it."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "-") else text


def double_text(number: float) -> str:
    """Return the shortest text that names this double, in fixed notation."""
    return decimal_text(Decimal(repr(number)))


def plain_number(text: str) -> int | float:
    """Return the number as JSON columns hold it: an int where it is an integer in int64, else the nearest double.

    Raises ValueError if it is no number, or beyond every double.
    """
    negative, digits, exponent = number_parts(text)
    if exponent >= 0 and len(digits) + exponent <= len(str(INT64_MAX)):
        whole = int(f"{'-' if negative else ''}{digits or 0}{'0' * exponent}")
        if INT64_MIN <= whole <= INT64_MAX:
            return whole
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"beyond the range of DynamoDB numbers: {text[:80]!r}")
    return number


def plain_and_reversible_number(text: str) -> tuple[int | float, bool]:
    """Return `plain_number(text)` and whether a JSON column gives the text back. Raises ValueError as that does."""
    if len(text) <= DOUBLE_DIGITS_MAX and (found := PLAIN.fullmatch(text)) is not None:
        if found[2] is None:
            if text != "-0":
                return int(text), True
        elif repr(number := float(text)) == text:
            return number, True
    whole_or_double = plain_number(text)
    return whole_or_double, reversible_number(text, whole_or_double)


def one_double(text: str) -> bool:
    """Whether every JSON parser takes this number (with a point or an exponent) for the same double, the fast as well.

    MySQL 8 reads some with more digits one unit off (bugs.mysql.com 116160).
    """
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent or 0) - len(fraction)
    return len((whole + fraction).lstrip("0")) <= DOUBLE_DIGITS_MAX and -DOUBLE_FRACTION_DIGITS_MAX <= power <= 0


def plain_number_text(number: int | float) -> str:
    """Return the DynamoDB text of a number read from a JSON column."""
    return str(number) if isinstance(number, int) else double_text(number)


def reversible_number(text: str, number: int | float) -> bool:
    """Whether a JSON column that holds `number` gives `text` back, on MySQL (which keeps doubles) as on MariaDB."""
    if isinstance(number, int):
        return str(number) == text
    found = PLAIN.fullmatch(text)
    if found is None or found[2] is None or len(found[2]) > DOUBLE_FRACTION_DIGITS_MAX:
        return False
    significant = (found[1] + found[2]).lstrip("0")
    return len(significant) <= DOUBLE_DIGITS_MAX and double_text(number) == text
