"""`python -m tests.simulation exports|stream|link SEED [LAST_SEED]`: replays seeds, tells what happened."""

from __future__ import annotations

import sys
from collections import Counter

from tests.fixtures import export_simulation, link_simulation, simulation

SIMULATIONS = {
    "exports": (export_simulation.replay, export_simulation.Wrong),
    "stream": (simulation.replay, simulation.Wrong),
    "link": (link_simulation.replay, link_simulation.Wrong),
}


def main(name: str, first: int, last: int) -> int:
    """Returns 1 when a seed fails; each failing one is printed."""
    replay, wrong_seed = SIMULATIONS[name]
    happened: Counter[str] = Counter()
    failed = 0
    for seed in range(first, last + 1):
        try:
            happened += replay(seed)
        except wrong_seed as wrong:
            failed += 1
            print(wrong)
    print(f"{last - first + 1 - failed} of {last - first + 1} seeds are fine:", dict(sorted(happened.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[-1])))
