"""Commands as they work where they are pasted: with the `-c FILE` that this process was given."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

CONFIG_DEFAULT: Final = Path("twinrow.toml")


class _Typed:
    """How the one command of this process was typed."""

    option = ""


def note(path: Path) -> None:
    """Remember which configuration the command works with."""
    _Typed.option = "" if path == CONFIG_DEFAULT else f" -c {shlex.quote(str(path))}"


def config_option() -> str:
    """Nothing, or ` -c FILE`: what stands at the end of a command for the same configuration."""
    return _Typed.option


def as_typed(command: str) -> str:
    """A whole `twinrow …` command with the same configuration."""
    return command + _Typed.option
