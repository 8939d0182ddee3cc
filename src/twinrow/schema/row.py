"""Items as rows and rows as items: columns for what they hold exactly, extra for all else, nothing lost between."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from twinrow.change import SEALED_KEY, AttributeValue, Item
from twinrow.decode.kind import Kind
from twinrow.decode.number import canonical_number
from twinrow.decode.plain import settled
from twinrow.flavour import Flavour, SqlValue
from twinrow.schema.cell import (
    Encoded,
    PayloadDecoder,
    PayloadEncoder,
    encode,
    payload_decoder,
    payload_encoder,
    prints_all,
    same_stored,
    shown,
)
from twinrow.schema.json_cell import compact
from twinrow.schema.table import Column, KeyAttribute, TableSchema

FINGERPRINT_BYTES: Final = 16
EXTRA: Final = "_twinrow_extra"


class Unrepresentable(ValueError):
    """No row can hold this item; the message says why. It is parked as a dead letter."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write: its fingerprint, the cells in the order of the schema's columns, and extra.

    `unshown` are the attributes whose cell is NULL because the value is of another type than the column.
    """

    key: bytes
    values: tuple[SqlValue, ...]
    extra: str | None
    unshown: tuple[str, ...] = ()


def key_of(keys: tuple[KeyAttribute, ...], item: Item) -> Item:
    """Return the key attributes of an item, and its sealed key where it has to have one.

    Raises ValueError when an attribute is missing: without its sealed key, DynamoDB cannot be asked for the item.
    """
    try:
        key = {key.name: item[key.name] for key in keys}
        return {**key, SEALED_KEY: item[SEALED_KEY]} if keys[0].sealed else key
    except KeyError as error:
        raise ValueError(f"the item has no key attribute {error.args[0]!r}") from None


def bare_key(keys: tuple[KeyAttribute, ...], item: Item) -> Item:
    """Return `key_of` with nothing but the payloads of the right kinds. Raises KeyError or ValueError."""
    return {name: {kind: value[kind]} for name, kind, value in _payloads_of(keys, key_of(keys, item))}


def _payloads_of(keys: tuple[KeyAttribute, ...], key: Item) -> Iterator[tuple[str, str, AttributeValue]]:
    kinds = {attribute.name: attribute.kind for attribute in keys}
    return ((name, kinds.get(name, "S"), value) for name, value in key.items())


def fingerprint(keys: tuple[KeyAttribute, ...], item: Item) -> bytes:
    """Return the 16-byte BLAKE2b of an item's key: each part tagged, length-prefixed, numbers by value.

    It is the UNIQUE key of the row, so it must never change. Lone surrogates are hashed too, so that a dead letter has
    a key. Raises ValueError when a key attribute is missing, of another kind, or malformed.
    """
    payloads = []
    for key in keys:
        payload = item.get(key.name, {}).get(key.kind)
        if not isinstance(payload, str):
            raise ValueError(f"the item has no key attribute {key.name!r} of kind {key.kind}")
        payloads.append(payload)
    return fingerprint_of(keys, payloads)


def fingerprint_of(keys: tuple[KeyAttribute, ...], payloads: Sequence[str]) -> bytes:
    """Return `fingerprint` of the key whose payloads (what stands behind the kind) these are. Raises ValueError."""
    parts = []
    for key, payload in zip(keys, payloads, strict=True):
        if key.kind == "B":
            raw = b64decode(payload, validate=True)
        else:
            raw = (payload if key.kind == "S" else canonical_number(payload)).encode("utf-8", "surrogatepass")
        parts.append(b"%b%d:%b" % (key.kind.encode(), len(raw), raw))
    return blake2b(b"".join(parts), digest_size=FINGERPRINT_BYTES).digest()


def fingerprints_of(keys: tuple[KeyAttribute, ...], payloads: Sequence[Sequence[str]]) -> list[bytes]:
    """The same of many keys at once, the payloads key attribute by key attribute. Raises ValueError."""
    if all(key.kind == "S" for key in keys) and all("".join(of_key).isascii() for of_key in payloads):
        parts = [[f"S{len(payload)}:{payload}" for payload in of_key] for of_key in payloads]
        texts: map[str] = map("".join, zip(*parts, strict=True))
        return [blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest() for text in texts]
    return [fingerprint_of(keys, values) for values in zip(*payloads, strict=True)]


@lru_cache(maxsize=256)
def _encoders(schema: TableSchema, flavour: Flavour) -> tuple[tuple[Column, str, Kind, PayloadEncoder], ...]:
    return tuple(
        (column, _attribute_of(column), column.kind, payload_encoder(column.type, column.kind, flavour))
        for column in schema.columns
    )


def _attribute_of(column: Column) -> str:
    """The attribute of a column; that of a derived column has no name, so that no item has it."""
    return "" if column.derived else column.attribute


@lru_cache(maxsize=256)
def _decoders(schema: TableSchema) -> tuple[tuple[str, PayloadDecoder], ...]:
    return tuple(
        (_attribute_of(column), _no_value if column.derived else payload_decoder(column.type, column.kind))
        for column in schema.columns
    )


def _no_value(_stored: SqlValue) -> None:
    """A derived cell adds no value to its item."""


def to_row(schema: TableSchema, item: Item, flavour: Flavour, key_hash: bytes = b"") -> Row:
    """Return the row of an item, from which `to_item` rebuilds it. Raises Unrepresentable.

    `key_hash`: the fingerprint of the item's key, where the caller has it.
    """
    try:
        return _to_row(schema, item, flavour, key_hash)
    except (ValueError, TypeError, AttributeError) as error:
        raise Unrepresentable(str(error)) from error


def _to_row(schema: TableSchema, item: Item, flavour: Flavour, key_hash: bytes) -> Row:
    values: list[SqlValue] = []
    inexact: list[str] = []
    unshown: list[str] = []
    held = 0
    for column, name, kind, encode_payload in _encoders(schema, flavour):
        value = item.get(name)
        if value is None:
            values.append(None)
            continue
        held += 1
        payload = value.get(kind)
        if payload is None:
            cell = shown(column.type, value, flavour) if column.overridden else None
            values.append(cell)
            inexact.append(name)
            if cell is None and "NULL" not in value and not (column.overridden and prints_all(column.type)):
                unshown.append(name)
            continue
        sql, exact = encode_payload(payload)
        values.append(sql)
        if not exact:
            inexact.append(name)
    if held < len(item):
        inexact += item.keys() - schema.by_attribute.keys() - schema.left_out
    if schema.derives:
        schema.derive(item, values)
    extra = extra_text({name: item[name] for name in inexact}) if inexact else None
    return Row(key_hash or fingerprint(schema.keys, item), tuple(values), extra, tuple(unshown))


def with_apart(schema: TableSchema, item: Item, flavour: Flavour, apart: frozenset[str]) -> Row:
    """`to_row` with these attributes in extra alone, their columns NULL. Raises Unrepresentable."""
    row = to_row(schema, item, flavour)
    names = sorted(_parse_extra(row.extra).keys() | (apart & item.keys()))
    cells = zip(schema.columns, row.values, strict=True)
    values = tuple(None if column.attribute in apart else value for column, value in cells)
    return Row(row.key, values, extra_text({name: item[name] for name in names}) if names else None)


def held_apart(schema: TableSchema, values: Sequence[SqlValue], extra: str | None) -> frozenset[str]:
    """The attributes of a stored row that extra holds and whose columns are NULL. Raises ValueError as `to_item`."""
    apart = _parse_extra(extra)
    cells = zip(schema.columns, values, strict=True)
    return frozenset(column.attribute for column, value in cells if value is None and column.attribute in apart)


def extra_text(apart: Item) -> str:
    """The text of extra for what the columns do not hold exactly. Raises ValueError for what UTF-8 cannot hold."""
    return compact({name: settled(value) for name, value in apart.items()})


def to_item(schema: TableSchema, values: Sequence[SqlValue], extra: str | None) -> Item:
    """Return the item that a row stands for, less Twinrow's own and the ignored attributes.

    Raises ValueError when extra is not what Twinrow writes.
    """
    apart = _parse_extra(extra)
    item: Item = {}
    for (name, decode_stored), stored in zip(_decoders(schema), values, strict=True):
        if stored is None or name in apart:
            continue
        value = decode_stored(stored)
        if value is not None:
            item[name] = value
    item.update(apart)
    return {name: value for name, value in item.items() if name not in schema.left_out}


def rebuilt_cells(
    schema: TableSchema, values: Sequence[SqlValue], extra: str, flavour: Flavour
) -> tuple[dict[str, SqlValue], str | None] | None:
    """The cells, by column name, and the extra that the values in a row's extra have under today's schema.

    None where the row has them already. Raises ValueError when extra is not what Twinrow writes.
    """
    apart, cells = _parse_extra(extra), dict[str, SqlValue]()
    for column, stored in zip(schema.columns, values, strict=True):
        value = apart.get(column.attribute)
        if value is None:
            continue
        encoded = encode(column.type, column.kind, value, flavour)
        if column.overridden and column.kind not in value:
            encoded = Encoded(shown(column.type, value, flavour), False)
        if not same_stored(column.type, encoded.sql, stored, flavour):
            cells[column.column] = encoded.sql
        if encoded.exact:
            del apart[column.attribute]
    text = extra_text(apart) if apart else None
    return (cells, text) if cells or text != extra else None


def _parse_extra(extra: str | None) -> dict[str, AttributeValue]:
    if extra is None:
        return {}
    parsed: Any = json.loads(extra)
    if not isinstance(parsed, dict) or not all(isinstance(value, dict) for value in parsed.values()):
        raise ValueError(f"{EXTRA} is not an object of DynamoDB values")
    return parsed


def differing(
    schema: TableSchema, expected: Row, values: Sequence[SqlValue], extra: str | None, flavour: Flavour
) -> tuple[str, ...]:
    """Return the attributes in which a stored row differs, sorted; `_twinrow_extra` for its text alone.

    A cell changed by hand is found even where extra holds the exact value.
    """
    differing_names = {
        column.attribute
        for column, ours, stored in zip(schema.columns, expected.values, values, strict=True)
        if not same_stored(column.type, ours, stored, flavour)
    }
    if extra != expected.extra:
        differing_names |= _differing_extra(expected.extra, extra)
    return tuple(sorted(differing_names))


def _differing_extra(expected: str | None, stored: str | None) -> set[str]:
    try:
        ours, theirs = _parse_extra(expected), _parse_extra(stored)
    except ValueError:
        return {EXTRA}
    return {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} or {EXTRA}
