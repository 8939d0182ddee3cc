"""The main figures as an SVG, drawn from bench/results.md by this file alone: `python -m bench.plot`."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from bench.results import PATH, Figure, number, read

WIDTH: Final = 760
BAR_HEIGHT: Final = 16
LABEL_HEIGHT: Final = 20
GAP: Final = 16
MARGIN: Final = 16
VALUE_WIDTH: Final = 290
OURS: Final = "#0b7285"
THEIRS: Final = "#adb5bd"
MAIN: Final = ("snapshot", "verify", "links", "whole job", "seed table")


def draw(source: Path, target: Path) -> None:
    """Write the SVG: each of the main figures as a bar beside its yardstick's."""
    shown = [result for result in read(source) if result.measure in MAIN and result.theirs is not None]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(svg(shown), encoding="utf-8")


def svg(figures: list[Figure]) -> str:
    """The picture; every pair of bars has a scale of its own."""
    parts: list[str] = []
    y = MARGIN
    for figure in figures:
        theirs = figure.theirs or 0.0
        most = max(figure.ours, theirs) or 1.0
        parts.append(_text(MARGIN, y + LABEL_HEIGHT - 6, _title(figure), bold=True))
        y += LABEL_HEIGHT
        for value, name, colour in ((figure.ours, "Twinrow", OURS), (theirs, figure.beside, THEIRS)):
            width = max(2.0, (WIDTH - 2 * MARGIN - VALUE_WIDTH) * value / most)
            parts.append(
                f'<rect x="{MARGIN}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT - 2}" rx="2" fill="{colour}"/>'
            )
            parts.append(_text(MARGIN + width + 8, y + BAR_HEIGHT - 4, f"{name}: {number(value)} {figure.unit}"))
            y += BAR_HEIGHT
        y += GAP
    height = y + MARGIN - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="Twinrow beside yardsticks" font-family="system-ui, sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>' + "".join(parts) + "</svg>\n"
    )


def _title(figure: Figure) -> str:
    less = " (less is better)" if figure.unit in ("µs", "ms", "s") else ""
    return f"{figure.measure}: {figure.name}{less}"


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#212529"{weight}>{escape(text)}</text>'


if __name__ == "__main__":
    draw(PATH, Path(__file__).parents[1] / "docs" / "images" / "bench.svg")
