"""Seeds of the stream simulation; `python -m tests.simulation stream SEED` replays one."""

from __future__ import annotations

import os

import pytest
from tests.conftest import Tell
from tests.fixtures.killing import seeded
from tests.fixtures.seeds import replayed
from tests.fixtures.simulation import replay

SEEDS = 120
SEEDS_OF_FAULTS = int(os.environ.get("TWINROW_SEEDS", "3000"))
SEEDS_A_TEST = 300

# Seeds that failed while the reader was written, or that fail when one of its rules is taken out:
# order of parents and children, TRIM_HORIZON in place of a child's beginning, a trim not reported, a late parent, a
# listing cut between pages, a shard given up too soon or forgotten too soon, children not looked for.
PINNED = (0, 1, 20, 101, 106, 216, 561, 572, 608, 742, 968, 2205, 2301, 4042, 7178, 7304, 7584)


@pytest.mark.parametrize("seed", PINNED)
def test_seeds_that_once_failed(seed: int) -> None:
    replay(seed)


def test_the_copy_ends_equal_or_a_gap_was_told() -> None:
    happened = replayed(range(10_000, 10_000 + SEEDS), replay)
    for what in ("kill", "crash", "stop", "freeze", "lag", "disable", "calm", "reconcile"):
        assert happened[what], f"{what} never happened: the seeds prove little"
    for cause in ("TRIMMED", "SHARD_LOST", "NOT_READ", "STREAM_RECREATED"):
        assert happened[cause], f"{cause} never happened: the seeds prove little"


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS_OF_FAULTS, SEEDS_A_TEST))
def test_thousands_of_seeds(first: int, tell: Tell) -> None:
    begin = seeded("simulation").begun_with + first
    happened = replayed(range(begin, begin + SEEDS_A_TEST), replay)
    tell(
        f"simulation, seeds {begin} to {begin + SEEDS_A_TEST - 1}: "
        + ", ".join(f"{happened[what]:,} {what}" for what in ("kill", "crash", "stop", "freeze", "lag"))
        + ", each equal to its model"
    )


def test_a_seed_is_the_same_each_time() -> None:
    assert replay(7) == replay(7)
