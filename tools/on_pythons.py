"""Runs the tests that need no server on each Python that is there but this one; `make test-pythons` runs this."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # it is run by its path
from pythons import pythons

PROJECT = Path(__file__).resolve().parent.parent
WHICH = "not faults and not slow and not servers"


def main(arguments: list[str]) -> int:
    """Run them; returns 1 where tests fail on any Python. Each has an environment that is kept for the next time."""
    mine, failed = f"{sys.version_info.major}.{sys.version_info.minor}", []
    others = {name: program for name, program in pythons().items() if name != mine}
    for name, program in others.items():
        environment = PROJECT / ".venv" / "pythons" / name
        inner = environment / "bin" / "python"
        print(f"== Python {name}", flush=True)
        if not inner.exists():
            subprocess.run([program, "-m", "venv", environment], check=True)
        quiet = ("--quiet", "--quiet", "--disable-pip-version-check")
        subprocess.run([inner, "-m", "pip", "install", *quiet, "--editable", ".[dev]"], cwd=PROJECT, check=True)
        command = [inner, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", WHICH, *arguments]
        if subprocess.run(command, cwd=PROJECT, check=False).returncode != 0:
            failed.append(name)
    if not others:
        print(f"no other Python than {mine} is here", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
