"""A proposed split: as data, and as the text that goes into `twinrow.toml`, with a comment on each entity."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from twinrow.config.entities import SEPARATOR_DEFAULT

BARE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
"""The characters of a TOML key that needs no quotes."""

Rule = Mapping[str, str | bool]
"""A template for each attribute; False: the item has no such attribute."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed entity. Any of the rules in `when` matches; `notes` become its comment; `into`: not as its name."""

    name: str
    when: tuple[Rule, ...]
    extract: Mapping[str, str] = field(default_factory=dict)
    index: tuple[str, ...] = ()
    ignore: bool = False
    notes: tuple[str, ...] = ()
    into: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed split of one table. `into` is the rest table, `notes` are about the whole."""

    into: str
    separator: str
    drafts: tuple[Draft, ...]
    notes: tuple[str, ...] = ()


def keys_text(proposal: Proposal) -> str:
    """Return the lines that stand among the keys of the `[[tables]]` entry, before its sub-tables."""
    lines = [f"into = {quoted(proposal.into)}        # the rest: items that match no entity"]
    if proposal.separator != SEPARATOR_DEFAULT:
        lines.append(f"separator = {quoted(proposal.separator)}        # a {{part}} never holds it")
    return "\n".join(lines) + "\n"


def entities_text(proposal: Proposal) -> str:
    """Return the entities, to stand at the end of the `[[tables]]` entry."""
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# The first entity that matches has the item; each has a MySQL table of its name."
    yield from (f"# {note}" for note in proposal.notes)
    for draft in proposal.drafts:
        yield ""
        yield from (f"# {note}" for note in draft.notes)
        yield "[[tables.entities]]"
        yield f"name = {quoted(draft.name)}"
        if draft.into:
            yield f"into = {quoted(draft.into)}        # another copy has the name"
        if draft.ignore:
            yield "ignore = true        # counted, not copied"
        rules = [_rule(rule) for rule in draft.when]
        yield f"when = {rules[0]}" if len(rules) == 1 else f"when = [{', '.join(rules)}]"
        if draft.extract:
            yield f"extract = {_rule(draft.extract)}"
        if draft.index:
            yield f"index = [{', '.join(map(quoted, draft.index))}]"


def _rule(rule: Rule) -> str:
    pairs = [
        f"{_key(name)} = {quoted(wanted) if isinstance(wanted, str) else _exists(wanted)}"
        for name, wanted in rule.items()
    ]
    return f"{{ {', '.join(pairs)} }}"


def _exists(wanted: bool) -> str:
    return f"{{ exists = {'true' if wanted else 'false'} }}"


def _key(name: str) -> str:
    return name if name and BARE.issuperset(name) else quoted(name)


def quoted(text: str) -> str:
    """Return a TOML basic string; JSON's escapes are its escapes, and a DEL has its own escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
