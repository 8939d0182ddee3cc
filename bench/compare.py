"""Two runs of the measures: what became slower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.results import Figure, number

SLOWER_SHARE: Final = 0.25
"""Two runs of the same code differ by less on a machine with nothing else to do."""


def slower(before: Sequence[Figure], after: Sequence[Figure]) -> list[str]:
    """A line for each figure that became worse by more than SLOWER_SHARE; figures of one run only are left out.

    Where both runs have the same yardstick, the shares of it are compared: they say less of the machine.
    """
    known = {_name(figure): figure for figure in before}
    lines = []
    for figure in after:
        old = known.get(_name(figure))
        if old is None or old.unit != figure.unit:
            continue
        was, now = _cost(old, beside=figure), _cost(figure, beside=old)
        if was > 0 and now > was * (1 + SLOWER_SHARE):
            lines.append(f"{figure.measure}, {figure.name}: {_text(old)}, now {_text(figure)}")
    return lines


def _name(figure: Figure) -> tuple[str, str, str]:
    return figure.measure, figure.name, figure.beside


def _cost(figure: Figure, *, beside: Figure) -> float:
    """A number that grows as the figure becomes worse: rates are good, times, requests and megabytes are not."""
    share = figure.ours / figure.theirs if figure.theirs and beside.theirs else figure.ours
    if not figure.unit.endswith("/s"):
        return share
    return 1 / share if share else float("inf")


def _text(figure: Figure) -> str:
    value = f"{number(figure.ours)} {figure.unit}"
    return value if figure.theirs is None else f"{value} ({figure.beside}: {number(figure.theirs)})"
