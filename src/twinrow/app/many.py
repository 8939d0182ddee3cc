"""Texts of many tables: what they have in common, and how many tables are named in a line (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

NUMBERS: Final = re.compile(r"\d[\d,.]*(?: (?:s|min|h|d)\b)?")
MYSQL: Final = re.compile(r"MySQL \S+(?=: )")
DYNAMODB: Final = re.compile(r"DynamoDB .*")
ANY_TABLE: Final = "TABLE"
"""Stands for the table's name in a text that several tables have in common."""
NAMES_SHOWN_MAX = 3
CUT: Final = "\N{HORIZONTAL ELLIPSIS}"


def named(tables: Sequence[str]) -> str:
    """`reviews`, or `30 tables (reviews, orders, films, …)`."""
    if len(tables) == 1:
        return tables[0]
    more = ", …" if len(tables) > NAMES_SHOWN_MAX else ""
    return f"{len(tables):,} tables ({', '.join(tables[:NAMES_SHOWN_MAX])}{more})"


def cut(name: str, columns: int) -> str:
    """The name, without its middle where it is too long: names of a service begin alike, and end differently."""
    if len(name) <= columns:
        return name
    end = (columns - 1) * 2 // 3
    return name[: columns - 1 - end] + CUT + name[len(name) - end :]


def without_name(text: str, table: str) -> str:
    """The text with TABLE in place of the table's name."""
    return re.sub(rf"(?<![\w.-]){re.escape(table)}(?![\w-]|\.\w)", ANY_TABLE, text)


def alike(text: str, table: str) -> str:
    """The common form of two tables' texts that differ only by the table's name and by numbers."""
    return NUMBERS.sub("#", without_name(text, table))


def cause_of(reason: str, table: str) -> str:
    """The part of a reason to wait that other tables share: the server, and no names or numbers of the table.

    A server that is away refuses, hangs and cuts connections in turn: of MySQL its place is the cause.
    """
    if found := MYSQL.match(reason):
        return found[0]
    found = DYNAMODB.search(reason)
    return alike(found[0] if found else reason, table)
