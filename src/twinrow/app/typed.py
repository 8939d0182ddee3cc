"""Commands as they work where they are pasted: with the `-c FILE` that this process was given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

CONFIG_DEFAULT: Final = Path("twinrow.toml")
_COMMANDS: Final = re.compile(
    r"\btwinrow (?=(?:check|plan|sync|status|verify|repair|schema|item|dead-letters|reset|iam-policy|grants)\b)"
)


class _Typed:
    """How the one command of this process was typed."""

    program = "twinrow"


def note(path: Path) -> None:
    """Remember which configuration the command works with."""
    _Typed.program = "twinrow" if path == CONFIG_DEFAULT else f"twinrow -c {shlex.quote(str(path))}"


def program() -> str:
    """`twinrow`, or `twinrow -c FILE`."""
    return _Typed.program


def as_typed(text: str) -> str:
    """The text, each `twinrow COMMAND` in it with the same configuration."""
    return _COMMANDS.sub(lambda _: f"{_Typed.program} ", text)
