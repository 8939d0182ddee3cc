"""Builds the zip for AWS Lambda, with all that Twinrow needs there; `make lambda` runs this.

The packages are those of Lambda's Linux, whatever this machine is. Standard library only, but for pip.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TARGET = PROJECT / "build" / "twinrow-lambda.zip"
BYTES_MAX = 50 * 1024 * 1024
"""What Lambda takes as a zip that is handed over directly (AWS, "Lambda quotas")."""
PYTHON = "3.12"
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
LEFT_OUT = ("__pycache__", "bin", "*.pyi", "tests")


def install(folder: Path, architecture: str) -> None:
    """Puts Twinrow and its packages into a folder. Raises CalledProcessError with what pip has printed above."""
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(folder),
        "--platform", PLATFORMS[architecture], "--implementation", "cp", "--python-version", PYTHON,
        "--only-binary=:all:", "--no-compile",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as wheels:
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, str(PROJECT)]
        subprocess.run(wheel, check=True)
        (built,) = Path(wheels).glob("twinrow-*.whl")
        subprocess.run([*command, str(built)], check=True)


def pack(folder: Path, target: Path) -> None:
    """Zips a folder, the same bytes for the same content: Lambda then sees that nothing has changed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_dir() or any(
                inside_part.match(rule) for inside_part in (inside, *inside.parents) for rule in LEFT_OUT
            ):
                continue
            entry = zipfile.ZipInfo(str(inside))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def main() -> int:
    """Builds the zip; returns 1 when Lambda would not take it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", choices=sorted(PLATFORMS), default="x86_64")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="twinrow-lambda-"))
    try:
        install(folder, options.architecture)
        pack(folder, options.target)
    finally:
        shutil.rmtree(folder)
    size = options.target.stat().st_size
    print(f"lambda: {options.target} ({size / 1024 / 1024:.1f} MB, {options.architecture}, Python {PYTHON})")
    if size > BYTES_MAX:
        print(f"error: Lambda takes {BYTES_MAX // 1024 // 1024} MB at most", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
