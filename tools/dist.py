"""Builds what a release is made of into `dist`, and proves it; `make dist` runs this.

Wheel and source archive, checked by twine; the wheel made again from the archive and compared; installed in an empty
virtual environment of each Python that is there, and run; a list of all that it brings along (SBOM, CycloneDX); sums.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # it is run by its path
from pythons import pythons

PROJECT = Path(__file__).resolve().parent.parent
COMMAND_TIMEOUT_S = 900


class NotReleasableError(Exception):
    """Something is wrong with what was built; the message says what."""


def run(*command: str | Path, folder: Path = PROJECT) -> str:
    """What a command printed. Raises NotReleasableError with its output when it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotReleasableError(f"`{' '.join(str(word) for word in command)}` failed:\n{done.stdout}")
    return done.stdout


def build(target: Path) -> tuple[Path, Path]:
    """Wheel and source archive."""
    run(sys.executable, "-m", "build", "--outdir", target, PROJECT)
    (wheel,), (archive,) = target.glob("*.whl"), target.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, archive)
    return wheel, archive


def compare(wheel: Path, archive: Path, scratch: Path) -> None:
    """Raise NotReleasableError where the archive makes another wheel than the checkout did."""
    run("tar", "-xzf", archive, "-C", scratch)
    (unpacked,) = scratch.iterdir()
    again = scratch / "again"
    run(sys.executable, "-m", "build", "--wheel", "--outdir", again, unpacked)
    (other,) = again.glob("*.whl")
    if contents(wheel) != contents(other):
        raise NotReleasableError(f"the wheel made from {archive.name} is another: {contents(wheel) ^ contents(other)}")


def contents(wheel: Path) -> set[tuple[str, int]]:
    """The files of a wheel, each with the sum of its bytes."""
    return {(one.filename, one.CRC) for one in zipfile.ZipFile(wheel).infolist() if not one.filename.endswith("RECORD")}


def try_on(python: str, wheel: Path, version: str, environment: Path) -> Path:
    """Install the wheel into an empty environment of this Python and run it; the environment's Python."""
    run(python, "-m", "venv", environment)
    inner = environment / "bin" / "python"
    run(inner, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    run(inner, "-m", "pip", "check")
    told = run(environment / "bin" / "twinrow", "--version", folder=environment).strip()
    if told != f"twinrow {version}":
        raise NotReleasableError(f"the wheel says {told!r}, the project {version}")
    run(inner, "-W", "error", "-m", "twinrow", "sync", "--help", folder=environment)
    run(inner, "-W", "error", "-c", "import twinrow; twinrow.load", folder=environment)
    return inner


def main() -> int:
    """Build and prove; returns 1 when something is not as it should be."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = PROJECT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    try:
        wheel, archive = build(target)
        print(f"dist: {wheel.name}, {archive.name}: twine finds no fault", flush=True)
        with tempfile.TemporaryDirectory(prefix="twinrow-dist-") as folder:
            scratch = Path(folder)
            (scratch / "sdist").mkdir()
            compare(wheel, archive, scratch / "sdist")
            print("dist: the source archive makes the same wheel", flush=True)
            for name, program in pythons().items():
                inner = try_on(program, wheel, project["version"], scratch / name)
                print(f"dist: Python {name}: installed and run", flush=True)
            bill = target / f"twinrow-{project['version']}.cdx.json"
            run(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "-o", bill, inner)
            print(f"dist: {bill.name}: all that the wheel brings along", flush=True)
    except NotReleasableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    sums = [f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in sorted(target.iterdir())]
    (target / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
