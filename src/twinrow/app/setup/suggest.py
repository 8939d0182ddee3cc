"""`schema --suggest`: the overrides that make a table's columns more useful in SQL (pure).

The facts about a column come from the copy (`app.columns.measured`) or from a few items (`of_items`). No suggestion
loses a value: `widen` makes the column grow where that keeps its cells, and extra holds what no cell shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from twinrow.app.setup.overriding import OverrideLine
from twinrow.change import Item
from twinrow.decode.kind import Kind, kind_of
from twinrow.decode.number import exact_decimal
from twinrow.decode.readable import UNREADABLE

SHORT_TEXT_CHARACTERS: Final = 191
"""Texts up to here have a column that MySQL indexes as a whole, also on pages of 4 KB (768 bytes)."""
SHORT_TEXTS_MAX: Final = 32
"""Each takes 766 of the 65,535 bytes that MySQL allows the columns of a row, and the key up to 12,292."""
TEXTS_MIN: Final = 50
"""Fewer texts that all read as times may be something else."""
NUMBERS_MIN: Final = 2
"""One number says nothing of a scale."""
SECONDS: Final = (946_684_800, 4_102_444_800)
"""2000 to 2100, as epoch seconds."""
SCALES: Final = (2, 4, 6)
"""Digits behind the point of a small scale: money, rates, coordinates."""
SMALL_WHOLE_DIGITS: Final = 12
"""Digits before the point that a suggested DECIMAL has: it shows them all, and grows when more come."""

DATE: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
FORMS: Final[Mapping[str, str]] = {
    "DATE": f"^{DATE}$",
    "DATETIME": f"^{DATE}T{_TIME}Z$",
    "DATETIME(3)": f"^{DATE}T{_TIME}[.][0-9]{{3}}Z$",
    "DATETIME(6)": f"^{DATE}T{_TIME}[.][0-9]{{6}}Z$",
}
"""The texts that a column of each type gives back as they came, so that extra needs no copy of them."""
SOME_TIME: Final = f"^{DATE}([Tt ]{_TIME}([.,][0-9]{{1,9}})?([Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$"
"""Any ISO-8601 text with a date that Twinrow reads."""

_WORDS: Final = frozenset(
    {"at", "ts", "times", "timestamp", "expires", "expiry", "expiration", "ttl", "created", "updated", "modified",
     "deleted", "ct", "md"}
)  # fmt: skip
_NAME_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Measured:
    """The facts about the values of an attribute that are of its column's type.

    `longest` is the longest text in characters; `forms` counts the texts of each of FORMS, `times` those of SOME_TIME.
    `low` and `high` are the outermost numbers; `inexact` counts those that need more digits behind the point than each
    of SCALES, and than 0.
    """

    attribute: str
    kind: Kind
    type: str
    values: int
    longest: int = 0
    times: int = 0
    forms: Mapping[str, int] | None = None
    low: float = 0.0
    high: float = 0.0
    inexact: Mapping[int, int] | None = None


def times(measured: Iterable[Measured], ttl: str | None = None) -> list[OverrideLine]:
    """Those of the suggestions that are about times."""
    return [line for line in suggestions(measured, ttl) if dict(line.settings).get("from") is not None]


def suggestions(measured: Iterable[Measured], ttl: str | None = None) -> list[OverrideLine]:
    """The overrides for these attributes, by name. `ttl` is the attribute of the table's Time to Live.

    At most SHORT_TEXTS_MAX become short texts, the shortest first: a row has room for no more.
    """
    chosen = [known for known in measured if known.values]
    found = [_of_numbers(known, ttl) if known.kind == "N" else _of_times(known) for known in chosen]
    times = {line.attribute for line in found if line is not None}
    texts = [known for known in chosen if known.kind == "S" and known.attribute not in times]
    short = sorted(
        (known for known in texts if known.longest <= SHORT_TEXT_CHARACTERS), key=lambda known: known.longest
    )
    lines = [line for line in found if line is not None] + [_short_text(known) for known in short[:SHORT_TEXTS_MAX]]
    return sorted(lines, key=lambda line: line.attribute)


def _of_numbers(known: Measured, ttl: str | None) -> OverrideLine | None:
    inexact = known.inexact or {}
    if inexact.get(0, 0) == 0:
        return _of_whole_numbers(known, ttl)
    if known.type != "DECIMAL(38,9)" or known.values < NUMBERS_MIN:
        return None
    scale = next((scale for scale in SCALES if inexact.get(scale, 0) == 0), None)
    if scale is None or max(abs(known.low), abs(known.high)) >= 10**SMALL_WHOLE_DIGITS:
        return None
    wanted = f"DECIMAL({SMALL_WHOLE_DIGITS + scale},{scale})"
    why = f"no number has more than {scale} digits behind the point; {known.type} shows nine"
    return OverrideLine(known.attribute, (("type", wanted), ("widen", True)), why)


def _of_whole_numbers(known: Measured, ttl: str | None) -> OverrideLine | None:
    if known.attribute == ttl:
        return _epoch(known.attribute, "epoch_s", "the attribute of the table's Time to Live, in epoch seconds")
    low, high = SECONDS
    if not says_time(known.attribute):
        return None
    if low <= known.low and known.high <= high:
        return _epoch(known.attribute, "epoch_s", "epoch seconds of 2000 to 2100, by name and values")
    if low * 1000 <= known.low and known.high <= high * 1000:
        return _epoch(known.attribute, "epoch_ms", "epoch milliseconds of 2000 to 2100, by name and values")
    return None


def _epoch(attribute: str, source: str, why: str) -> OverrideLine:
    wanted = "DATETIME" if source == "epoch_s" else "DATETIME(3)"
    return OverrideLine(attribute, (("type", wanted), ("from", source), ("widen", True)), why)


def _of_times(known: Measured) -> OverrideLine | None:
    if known.values < TEXTS_MIN or known.times < known.values:
        return None
    exact = next((form for form, count in (known.forms or {}).items() if count == known.values), None)
    room = "" if exact else "; extra keeps the texts as well: the column would print another form of them"
    settings = (("type", exact or "DATETIME(3)"), ("from", "iso8601"))
    return OverrideLine(known.attribute, settings, f"all {known.values:,} texts are ISO-8601 times{room}")


def _short_text(known: Measured) -> OverrideLine:
    settings = (("type", f"VARCHAR({SHORT_TEXT_CHARACTERS})"), ("widen", True))
    return OverrideLine(known.attribute, settings, f"no text is longer than {known.longest} characters")


def says_time(attribute: str) -> bool:
    """Whether a name says that its values are times: `createdAt`, `updated_at`, `expires`, `ttl`, `_ct`."""
    words = [word.lower() for word in _NAME_PARTS.findall(attribute)]
    return bool(_WORDS & set(words)) or "time" in attribute.lower() or "date" in attribute.lower()


def of_items(items: Sequence[Item]) -> list[Measured]:
    """The attributes of some items that have values of one type, texts or numbers, by name."""
    values: dict[str, list[tuple[Kind, str]]] = {}
    mixed: set[str] = set()
    for item in items:
        for name, value in item.items():
            try:
                kind = kind_of(value)
            except UNREADABLE:
                kind = "NULL"
            if kind in ("S", "N"):
                values.setdefault(name, []).append((kind, value[kind]))
            elif kind != "NULL":
                mixed.add(name)
    found = []
    for name in sorted(values.keys() - mixed):
        kinds = {kind for kind, _ in values[name]}
        if len(kinds) == 1:
            texts = [text for _, text in values[name]]
            found.append(_measured_texts(name, texts) if kinds == {"S"} else _measured_numbers(name, texts))
    return found


def _measured_texts(name: str, texts: Sequence[str]) -> Measured:
    forms = {form: sum(re.match(pattern, text) is not None for text in texts) for form, pattern in FORMS.items()}
    times = sum(re.match(SOME_TIME, text) is not None for text in texts)
    return Measured(name, "S", "MEDIUMTEXT", len(texts), max(map(len, texts)), times, forms)


def _measured_numbers(name: str, texts: Sequence[str]) -> Measured:
    known = Measured(name, "N", "BIGINT", len(texts))
    try:
        numbers = [exact_decimal(text) for text in texts]
    except ValueError:
        return replace(known, values=0)
    places = [max(0, -int(number.normalize().as_tuple().exponent)) for number in numbers]
    inexact = {scale: sum(digits > scale for digits in places) for scale in (0, *SCALES)}
    low, high = float(min(numbers)), float(max(numbers))
    return replace(
        known, low=low, high=high, inexact=inexact, type="DECIMAL(38,9)" if inexact[0] else "BIGINT"
    )  # fmt: skip
