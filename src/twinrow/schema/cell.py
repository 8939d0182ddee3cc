"""One value in one column: what is written, whether that is exact, and the value that a stored cell stands for.

The server never decides what fits. A value that a column cannot hold is rounded here, half to even, or left NULL, and
`exact` is False: then the row's extra holds the value as it came. The value of a cell depends on the value alone, not
on the flavour, so that both servers hold equal rows.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Any, Final

from twinrow.change import AttributeValue
from twinrow.decode.kind import Kind, kind_of
from twinrow.decode.number import PLAIN, canonical_number, decimal_text, double_text, exact_decimal
from twinrow.flavour import Flavour, SqlValue
from twinrow.schema.json_cell import decode_json, json_encoder, same_json
from twinrow.schema.moment import moment_sql, moment_text, read_moment
from twinrow.schema.sql_type import BLOB_BYTES_MAX, INTEGER_RANGES, TEXT_BYTES_MAX, ColumnType, Source

Cell = tuple[SqlValue, bool]
PayloadEncoder = Callable[[Any], Cell]
PayloadDecoder = Callable[[Any], AttributeValue | None]

_NOTHING: Final[Cell] = (None, False)
_ROUNDING: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)
_DOUBLE_DECIMAL_EXPONENT_MAX: Final = 308


@dataclass(frozen=True, slots=True)
class Encoded:
    """The cell to write; `exact` says that `decode` gives the very value back."""

    sql: SqlValue
    exact: bool


def encode(ct: ColumnType, kind: Kind, value: AttributeValue, flavour: Flavour) -> Encoded:
    """Encode a value for a column of this type and kind; a value of another kind is NULL and not exact.

    Raises ValueError for what is no DynamoDB value, and for text that UTF-8 cannot hold (lone surrogates).
    """
    if kind not in value:
        return Encoded(None, False)
    return Encoded(*payload_encoder(ct, kind, flavour)(value[kind]))


def decode(ct: ColumnType, kind: Kind, stored: SqlValue) -> AttributeValue | None:
    """Return the value that a stored cell stands for; None for NULL and for what no value of this kind looks like."""
    return None if stored is None else payload_decoder(ct, kind)(stored)


def shown(ct: ColumnType, value: AttributeValue, flavour: Flavour) -> SqlValue:
    """The cell of an overridden column for a value of another kind: everything that the column's type can print.

    Never exact: what the cell says of the kind is lost, and extra has the value as it came. NULL is shown as NULL.
    Raises ValueError as `encode` does.
    """
    kind = kind_of(value)
    return None if kind == "NULL" else payload_encoder(ct, kind, flavour)(value[kind])[0]


def prints_all(ct: ColumnType) -> bool:
    """Whether a type prints values of every kind: what it leaves NULL is too long or too deep, not of another kind."""
    return ct.name in TEXT_BYTES_MAX or ct.name in ("JSON", "VARCHAR")


def holds(ct: ColumnType, kind: Kind) -> bool:
    """Whether a column of this type can hold values of this kind at all, so that it may belong to that kind."""
    if ct.name in ("DATE", "DATETIME"):
        return kind == "S" or (kind == "N" and ct.source != "iso8601")
    if ct.name in INTEGER_RANGES or ct.name in ("DECIMAL", "DOUBLE", "BOOLEAN"):
        return kind in ("N", "S", "BOOL")
    if ct.name == "VARBINARY" or ct.name in BLOB_BYTES_MAX:
        return kind in ("B", "S", "N")
    return kind != "NULL"


def kind_of_column(ct: ColumnType, kind: Kind, value: AttributeValue) -> Kind | None:
    """The kind that a column of this type belongs to at its attribute's first value; None: the type does not decide.

    A stray text of which a column of numbers, dates or truth values can show nothing does not take it from the values
    that it is meant for, be they numbers or texts of numbers. A column always takes the values that it was made for.
    """
    if not holds(ct, kind):
        return None
    if kind in made_for(ct):
        return kind
    try:
        return None if encode(ct, kind, value, "mysql").sql is None else kind
    except ValueError:
        return None


def made_for(ct: ColumnType) -> tuple[Kind, ...]:
    """The kinds whose values decide at once whose a column of this type is."""
    if ct.name in ("DATE", "DATETIME"):
        return {"iso8601": ("S",), None: ()}.get(ct.source, ("N",))
    if ct.name in INTEGER_RANGES or ct.name in ("DECIMAL", "DOUBLE"):
        return ("N",)
    return ("BOOL",) if ct.name == "BOOLEAN" else ("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS")


@lru_cache(maxsize=1024)
def payload_encoder(ct: ColumnType, kind: Kind, flavour: Flavour) -> PayloadEncoder:
    """Return the function that encodes payloads (what stands behind the kind) for a column."""
    del flavour  # Cells are equal on both servers; whoever finds a difference to make has the place for it.
    if ct.name == "JSON":
        return json_encoder(kind)
    if ct.name in ("DATE", "DATETIME"):
        return _moment_encoder(ct, kind)
    if ct.name in INTEGER_RANGES or ct.name in ("DECIMAL", "DOUBLE"):
        return _number_encoder(ct, kind)
    if ct.name == "BOOLEAN":
        return _boolean_encoder(kind)
    if ct.name == "VARBINARY" or ct.name in BLOB_BYTES_MAX:
        return _binary_encoder(ct.length or BLOB_BYTES_MAX.get(ct.name, 0), kind)
    return _text_encoder(ct, kind)


@lru_cache(maxsize=1024)
def payload_decoder(ct: ColumnType, kind: Kind) -> PayloadDecoder:
    """Return the function that decodes stored cells, NULL excepted, of a column."""
    if ct.name == "JSON":
        return decode_json(kind)
    if ct.name in ("DATE", "DATETIME"):
        return lambda stored: _value(kind, moment_text(stored, moment_source(ct, kind)))
    if ct.name in INTEGER_RANGES or ct.name == "BOOLEAN":
        return lambda stored: _value(kind, _whole_text(ct, kind, stored))
    if ct.name == "DECIMAL":
        # An int would be formatted by way of a float.
        return lambda stored: _value(kind, decimal_text(Decimal(stored)))
    if ct.name == "DOUBLE":
        return lambda stored: _value(kind, double_text(stored))
    if ct.name == "VARBINARY" or ct.name in BLOB_BYTES_MAX:
        return lambda stored: {"B": b64encode(stored).decode()} if kind == "B" else _utf8_value(kind, stored)
    if kind in ("M", "L", "SS", "NS", "BS"):
        return decode_json(kind)
    return lambda stored: _value(kind, stored)


def _value(kind: Kind, text: str | None) -> AttributeValue | None:
    """The value of a scalar kind that has this text."""
    if text is None:
        return None
    if kind == "BOOL":
        return {"BOOL": text in ("1", "true")} if text in ("0", "1", "true", "false") else None
    return {kind: text} if kind in ("S", "N", "B") else None


def _utf8_value(kind: Kind, stored: bytes) -> AttributeValue | None:
    try:
        return _value(kind, stored.decode())
    except UnicodeDecodeError:
        return None


def _whole_text(ct: ColumnType, kind: Kind, stored: int) -> str | None:
    """The text of an integer cell; a BOOLEAN column of text says true and false, and holds nothing but 0 and 1."""
    if ct.name != "BOOLEAN":
        return str(stored)
    if stored not in (0, 1):
        return None
    return ("false", "true")[stored] if kind == "S" else str(stored)


def check_text(text: str) -> int:
    """Return the text's bytes in UTF-8. Raises ValueError for lone surrogates, which UTF-8 and MySQL cannot hold."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError("text with a lone surrogate, which UTF-8 cannot hold") from error


def _text_encoder(ct: ColumnType, kind: Kind) -> PayloadEncoder:
    characters_max, bytes_max = ct.length, TEXT_BYTES_MAX.get(ct.name)
    to_json = json_encoder(kind)

    def encode_text(payload: Any) -> Cell:
        if kind in ("S", "N", "B"):
            text, exact = payload, True
        elif kind == "BOOL":
            text, exact = ("true" if payload else "false"), True
        else:
            found, exact = to_json(payload)
            if found is None:
                return _NOTHING
            text = str(found)
        size = check_text(text)
        if (characters_max is not None and len(text) > characters_max) or (bytes_max is not None and size > bytes_max):
            return _NOTHING
        return text, exact

    return encode_text


def _binary_encoder(bytes_max: int, kind: Kind) -> PayloadEncoder:
    def encode_binary(payload: Any) -> Cell:
        raw = b64decode(payload, validate=True)
        # Base64 of other writers may carry stray bits behind the last byte; then the text is not the text that we
        # would give.
        return (raw, b64encode(raw).decode() == payload) if len(raw) <= bytes_max else _NOTHING

    def encode_utf8(payload: Any) -> Cell:
        check_text(payload)
        raw = payload.encode()
        return (raw, True) if len(raw) <= bytes_max else _NOTHING

    if kind == "B":
        return encode_binary
    return encode_utf8 if kind in ("S", "N") else _nothing


def _nothing(payload: Any) -> Cell:
    del payload
    return _NOTHING


def _boolean_encoder(kind: Kind) -> PayloadEncoder:
    by_kind: dict[str, dict[Any, int]] = {
        "BOOL": {False: 0, True: 1}, "N": {"0": 0, "1": 1}, "S": {"false": 0, "true": 1},
    }  # fmt: skip
    names = by_kind.get(kind, {})

    def encode_boolean(payload: Any) -> Cell:
        return (names[payload], True) if payload in names else _NOTHING

    return encode_boolean if names else _nothing


def _number_encoder(ct: ColumnType, kind: Kind) -> PayloadEncoder:
    encode_number: PayloadEncoder
    if ct.name == "DOUBLE":
        encode_number = _encode_double
    elif ct.name == "DECIMAL":
        encode_number = _decimal_encoder(ct.length or 0, ct.scale or 0)
    else:
        encode_number = _integer_encoder(*INTEGER_RANGES[ct.name])
    if kind == "N":
        return encode_number

    def encode_numeric_text(payload: Any) -> Cell:
        check_text(payload)
        try:
            return encode_number(payload)
        except ValueError:
            return _NOTHING

    if kind == "S":
        return encode_numeric_text
    if kind == "BOOL":
        return lambda payload: encode_number("1" if payload else "0")
    return _nothing


def _integer_encoder(low: int, high: int) -> PayloadEncoder:
    rounded_encoder = _rounding_encoder(0, Decimal(low), Decimal(high))

    def encode_integer(text: Any) -> Cell:
        if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
            number = int(text)
            return (number, True) if number <= high else _NOTHING
        found = PLAIN.fullmatch(text)
        if found is not None and found[2] is None and text != "-0":
            number = int(text)
            return (number, True) if low <= number <= high else _NOTHING
        rounded = rounded_encoder(text)
        return _NOTHING if rounded is None else (int(rounded), False)

    return encode_integer


def _decimal_encoder(digits: int, scale: int) -> PayloadEncoder:
    whole_digits = digits - scale
    # Decimal arithmetic, a minus sign too, would round to the default context's 28 digits.
    highest = Decimal(10**digits - 1).scaleb(-scale, _ROUNDING)
    rounded_encoder = _rounding_encoder(scale, highest.copy_negate(), highest)

    def encode_decimal(text: Any) -> Cell:
        found = PLAIN.fullmatch(text)
        if found is not None and text != "-0":
            whole = found[1]
            if (len(whole) <= whole_digits or whole == "0") and len(found[2] or "") <= scale:
                return Decimal(text), True
        rounded = rounded_encoder(text)
        return _NOTHING if rounded is None else (rounded, False)

    return encode_decimal


def _rounding_encoder(scale: int, low: Decimal, high: Decimal) -> Callable[[str], Decimal | None]:
    """The number rounded half to even at `scale`; None where that is out of bounds."""
    unit = Decimal((0, (1,), -scale))
    reach = high.adjusted() + 1

    def round_number(text: str) -> Decimal | None:
        number = exact_decimal(text)
        if number and number.adjusted() > reach:
            return None
        rounded = number.quantize(unit, context=_ROUNDING)
        if not low <= rounded <= high:
            return None
        return rounded or Decimal((0, (0,), -scale))

    return round_number


def _encode_double(text: Any) -> Cell:
    number = exact_decimal(text)
    if number and number.adjusted() > _DOUBLE_DECIMAL_EXPONENT_MAX:
        return _NOTHING
    double = float(number)
    if double in (float("inf"), float("-inf")):
        return _NOTHING
    # Minus zero compares equal to zero but prints otherwise; DynamoDB knows one zero only.
    double = double or 0.0
    return double, double_text(double) == text


def moment_source(ct: ColumnType, kind: Kind) -> Source:
    """The source of a date column: as the override says, else ISO-8601 for text and epoch seconds for numbers."""
    return ct.source or ("iso8601" if kind == "S" else "epoch_s")


def _moment_encoder(ct: ColumnType, kind: Kind) -> PayloadEncoder:
    source = moment_source(ct, kind)
    digits = (ct.length or 0) if ct.name == "DATETIME" else None

    def encode_moment(payload: Any) -> Cell:
        check_text(payload)
        if kind == "N":
            canonical_number(payload)
        moment = read_moment(payload, source)
        if moment is None:
            return _NOTHING
        sql = moment_sql(moment, digits)
        return sql, moment_text(sql, source) == payload

    return encode_moment if kind in ("S", "N") else _nothing


def same_stored(ct: ColumnType, expected: SqlValue, stored: SqlValue, flavour: Flavour) -> bool:
    """Whether a stored cell is what was written, strictly.

    Text is compared by code points, DECIMAL by value and with the column's scale, JSON by its bytes on MariaDB and by
    its parsed values on MySQL, which stores it in a form of its own (`1`, `1.0` and `true` differ, key order does not).
    """
    if expected is None or stored is None:
        return expected is None and stored is None
    if ct.name == "DECIMAL":
        scale = stored.as_tuple().exponent if isinstance(stored, Decimal) else None
        return scale == -(ct.scale or 0) and stored == expected
    if ct.name == "JSON" and flavour == "mysql":
        return isinstance(stored, str) and same_json(str(expected), stored)
    return type(stored) is type(expected) and stored == expected
