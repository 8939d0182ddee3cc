"""Parts that stand for many tables: which tables they take, and what each of these is called in MySQL (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TABLES_MAX: Final = 200
"""Tables that patterns bring into a process. More is a pattern that takes too much, or work for a second process."""
STARS_JOINED: Final = "_"
"""Between the pieces of `{rest}`, where a pattern has several stars."""
_PLACE: Final = re.compile(r"\{(name|rest|source)\}")


@dataclass(frozen=True)
class Pattern:
    """A `[[tables]]` part with `match` or `tags`.

    `own` are its settings as they are written, `defaults` those of its file; both without the keys that choose tables.
    """

    match: tuple[str, ...]
    exclude: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    source: str | None
    own: Mapping[str, Any]
    defaults: Mapping[str, Any]
    where: str

    @property
    def title(self) -> str:
        """How it is called in messages and in MySQL's state."""
        parts = [f"match {' '.join(self.match)}"] if self.match else []
        parts += [f"tags {' '.join(f'{key}={value}' for key, value in self.tags)}"] if self.tags else []
        return " ".join([*([f"{self.source}:"] if self.source else []), *parts])

    def takes(self, name: str) -> bool:
        """Whether it takes a table of that name, as far as names can tell: `tags` must hold besides."""
        if any(_matched(glob, name) is not None for glob in self.exclude):
            return False
        return not self.match or self.rest(name) is not None

    def rest(self, name: str) -> str | None:
        """The texts of the stars; None where no `match` fits the name."""
        for glob in self.match:
            pieces = _matched(glob, name)
            if pieces is not None:
                return STARS_JOINED.join(piece for piece in pieces if piece)
        return None


def _matched(glob: str, name: str) -> tuple[str, ...] | None:
    """The texts of a glob's stars in a name; None where it does not fit."""
    shape = "".join("(.*)" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in glob)
    found = re.fullmatch(shape, name)
    return found.groups() if found is not None else None


def into_of(template: str | None, name: str, *, strip: str, rest: str | None, source: str | None) -> str | None:
    """The MySQL table that `into` names, its `{name}`, `{rest}` and `{source}` put in; None: the table's own name.

    `strip` is left away from the name's beginning; without a `rest` that is what `{rest}` stands for, too.
    """
    bare = name.removeprefix(strip) if strip and name != strip else name
    if template is None:
        return bare if bare != name else None
    known = {"name": bare, "rest": bare if rest is None else rest, "source": source or ""}
    return _PLACE.sub(lambda place: known[place[1]], template)
