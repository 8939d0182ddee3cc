"""Figures and the file they are kept in; a figure is ours, a yardstick's, and their ratio, all of one run."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).parent / "results.md"
QUICK_PATH: Final = Path(__file__).parent / "results-quick.md"
"""Of this machine only, and not kept in git: small tables say how a change counts, not how fast Twinrow is."""
_HEAD: Final = ("measure", "figure", "Twinrow", "beside", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `ours` in `unit`, a yardstick's name and value in the same unit, their ratio, the target."""

    measure: str
    name: str
    ours: float
    unit: str
    beside: str
    theirs: float | None
    ratio: float | None
    target: str = ""
    met: bool | None = None


def number(value: float) -> str:
    """Three figures that tell something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line(figure: Figure) -> str:
    """A figure as a line of the table."""
    beside = f"{figure.beside}: {number(figure.theirs)} {figure.unit}" if figure.theirs is not None else figure.beside
    met = {True: "yes", False: "no", None: ""}[figure.met]
    ratio = number(figure.ratio) if figure.ratio is not None else ""
    cells = (
        figure.measure, figure.name, f"{number(figure.ours)} {figure.unit}", beside, ratio, figure.target, met,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """The machine in words, without its name."""
    model, memory = platform.machine(), 0
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.+)", cpuinfo.read_text())
        model = found[1] if found else model
    if meminfo.exists():
        found = re.search(r"MemTotal:\s*(\d+) kB", meminfo.read_text())
        memory = round(int(found[1]) / 1024**2) if found else 0
    return (
        f"{os.cpu_count()} cores ({model}), {memory} GB, {platform.system()}, Python {platform.python_version()}; "
        "both servers run on the same cores"
    )


def busy() -> str:
    """The other load of the machine: a run beside other work says so in its results."""
    return f"load average {os.getloadavg()[0]:.1f} before the run"


def write(
    figures: Sequence[Figure], seed: Sequence[str], notes: Sequence[str], *, quick: bool, load: str, path: Path
) -> None:
    """Write the results file; `load` is what `busy` said before the run."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    scale = "`make bench-quick`: small tables, so start-up weighs more" if quick else "`make bench`"
    lines = [
        "# How fast",
        "",
        f"{today}, {scale}. {machine()}; {load}.",
        "Each ratio is taken in one run on the same servers, and each measure ends with `twinrow verify`.",
        "DynamoDB Local stands for DynamoDB, so rates say little of AWS; ratios and CPU say more.",
        "The read budget, 40,000 units a second, bounds nothing; with the default a scan reads 18,000 items a second.",
        "",
        f"| {' | '.join(_HEAD)} |",
        "|---|---|---:|---|---:|---|---|",
        *map(line, figures),
    ]
    if seed:
        lines += ["", "## The published table", "", *seed]
    if notes:
        lines += ["", "## Left out", "", *(f"- {note}" for note in notes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path) -> list[Figure]:
    """The figures of a results file. Raises ValueError when it holds none."""
    found = []
    table, _, _ = path.read_text(encoding="utf-8").partition("\n## ")
    for text in table.splitlines():
        cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
        if len(cells) != len(_HEAD) or cells[0] in (_HEAD[0], "---") or set(cells[0]) <= {"-", ":"}:
            continue
        value, _, unit = cells[2].partition(" ")
        beside, _, theirs = cells[3].partition(": ")
        found.append(
            Figure(
                cells[0], cells[1], _value(value), unit, beside, _value(theirs.split(" ")[0]) if theirs else None,
                _value(cells[4]) if cells[4] else None, cells[5], {"yes": True, "no": False}.get(cells[6]),
            )
        )  # fmt: skip
    if not found:
        raise ValueError(f"{path.name} holds no figures: run `make bench` first")
    return found


def _value(text: str) -> float:
    return float(text.replace(",", ""))
