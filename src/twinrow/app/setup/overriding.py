"""`schema --suggest --write`: overrides in the text of a configuration, of which no other byte changes (pure)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twinrow.config.resolve import called
from twinrow.errors import ConfigError

BY_HAND: Final = "put the lines in by hand, below the table's `name`"
_NAME_LINE: Final = re.compile(r"""^[ \t]*(?:name|"name"|'name')[ \t]*=[^\n]*(?:\n|\Z)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OverrideLine:
    """An override as `twinrow.toml` has it, in one line; the comment says why it is there."""

    attribute: str
    settings: tuple[tuple[str, str | bool], ...]
    comment: str = ""

    @property
    def text(self) -> str:
        """The line, for below a table's `name`."""
        parts = ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in self.settings)
        return f"columns.{toml_key(self.attribute)} = {{ {parts} }}" + (f"  # {self.comment}" if self.comment else "")


def toml_key(name: str) -> str:
    """An attribute's name as a key of TOML, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def has_table(text: str, table: str) -> bool:
    """Whether a file has a `[[tables]]` part of this table (SOURCE:NAME for that of a source)."""
    try:
        return _number(_values(text), table) is not None
    except tomllib.TOMLDecodeError:
        return False


def added_to(text: str, table: str, lines: Sequence[OverrideLine], where: str) -> tuple[str, list[str]]:
    """(the text with these overrides in the table's part, the lines that are new).

    An attribute that has an override in the part keeps it. The text is read back: all that stood in it means what it
    meant. Raises ConfigError where that cannot be had.
    """
    expected = _values(text)
    number = _number(expected, table)
    if number is None:
        raise ConfigError(f"has no [[tables]] part of {table!r}", where=where, remedy=BY_HAND)
    columns = expected["tables"][number].setdefault("columns", {})
    new = [line for line in lines if line.attribute not in columns]
    if not new:
        return text, []
    columns |= {line.attribute: dict(line.settings) for line in new}
    written = [line.text for line in new]
    newline = "\r\n" if "\r\n" in text else "\n"
    for place in _places(text):
        before, after = text[:place], text[place:]
        gap = "" if before.endswith("\n") else newline
        edited = before + gap + "".join(line + newline for line in written) + after
        try:
            if _values(edited) == expected:
                return edited, written
        except tomllib.TOMLDecodeError:
            continue  # the line stands in a text of several lines, or its table has `columns` in one line
    raise ConfigError("the form of the table's part leaves no place for overrides", where=where, remedy=BY_HAND)


def _places(text: str) -> Iterator[int]:
    """Behind each line that gives something a name, the table among them."""
    return (found.end() for found in _NAME_LINE.finditer(text))


def _number(values: Mapping[str, Any], table: str) -> int | None:
    """The place of the table's part among all parts."""
    source = values.get("defaults", {}).get("source")
    for number, part in enumerate(values.get("tables", [])):
        if "name" in part and called(part.get("source", source) or None, part["name"]) == table:
            return number
    return None


def _values(text: str) -> dict[str, Any]:
    # a float as text: nan is unequal to itself
    return tomllib.loads(text, parse_float=str)
