"""Commands as they work where they are pasted: with the `-c FILE` that this process was given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

CONFIG_DEFAULT: Final = Path("twinrow.toml")
COMMAND: Final = re.compile(
    r"\btwinrow (?:add|check|dead-letters (?:list|retry|drop)|grants|iam-policy|item|notify|plan|repair|reset|schema|"
    r"status|sync|verify)\b(?! -c )"
)
"""A command with a configuration, in a sentence, up to where options may stand."""


class _Typed:
    """The way in which the command of this process was typed."""

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


def in_text(text: str) -> str:
    """A message whose commands, if it names any, are for the same configuration.

    A command that `as_typed` made stays.
    """
    if not _Typed.option or _Typed.option in text:
        return text
    return COMMAND.sub(lambda found: found[0] + _Typed.option, text)
