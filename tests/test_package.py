"""What users install: the wheel, in an empty virtual environment."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import twinrow

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parent.parent
_COMMAND_TIMEOUT_S = 150


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        command,
        cwd=PROJECT.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_COMMAND_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(300)
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, PROJECT)
    (wheel,) = tmp_path.glob("twinrow-*.whl")

    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("twinrow/")}
    sources = PROJECT / "src"
    wanted = {
        str(path.relative_to(sources))
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }
    assert packed == wanted

    environment = tmp_path / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", wheel)
    assert "sync" in _run(environment / "bin" / "twinrow", "--help")
    assert "sync" in _run(python, "-m", "twinrow", "--help")
    assert _run(python, "-c", "import twinrow; print(twinrow.__version__)").strip() == twinrow.__version__
