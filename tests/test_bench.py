"""The comparison of two runs of the measures names what became slower, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.compare import slower
from bench.results import Figure

RATE = Figure("snapshot", "10 items", 1_000.0, "items/s", "raw scan", 2_000.0, 0.5)
TIME = Figure("start", "`twinrow status`", 0.25, "s", "", None, None)
BESIDE = Figure("snapshot", "CPU an item", 25.0, "µs", "boto3", 100.0, 0.25)


@pytest.mark.parametrize("figure", [RATE, TIME, BESIDE])
@pytest.mark.parametrize("share", [0.3, 0.9, 1.0, 1.1, 3.0])
def test_a_rate_that_fell_and_a_time_that_grew_are_named(figure: Figure, share: float) -> None:
    worse = replace(figure, ours=figure.ours * share)
    is_slower = share < 0.8 if figure.unit == "items/s" else share > 1.25
    found = slower([figure], [worse])
    assert bool(found) == is_slower
    assert all(figure.name in line for line in found)


def test_a_machine_that_is_slower_as_a_whole_is_no_change_of_twinrow() -> None:
    assert not slower([RATE], [replace(RATE, ours=500.0, theirs=1_000.0)])
    assert slower([RATE], [replace(RATE, theirs=4_000.0)]), "the yardstick became faster, Twinrow did not"


def test_figures_of_one_run_only_say_nothing() -> None:
    assert not slower([], [RATE, TIME])
    assert not slower([RATE], [TIME])
    assert not slower([replace(TIME, unit="ms")], [replace(TIME, ours=9.0)])
