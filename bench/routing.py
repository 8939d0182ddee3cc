"""Routing items of a single table to their entities: time an item with 20 rules, beside a plain pass over the items."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Sequence

from twinrow.change import Item
from twinrow.entities.route import router
from twinrow.entities.settings import read_keys
from twinrow.entities.split import Around, read_split

TARGET_US: float = 2.0
"""The most that an item may cost with 20 rules (issue on entities)."""
ITEMS = 20_000
RUNS = 7
DISCRIMINATOR = [
    f'{{ name = "e{n}", when = {{ _type = "Type{n}", PK = "E{n}#{{id}}", SK = "ROW#{{day:date}}#{{line}}" }} }}'
    for n in range(20)
]
KEY_SHAPES = [
    f'{{ name = "e{n}", when = {{ PK = "E{n}#{{id}}", SK = "ROW#{{day:date}}#{{line}}" }} }}' for n in range(20)
]


def items() -> list[Item]:
    """Items of 20 entities, mixed, each with ten attributes more."""
    others = {f"attribute{n}": {"S": f"value {n}"} for n in range(10)}
    return [
        {
            "PK": {"S": f"E{n % 20}#customer-{n}"}, "SK": {"S": f"ROW#2026-01-{n % 28 + 1:02}#{n}"},
            "_type": {"S": f"Type{n % 20}"}, **others,
        }
        for n in range(ITEMS)
    ]  # fmt: skip


def microseconds(work: Callable[[Item], object], every: Sequence[Item]) -> float:
    """Time an item, the least of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.process_time()
        for item in every:
            work(item)
        best = min(best, time.process_time() - began)
    return best / len(every) * 1e6


def routing(rules: Sequence[str], every: Sequence[Item]) -> float:
    """Time an item that `router` needs with these rules."""
    raw = tomllib.loads(f"entities = [{', '.join(rules)}]")
    route = router(read_split(read_keys(raw, "bench"), Around("rest"), "bench"))
    return microseconds(route, every)


def measured() -> dict[str, float]:
    """Each figure by its name, in µs an item."""
    every = items()
    return {
        "a pass that reads one attribute (yardstick)": microseconds(lambda item: item.get("_type"), every),
        "20 rules with a discriminator and three parts": routing(DISCRIMINATOR, every),
        "20 rules by key shapes alone": routing(KEY_SHAPES, every),
    }


def main() -> None:
    """Print the figures."""
    for name, figure in measured().items():
        target = (
            ""
            if "yardstick" in name
            else f" (target: at most {TARGET_US:.0f}; {'met' if figure <= TARGET_US else 'missed'})"
        )
        print(f"{figure:6.2f} µs  {name}{target}")


if __name__ == "__main__":
    main()
