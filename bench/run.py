"""All measures: `python -m bench [--quick] [MEASURE…]` runs them, names what became slower, and writes the results.

Each measure starts fresh servers, takes its figures and its yardsticks on them, and ends with `twinrow verify`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import compare, copying, following, idle, lag, many, plot, results, seed_table
from bench.results import Figure
from bench.scale import QUICK, WHOLE, Scale

IMAGE: Final = Path(__file__).parents[1] / "docs" / "images" / "bench.svg"


@dataclass
class Found:
    """The measurements so far."""

    figures: list[Figure]
    seed: list[str]
    notes: list[str]


def _seed(scale: Scale, found: Found) -> None:
    figures, found.seed = seed_table.figures(scale.seed_items)
    found.figures += figures


def _whole_tables(scale: Scale, found: Found) -> None:
    figures, left_out = copying.whole_tables(scale)
    found.figures += figures
    found.notes += left_out


def _plain(measure: Callable[[Scale], list[Figure]]) -> Callable[[Scale, Found], None]:
    def work(scale: Scale, found: Found) -> None:
        found.figures += measure(scale)

    return work


MEASURES: Final[dict[str, Callable[[Scale, Found], None]]] = {
    "start": _plain(copying.start_up),
    "whole-tables": _whole_tables,
    "links": _plain(copying.links),
    "follow": _plain(following.backlog),
    "growing": _plain(following.growing),
    "lag": _plain(lag.lags),
    "seed": _seed,
    "idle": _plain(idle.idle),
    "many": _plain(many.evening),
}


def main() -> int:
    """Run what was asked for; a measure that fails is reported, and the exit code says so."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="how fast, beside yardsticks")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="small tables: under three minutes")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.measures if name not in MEASURES]
    if unknown:
        parser.error(f"no measure {unknown[0]!r}: there are {', '.join(MEASURES)}")
    scale = QUICK if chosen.quick else WHOLE
    found, failed, load = Found([], [], []), [], results.busy()
    for name in chosen.measures or MEASURES:
        began = time.perf_counter()
        before = len(found.figures)
        try:
            MEASURES[name](scale, found)
        except Exception as error:  # noqa: BLE001 - the other measures are still worth their time; the exit code tells
            failed.append(name)
            found.notes.append(f"{name}: failed: {error}")
            print(f"{name}: failed: {error}", file=sys.stderr)
        for figure in found.figures[before:]:
            print(results.line(figure), flush=True)
        print(f"# {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if found.seed:
        print("\n".join(found.seed))
    for note in found.notes:
        print(f"# left out: {note}", file=sys.stderr)
    path = results.QUICK_PATH if scale is QUICK else results.PATH
    _tell_slower(found.figures, path)
    if not chosen.measures:
        results.write(found.figures, found.seed, found.notes, quick=scale is QUICK, load=load, path=path)
        if scale is WHOLE:
            plot.draw(results.PATH, IMAGE)
    return 1 if failed else 0


def _tell_slower(figures: list[Figure], path: Path) -> None:
    """Which figures became worse since the results that `path` holds."""
    if not path.exists():
        print(f"# no results before these to compare with ({path.name})", file=sys.stderr)
        return
    lines = compare.slower(results.read(path), figures)
    for line in lines:
        print(f"slower: {line}")
    if not lines:
        print(f"nothing became slower by more than {compare.SLOWER_SHARE:.0%} since {path.name}")
