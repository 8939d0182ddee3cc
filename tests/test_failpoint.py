"""A fail point is there for a test that kills or pauses a process at it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WITHOUT_A_TEST: Final = frozenset({"after-index", "after-resplit", "before-resplit", "before-resplit-done"})
"""Points at which no test kills a process yet. The list may only get shorter."""


def test_every_fail_point_has_a_test() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    here = Path(__file__)
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != here)
    points = set(re.findall(r'fail_point\(\s*"([a-z-]+)"', sources))
    unused = {point for point in points if not re.search(rf"(?<![a-z-]){point}(?![a-z-])", tests)}
    assert "after-commit" in points
    assert unused == WITHOUT_A_TEST
