"""Splits read from TOML, data sets with their right answers, and a slow model of the rules to compare with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings

from twinrow.change import Item
from twinrow.entities.route import Routed
from twinrow.entities.settings import read_keys
from twinrow.entities.split import Around, Split, read_split
from twinrow.entities.template import Template

LAW = settings(deadline=None)
"""For hypothesis: a loaded machine may stop any single example for a while."""

DATA = Path(__file__).parent / "data"
WITH_ANSWERS = ("amplify_datastore", "aws_online_shop", "electrodb_taskmanager", "onetable_billing")


def split_of(text: str, around: Around | None = None) -> Split:
    """The split that the keys of one table say."""
    return read_split(read_keys(tomllib.loads(text), "tables[0] (t)"), around or Around("rest"), "tables[0] (t)")


def items_of(name: str) -> list[Item]:
    """The items of a data set."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def keys_of(name: str) -> tuple[str, ...]:
    """The key attributes of a data set's table, the hash key first."""
    told = json.loads((DATA / f"{name}.table.json").read_text(encoding="utf-8"))
    return tuple(one["AttributeName"] for one in sorted(told["KeySchema"], key=lambda one: one["KeyType"]))


def table_of(name: str) -> dict[str, Any]:
    """The `[[tables]]` entry of a data set's configuration."""
    told: dict[str, Any] = tomllib.loads((DATA / f"{name}.entities.toml").read_text(encoding="utf-8"))["tables"][0]
    return told


def expected(name: str) -> dict[str, Any]:
    """The right answer for a data set: rows for each entity, examples of parts."""
    told: dict[str, Any] = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))[name]
    return told


def naive(template: Template, separator: str, text: str) -> tuple[str, ...] | None:
    """What a template reads in a text, by trying every end of every hole, the nearest first."""

    def from_hole(n: int, at: int) -> tuple[str, ...] | None:
        if n == len(template.holes):
            return () if at == len(text) else None
        literal = template.literals[n + 1]
        for end in range(at + 1, len(text) + 1):
            found = text[at:end]
            if not template.holes[n].any_text and separator in found:
                return None
            if text.startswith(literal, end):
                others = from_hole(n + 1, end + len(literal))
                if others is not None:
                    return (found, *others)
        return None

    first = template.literals[0]
    return from_hole(0, len(first)) if text.startswith(first) else None


def names(routed: Sequence[Routed]) -> list[str]:
    """The entities that items went to."""
    return [target.entity for target, _ in routed]
