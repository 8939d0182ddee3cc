"""The Python versions of this machine that Twinrow supports: those on the PATH, and those that pyenv keeps."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
NEWEST_MINOR_MAX = 20
ASK_TIMEOUT_S = 30


def pythons() -> dict[str, str]:
    """A program for each minor version that is there ("3.12"), oldest first."""
    found: dict[tuple[int, int], str] = {}
    for program in _candidates():
        version = _version(program)
        if version is not None and version >= OLDEST:
            found.setdefault(version, program)
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(found)}


def _candidates() -> Iterator[str]:
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST_MINOR_MAX))]
    yield from (path for name in names if (path := shutil.which(name)))
    pyenv = shutil.which("pyenv")
    if pyenv is not None:  # what it puts on the PATH runs only the version that is chosen
        root = subprocess.run(
            [pyenv, "root"], capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False
        ).stdout
        yield from map(str, sorted(Path(root.strip()).glob("versions/3.*/bin/python3")))


def _version(program: str) -> tuple[int, int] | None:
    """What it is, None where it does not run."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False)
    found = re.match(r"Python (\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if told.returncode == 0 and found is not None else None
