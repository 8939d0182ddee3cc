"""`where` of a table, compiled: which items have rows, asked of items and of the JSON of whole pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from twinrow.change import Item
from twinrow.decode import wire_json
from twinrow.decode.compiled import nameable
from twinrow.entities.condition import Condition, careful, filter_of, read_condition
from twinrow.entities.filter_expression import FilterExpression, filter_expression
from twinrow.entities.split import Split, check_keys
from twinrow.errors import ConfigError
from twinrow.wanted import WantedConfig, Where

_RELATIVE: Final = re.compile(
    r"\s*(now|today|yesterday|tomorrow)\b.*"
    r"|\s*[-+]?\s*\d+\s*(s|m|h|d|w|y|(second|minute|hour|day|week|month|year)s?)(\s+ago)?\s*"
    r"|\s*(last|past|within)\s+\d.*"
    r"|\s*-?P\d.*",
    re.IGNORECASE,
)
"""Texts that mean a time before now to whoever writes them, and that no item's text would ever be compared with."""

Members = list[msgspec.Raw]


class _Source(msgspec.Struct, frozen=True):
    """The parts of a filter; kept beside the copy, and sent to processes that read for it."""

    where: Where
    separator: str


_KNOWN: Final = msgspec.json.Decoder(_Source)
_split: Final = msgspec.json.Decoder(Members).decode
_whole: Final = msgspec.json.Decoder(dict[str, Any]).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


@dataclass(frozen=True)
class RowFilter:
    """The condition that an item must meet to have a row; `source` is the same as text (see `opened`)."""

    source: str
    condition: Condition = field(compare=False, repr=False)
    separator: str = field(compare=False, repr=False)

    @cached_property
    def _holds(self) -> Callable[[Item], bool]:
        return filter_of(self.condition, self.separator)

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes that the condition looks at."""
        return frozenset(test.attribute for clause in self.condition for test in clause)

    @cached_property
    def expression(self) -> FilterExpression | None:
        """The FilterExpression of DynamoDB that takes the very same items; None where there is none."""
        return filter_expression(self.condition)

    @cached_property
    def _seen(self) -> _Seen:
        return _Seen(self.attributes)

    def takes(self, item: Item) -> bool:
        """Whether an item has a row; never raises, however odd it is."""
        try:
            return self._holds(item)
        except (AttributeError, TypeError):
            # something in it is no DynamoDB value; what is right in it still decides
            return self._holds(careful(item))

    def takes_json(self, raw: bytes | msgspec.Raw) -> bool:
        """The same for an item's JSON, of which only the attributes of the condition are decoded. Raises ValueError."""
        try:
            item = self._seen.item(raw)
        except msgspec.DecodeError:  # a text that UTF-8 has no form for, or no item
            item = wire_json.decoded(_whole, raw, dict)
        return self.takes(item)

    def of_page(self, raw: bytes) -> tuple[bytes, int]:
        """The JSON array of those items of a JSON array that have rows, and how many have none.

        Raises ValueError for what is no array of items.
        """
        try:
            taken = [self.takes(item) for item in self._seen.items(raw)]
            if all(taken):
                return raw, 0
            members = _split(raw)
        except msgspec.DecodeError:
            members = wire_json.decoded(_split, raw, _encoded)
            taken = [self.takes_json(member) for member in members]
        kept = [member for member, is_taken in zip(members, taken, strict=True) if is_taken]
        return b"[" + b",".join(kept) + b"]", len(taken) - len(kept)


def _encoded(items: list[Any]) -> Members:
    return [msgspec.Raw(wire_json.encoded(item)) for item in items]


class _Seen:
    """Decodes some attributes of items; all others are passed over, which takes a fraction of decoding them."""

    def __init__(self, attributes: frozenset[str]) -> None:
        names = nameable(attributes)
        self._names = [(f"a{number}", name) for number, name in enumerate(names)]
        whole = len(names) < len(attributes)
        shape: Any = dict[str, Any] if whole else self._struct()
        self._whole = whole
        self._one = msgspec.json.Decoder(shape).decode
        self._many = msgspec.json.Decoder(list[shape]).decode

    def _struct(self) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any, Any]] = [(short, Any, msgspec.UNSET) for short, _ in self._names]
        return msgspec.defstruct("Seen", fields, rename=dict(self._names), gc=False)

    def item(self, raw: bytes | msgspec.Raw) -> Item:
        """The attributes of an item."""
        return self._item(self._one(raw))

    def items(self, raw: bytes) -> list[Item]:
        """The attributes of each item of an array."""
        return [self._item(found) for found in self._many(raw)]

    def _item(self, found: Any) -> Item:
        if self._whole:
            item: Item = found
            return item
        return {name: value for short, name in self._names if (value := getattr(found, short)) is not msgspec.UNSET}


def row_filter(where: Where, separator: str) -> RowFilter:
    """Compile `where`. Raises ValueError that begins with the attribute's name."""
    _refuse_relative(where)
    source = msgspec.json.encode(_Source(where, separator), order="deterministic").decode()
    return RowFilter(source, read_condition(where, filtering=True), separator)


def opened(source: str) -> RowFilter:
    """The filter that a `source` describes. Raises ValueError for what is none."""
    try:
        made = _KNOWN.decode(source)
    except msgspec.DecodeError as error:
        raise ValueError(f"no filter: {error}") from error
    return row_filter(made.where, made.separator)


def checked(where: Where, separator: str, own: frozenset[str], left_out: frozenset[str], place: str) -> RowFilter:
    """Compile `where` of a table. Raises ConfigError that names the key.

    `own` are Twinrow's attributes, `left_out` those that no row holds: a changed `where` is applied to the rows.
    """
    try:
        made = row_filter(where, separator)
    except ValueError as error:
        text = str(error)
        what = f"`where.{text[1:]}" if text.startswith("`") else f"`where` {text}"
        raise ConfigError(what, where=place, remedy="see docs/config.md") from error
    for attribute in sorted(made.attributes):
        if attribute in own:
            raise ConfigError(f"`where.{attribute}`: this attribute is Twinrow's own (mark or link)", where=place)
        if attribute in left_out:
            raise ConfigError(
                f"`where.{attribute}`: `columns.{attribute}.ignore` leaves this attribute out of the rows, and a "
                "changed `where` could not be applied to them", where=place, remedy="keep it, or use another",
            )  # fmt: skip
    return made


def _refuse_relative(where: Where) -> None:
    for when in where if isinstance(where, list) else [where]:
        for attribute, wanted in when.items():
            bounds = (wanted.low, wanted.high) if isinstance(wanted, WantedConfig) else ()
            for bound in bounds:
                if isinstance(bound, str) and _RELATIVE.fullmatch(bound):
                    raise ValueError(
                        f"`{attribute}`: {bound!r} is a time that moves with the clock, and rows would have to leave "
                        "without a change of their item; write a fixed moment as the items have it"
                    )


def check_key_types(made: RowFilter, kinds: Mapping[str, str], place: str) -> None:
    """Raise ConfigError for a test on a key attribute of another type, which would never hold."""
    check_keys(Split("", made.separator, "keep", made.condition, ()), kinds, place)
