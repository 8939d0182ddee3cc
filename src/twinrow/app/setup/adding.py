"""`twinrow add`: new `[[tables]]` parts in the text of a configuration, of which no other byte changes (pure)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from twinrow.config import Config
from twinrow.config.resolve import called
from twinrow.errors import ConfigError
from twinrow.table_description import SOURCE_MARK, name_in_dynamodb

_COMMENTED: Final = re.compile(r"(?<=\n)[ \t]*\r?\n((?:[ \t]*#[^\n]*\n)+)\Z")
"""A blank line and comments at the end of a text."""


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table that is to be added: its name in DynamoDB, and the `[[sources]]` part that it is in."""

    name: str
    source: str | None

    @property
    def called(self) -> str:
        """Its name on the command line."""
        return called(self.source, self.name)


def wanted(config: Config, names: Sequence[str]) -> list[NewTable]:
    """The tables of these names, SOURCE:NAME where a table is in a source.

    Raises ConfigError for a table that the configuration has, by its name or by a pattern, and an unknown source.
    """
    tables = [
        NewTable(name_in_dynamodb(given), given.rpartition(SOURCE_MARK)[0] or None) for given in dict.fromkeys(names)
    ]
    there, sources = {table.name for table in config.tables}, [source.name for source in config.sources]
    for table in tables:
        if table.source is not None and table.source not in sources:
            known = f"there are: {', '.join(sources)}" if sources else "add it"
            raise ConfigError(f"no [[sources]] part has the name {table.source!r}", where=config.path, remedy=known)
        if table.called in there:
            raise ConfigError(f"has table {table.called!r} already", where=config.path, remedy="edit its part there")
        for pattern in config.patterns:
            # a pattern with tags takes a table only where the tags are so, which its name does not tell
            if pattern.source == table.source and not pattern.tags and pattern.takes(table.name):
                raise ConfigError(
                    f"takes table {table.called!r} already, by {pattern.title}", where=pattern.where,
                    remedy="write a [[tables]] part by hand where it needs settings of its own",
                )  # fmt: skip
    return tables


@dataclass(frozen=True, slots=True)
class Edit:
    """A changed text, and what was put into it."""

    text: str
    lines: str


def added(text: str, entries: Sequence[str], where: str) -> Edit:
    """The text of a TOML file with further `[[tables]]` parts, behind those that it has, and nothing else changed.

    `entries` are the lines of the parts, each part beginning with its comments. The text is read back: all that stood
    in it means what it meant. Raises ConfigError where that cannot be had.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    new = "\n".join(entries).strip("\n") + "\n"
    for place in _places(text):
        before, after = text[:place], text[place:]
        parted = not before.strip() or re.search(r"\n[ \t]*\r?\n[ \t]*\Z", before)
        lines = ("" if parted else "\n") + new + ("\n" if after and not re.match(r"[ \t]*\r?\n", after) else "")
        if before and not before.endswith("\n"):
            lines = f"\n{lines}"
        inserted = lines.replace("\n", newline)
        edited = before + inserted + after
        if _means(edited, text, new):
            return Edit(edited, new)
    raise ConfigError(
        "the tables of the file are no [[tables]] parts", where=where,
        remedy="write each as a [[tables]] part, then add others",
    )  # fmt: skip


def _means(edited: str, text: str, new: str) -> bool:
    """Whether a text has all that another has, and the new tables after the tables there."""
    expected = _values(text)
    before = expected.get("tables", [])
    if not isinstance(before, list):
        return False
    try:
        return _values(edited) == expected | {"tables": before + _values(new)["tables"]}
    except tomllib.TOMLDecodeError:
        return False


def _values(text: str) -> dict[str, Any]:
    # a float as text: nan is unequal to itself
    return tomllib.loads(text, parse_float=str)


def _places(text: str) -> Iterator[int]:
    """Where new parts may go, the best place first: behind the last part of a table, else at the end."""
    place = _behind_tables(text)
    if place is not None:
        # comments directly above the next section are about that section
        above = _COMMENTED.search(text, 0, place) if text[place:].strip() else None
        if above is not None:
            yield above.start(1)
        yield place
    yield len(text)


def _behind_tables(text: str) -> int | None:
    """The end of the last `[[tables]]` part; None where there is none, or where sections lie between the parts."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError:
        return None  # tomllib, whose word counts, took it: the end of the file is a place, too
    tables = document.get("tables")
    if not isinstance(tables, AoT):
        return None
    marker = "marker"
    while marker in text:
        marker += "_"
    part = tomlkit.table()
    part.append(marker, 1)
    tables.append(part)
    before, _, after = document.as_string().partition(f"[[tables]]\n{marker} = 1\n")
    # tomlkit brings parts together that others lie between: its text is then no longer the file's
    return len(before) if before + after == text else None


def check_added(before: Config, after: Config, tables: Sequence[NewTable]) -> None:
    """Raise ConfigError where the changed configuration has other tables than it had, and the new."""
    known = {table.name: table for table in before.tables}
    new = [table for table in after.tables if table.name not in known]
    kept = [table for table in after.tables if table.name in known]
    if kept != list(before.tables):
        raise ConfigError("the tables that are there would change", where=before.path, remedy="edit the file by hand")
    if [table.name for table in new] != [table.called for table in tables]:
        names = ", ".join(table.name for table in new)
        raise ConfigError(
            f"the new tables would be {names}: [defaults] or an overlay has a `source`", where=before.path,
            remedy="name them so",
        )  # fmt: skip
