"""Output: results go to stdout, everything else (progress, warnings, errors) to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer

from twinrow.app.typed import in_text
from twinrow.errors import TwinrowError

NO_REDRAWING = ("dumb", "unknown")
"""Values of TERM for terminals where lines cannot be overwritten, as rich 15 lists them."""


def out(text: str) -> None:
    """A result, for people or for the next program in the pipe."""
    typer.echo(text)


def out_json(document: Any) -> None:
    """The JSON document of a command. ASCII, so that lone surrogates in items stay themselves on any terminal."""
    typer.echo(json.dumps(document))


def say(text: str) -> None:
    """A line about what is going on."""
    # Not by click, which writes past the stderr that rich puts there while it draws, into the drawing.
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        return  # the terminal or the pipe is gone: no message can arrive, and a copy must not break by that


def complain(error: TwinrowError) -> None:
    """An error in one line: what, where, remedy."""
    say(f"twinrow: {in_text(' '.join(str(error).split()))}")


def can_redraw() -> bool:
    """Whether somebody is looking at stderr, on a terminal on which a line can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in NO_REDRAWING
