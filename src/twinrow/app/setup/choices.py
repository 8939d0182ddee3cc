"""The tables that `init` and `add` propose to copy: how each is captured, linked and called, and a person's changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from twinrow.app.setup.overriding import OverrideLine
from twinrow.capture_kind import KINDS, load, traits_of
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import NO_SUCH_TABLE, WITHHELD_CODES, DynamoDBError
from twinrow.errors import ConfigError
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, column_name, valid_name
from twinrow.sync.kind import CaptureKind
from twinrow.table_description import TableDescription

if TYPE_CHECKING:
    from twinrow.entities.draft import Proposal

TITLES: Final = ("table", "items", "capture", "link", "into")
YES_OR_NO: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Choice:
    """A table to be copied, and how. None: as it is by default; `why` says why `into` is needed.

    `times` are proposals for columns of times, written as comments.
    `split` spreads the copy over a MySQL table for each kind of item.
    """

    description: TableDescription
    capture: str
    link: bool | None = None
    into: str | None = None
    source: str | None = None
    why: str = ""
    times: tuple[OverrideLine, ...] = ()
    split: Proposal | None = None

    @property
    def linked(self) -> bool:
        """Whether row ids would be written back into the items."""
        return self.link if self.link is not None else traits_of(self.capture).links_by_default


def kind(name: str) -> CaptureKind:
    """The capture kind of that name."""
    found: CaptureKind = load(name)
    return found


def suggested(description: TableDescription) -> str:
    """The capture that fits what the table has; `check --fix` adds what is missing."""
    return max(KINDS, key=lambda name: kind(name).suits(description))


def described(dynamodb: DynamoDB, names: Sequence[str]) -> list[TableDescription]:
    """The tables of these names. Raises ConfigError for a table that is not there, with the nearest name that is."""
    return [_described(dynamodb, name) for name in names]


def _described(dynamodb: DynamoDB, name: str) -> TableDescription:
    try:
        return dynamodb.describe(name)
    except DynamoDBError as error:
        if error.code != NO_SUCH_TABLE:
            raise
        near = _nearest(dynamodb, name)
        where = f"DynamoDB {dynamodb.endpoint_url or dynamodb.region}"
        remedy = f"did you mean {near}?" if near else "check name, Region and account"
        raise ConfigError(f"there is no table {name!r}", where=where, remedy=remedy) from error


def _nearest(dynamodb: DynamoDB, name: str) -> str | None:
    try:
        there = list(dynamodb.tables())
    except DynamoDBError as error:
        if error.code not in WITHHELD_CODES:
            raise
        return None  # ListTables is a right that a copy does not need: the table is missing all the same
    return next(iter(get_close_matches(name, there, n=1)), None)


def with_intos(choices: Sequence[Choice], taken: Collection[str] = ()) -> list[Choice]:
    """The choices, each with an `into` where the table's own name cannot be that of its copy.

    `taken` are the copies that are there. What a choice has already stays.
    """
    copies = [*taken, *(choice.into for choice in choices if choice.into is not None)]
    named = []
    for choice in choices:
        if choice.into is None:
            into, why = _into(choice, copies)
            copies.append(into)
            named.append(replace(choice, into=into, why=why) if why else choice)
        else:
            named.append(choice)
    return named


def _into(choice: Choice, taken: Sequence[str]) -> tuple[str, str]:
    """(the name of the copy, why it is not the table's own)."""
    name, why = choice.description.name, ""
    folded = {copy.casefold() for copy in taken}
    if name.casefold().startswith(OWN_PREFIX):
        name, why = name.lstrip("_"), f"names with {OWN_PREFIX} are Twinrow's own"
    if name.casefold() in folded:
        name, why = f"{choice.source}_{name}" if choice.source else name, "another copy has that name"
    if not valid_name(name):
        return column_name(name, taken), f"MySQL takes {NAME_CHARACTERS_MAX} characters"
    if name.casefold() in folded:
        return column_name(name, taken), why
    return name, why


def shown(choices: Sequence[Choice]) -> list[str]:
    """The choices as a table of proposals, a line each."""
    rows = [TITLES, *(_row(choice) for choice in choices)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(TITLES))]
    return [
        "  ".join(
            cell.rjust(width) if title == "items" else cell.ljust(width)
            for title, cell, width in zip(TITLES, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _row(choice: Choice) -> tuple[str, ...]:
    name = choice.description.name
    return name, f"{choice.description.items:,}", choice.capture, "yes" if choice.linked else "no", choice.into or name


def answered(choices: Sequence[Choice], text: str) -> list[Choice]:
    """The choices after an answer to the table of proposals; ValueError says what is wrong with the answer.

    `TABLE capture=stream link=no into=NAME` changes, `-TABLE` leaves out, names alone are all that is taken. `*` in a
    name stands for any letters.
    """
    known = [choice.description.name for choice in choices]
    left_out, taken, settings = set[str](), set[str](), dict[str, str]()
    for word in text.split():
        if "=" in word:  # which no name of DynamoDB has in it
            key, _, value = word.partition("=")
            settings[key] = value
        elif word.startswith("-") and word not in known:
            left_out |= _named(word[1:], known)
        else:
            taken |= _named(word, known)
    if settings and not taken:
        raise ValueError("name the tables to be changed: TABLE capture=stream")
    if settings:
        _check_settings(settings, taken)
        changed = [_changed(choice, settings) if choice.description.name in taken else choice for choice in choices]
    else:
        changed = [choice for choice in choices if not taken or choice.description.name in taken]
    kept = [choice for choice in changed if choice.description.name not in left_out]
    if not kept:
        raise ValueError("no table would be left")
    twice = {choice.into.casefold() for choice in kept if choice.into is not None}
    if len(twice) < sum(choice.into is not None for choice in kept):
        raise ValueError("two tables would go into the same MySQL table")
    return with_intos(kept)


def _named(word: str, known: Sequence[str]) -> set[str]:
    found = {word} if word in known else {name for name in known if "*" in word and fnmatchcase(name, word)}
    if not found:
        near = get_close_matches(word, known, n=1)
        raise ValueError(f"there is no table {word!r}" + (f" (did you mean {near[0]}?)" if near else ""))
    return found


def _check_settings(settings: dict[str, str], names: set[str]) -> None:
    for key, value in settings.items():
        if key not in ("capture", "link", "into"):
            raise ValueError(f"{key!r} is none of capture, link, into")
        if key == "capture" and value not in KINDS:
            raise ValueError(f"{value!r} is none of {', '.join(KINDS)}")
        if key == "link" and value not in YES_OR_NO:
            raise ValueError("write link=yes or link=no")
        if key == "into" and len(names) > 1:
            raise ValueError("each table needs its own `into`: name a single table")
        if key == "into" and (not valid_name(value) or value.casefold().startswith(OWN_PREFIX)):
            raise ValueError(f"no copy can have the name {value!r}")


def _changed(choice: Choice, settings: dict[str, str]) -> Choice:
    link, into = settings.get("link"), settings.get("into")
    return replace(
        choice,
        capture=settings.get("capture", choice.capture),
        link=choice.link if link is None else YES_OR_NO[link],
        into=choice.into if into is None else into,
        why=choice.why if into is None else "",
    )
