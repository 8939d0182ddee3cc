"""A pass that would delete most of a copy, because it did not find the items, asks a person first (pure)."""

from __future__ import annotations

from typing import Final

from twinrow.errors import Broken

UNASKED_MAX: Final = 100
"""At most this many rows are deleted without a question, whatever share of the copy they are."""
UNASKED_SHARE_MAX: Final = 0.5


def must_ask(gone: int, rows: int) -> bool:
    """Whether the deletes of `gone` rows, of `rows` in all, want the word of a person."""
    return gone > UNASKED_MAX and gone > rows * UNASKED_SHARE_MAX


def refusal(table: str, gone: int, rows: int, accepted: int | None, command: str) -> Broken:
    """The error for a pass that stopped before the first of these deletes.

    `command` is the beginning of the command that goes on.
    """
    given = f", and --accept-deletes allows {accepted:,}" if accepted is not None else ""
    accept = f"{command} --accept-deletes {table}={gone}"
    return Broken(
        f"the items of {gone:,} of {rows:,} rows are gone, and a pass over the table would delete these rows{given}: "
        "it has stopped before the first",
        where=f"table {table}",
        remedy="see whether region, endpoint_url and credentials lead to the right table; if these items were deleted, "
        f"{accept}",
        commands=(accept,),
    )
