"""What goes where: results to stdout, everything else (progress, warnings, errors) to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from twinrow.errors import TwinrowError


def out(text: str) -> None:
    """A result, for people or for the next program in the pipe."""
    typer.echo(text)


def out_json(document: Any) -> None:
    """The one JSON document of a command. ASCII, so that lone surrogates in items stay themselves on any terminal."""
    typer.echo(json.dumps(document))


def say(text: str) -> None:
    """A line about what is going on."""
    typer.echo(text, err=True)


def complain(error: TwinrowError) -> None:
    """An error in one line: what, where, remedy."""
    say(f"twinrow: {' '.join(str(error).split())}")


def is_terminal() -> bool:
    """Whether somebody is looking at stderr."""
    return sys.stderr.isatty()
