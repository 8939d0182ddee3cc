"""The published table again: each system measured in one run on the same servers, the published seconds beside them.

    python -m bench.seed_table [ITEMS]      (10,000 items unless given)

Times are those of the work, for all four systems: Python's and botocore's start are not in them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench import published
from bench.ground import Ground, NotEqual, ground
from bench.inside import once
from bench.results import Figure
from bench.reviews import TABLE, create, put

ITEMS: Final = 10_000
NEW_ITEMS: Final = 10
LINK_SHARE_MIN: Final = 5.0
TEN_ROWS_S_MAX: Final = 0.06


@dataclass(frozen=True, slots=True)
class Case:
    """A line of the published table: so many items, so many of them copied before; the published seconds."""

    name: str
    before: int
    items: int
    old_s: float
    new_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """The seconds of the four systems in one case."""

    case: Case
    old_s: float
    new_s: float
    scan_s: float
    index_s: float


def cases(items: int) -> tuple[Case, ...]:
    """The three published cases, or smaller ones of the same form."""
    return (
        Case(f"{items // 10:,} rows into an empty MySQL", 0, items // 10, 7.99, 7.18),
        Case(f"{items:,} rows into an empty MySQL", 0, items, 94.30, 103.75),
        Case(f"{items + NEW_ITEMS:,} rows, {items:,} of them there already", items, items + NEW_ITEMS, 4.16, 0.23),
    )


def measure(items: int = ITEMS) -> tuple[list[Line], list[float]]:
    """The lines, and the seconds of the bare scan: first, again, and after a restart of DynamoDB Local.

    The lines come from tables in memory; those that outlive a restart are on disk, where every write is slow.
    """
    lines = []
    with ground() as here:
        for case in cases(items):
            took = {name: _fresh(here, case, work) for name, work in _SYSTEMS.items()}
            lines.append(Line(case, took["old"], took["new"], took["scan"], took["index"]))
    with ground(on_disk=True) as here:
        create(here.client, index=True)
        put(here.dynamodb.port, range(items), marked=True)
        scans = [published.scan_s(here), published.scan_s(here)]
        here.dynamodb.restart()
        scans.append(published.scan_s(here))
    return lines, scans


def _fresh(here: Ground, case: Case, work: Callable[[Ground, int], float]) -> float:
    """One system on tables of its own: what was there before is copied first, and only the rest is measured."""
    if TABLE in here.client.list_tables()["TableNames"]:
        here.client.delete_table(TableName=TABLE)
        here.client.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    here.empty()
    create(here.client, index=True)
    if case.before:
        put(here.dynamodb.port, range(case.before), marked=True)
        work(here, case.before)
    put(here.dynamodb.port, range(case.before, case.items), marked=True)
    return work(here, case.items)


def _published(run_s: Callable[[Ground], float]) -> Callable[[Ground, int], float]:
    def work(here: Ground, items: int) -> float:
        took = run_s(here)
        found = here.query("SELECT COUNT(*) FROM published")[0][0]
        if found != items:
            raise NotEqual(f"a published system copied {found} of {items}")
        return took

    return work


def _twinrow(capture: str) -> Callable[[Ground, int], float]:
    def work(here: Ground, items: int) -> float:
        took = once(here, capture, link=capture == "pending-index").seconds
        here.verify(here.config(capture, link=capture == "pending-index"), items)
        return took

    return work


_SYSTEMS: Final[dict[str, Callable[[Ground, int], float]]] = {
    "old": _published(published.old_s),
    "new": _published(published.new_s),
    "scan": _twinrow("scan"),
    "index": _twinrow("pending-index"),
}


def figures(items: int = ITEMS) -> tuple[list[Figure], list[str]]:
    """The figures for the results file: ratios to the published new system, and the table as text."""
    lines, scans = measure(items)
    found = [
        Figure(
            "seed table", f"{line.case.name}: pending index", line.index_s, "s", "published, new", line.new_s,
            line.new_s / line.index_s if number < 2 else line.index_s / TEN_ROWS_S_MAX,
            (f"at least {LINK_SHARE_MIN:g} times faster" if number == 1 else "")
            if number < 2
            else f"under {TEN_ROWS_S_MAX * 1000:g} ms",
            _met(number, line),
        )
        for number, line in enumerate(lines)
    ]  # fmt: skip
    return found, table_text(lines, scans)


def _met(number: int, line: Line) -> bool | None:
    if number == 0:
        return None
    return line.new_s / line.index_s >= LINK_SHARE_MIN if number == 1 else line.index_s <= TEN_ROWS_S_MAX


def table_text(lines: list[Line], scans: list[float]) -> list[str]:
    """The table in Markdown, and the answer to the article's guess."""
    rows = [
        "| rows | published, old | (article) | published, new | (article) | Twinrow scan | Twinrow pending index |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows += [
        f"| {line.case.name} | {line.old_s:.2f} s | {line.case.old_s:.2f} s "
        f"| {line.new_s:.2f} s | {line.case.new_s:.2f} s | {line.scan_s:.2f} s | {line.index_s:.2f} s |"
        for line in lines
    ]
    first, again, restarted = scans
    last, full = lines[-1], lines[-2]
    answer = (
        f"The article found its third run fast ({last.case.old_s:.2f} s after {full.case.old_s:.2f} s) and guessed "
        "that DynamoDB caches scans, even over restarts. "
        f"The bare scan of the same items takes {first:.2f} s, again {again:.2f} s, and {restarted:.2f} s after a "
        f"restart of DynamoDB Local: it is {_answer(first, again, restarted)}. "
        f"Reading is {first / full.old_s:.0%} of the old system's {full.old_s:.2f} s; the rest are its INSERTs, one "
        "commit a row, and the third run has 10 of them."
    )
    return [*rows, "", answer]


def _answer(first: float, again: float, restarted: float) -> str:
    second = "no faster" if again > first / 2 else "faster"
    third = "no faster" if restarted > first / 2 else "faster"
    return f"{second} the second time, and {third} after a restart"


def main() -> None:
    """Print the table."""
    lines, scans = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS)
    print("\n".join(table_text(lines, scans)))


if __name__ == "__main__":
    main()
