"""Seeds of the simulation of exports: clocks 60 s apart, failed exports, damaged files, kills, lost answers.

`python -m tests.simulation exports SEED` replays one.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tests.conftest import Tell
from tests.fixtures.export_simulation import RULES, STORIES, Simulation, Wrong, replay
from tests.fixtures.killing import seeded
from tests.fixtures.seeds import replayed

SEEDS = 40
SEEDS_OF_FAULTS = int(os.environ.get("TWINROW_SEEDS", "2000"))
SEEDS_A_TEST = 200
FAULTS = (
    "kill", "answer lost", "token again", "refused", "export failed", "damaged", "recheck", "RECHECK", "PUT", "DELETE",
    "LEAVE", "lost again", "equal",
)  # fmt: skip

# One seed for each rule, which ends wrong when the rule is left out.
NEEDED = {
    "recheck": ("loss", 472),
    "late end": ("loss", 97),
    "applied to": ("loss", 81),
    "written since": ("loss", 24),
    "anew": ("loss", 19),
    "order": ("adopted export", 8),
    "tombstones": ("first copy", 12),
    "early position": ("first copy", 20),
    "exact start": ("adopted export", 22),
}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_is_needed(rule: str) -> None:
    story, seed = NEEDED[rule]
    with pytest.raises(Wrong, match="rows are wrong"):
        Simulation(seed, story, without=rule).run()
    Simulation(seed, story).run()


def test_the_rows_are_the_items_in_the_end() -> None:
    happened = _replay(range(SEEDS))
    for what in FAULTS:
        assert happened[what], f"{what} never happened: the seeds prove little"


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS_OF_FAULTS, SEEDS_A_TEST))
def test_thousands_of_seeds(first: int, tell: Tell) -> None:
    begin = seeded("exports simulation").begun_with + first
    happened = _replay(range(begin, begin + SEEDS_A_TEST))
    tell(
        f"exports simulation, seeds {begin} to {begin + SEEDS_A_TEST - 1}: "
        + ", ".join(f"{happened[what]:,} {what}" for what in FAULTS)
    )


def test_a_seed_is_the_same_each_time() -> None:
    assert replay(7) == replay(7)


def _replay(seeds: range) -> Counter[str]:
    happened = replayed(seeds, replay)
    assert happened["equal"] > 0.9 * len(STORIES) * len(seeds), "too many jobs are given up"
    return happened
