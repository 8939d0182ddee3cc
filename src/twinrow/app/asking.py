"""The question before a change: a person answers, or nothing is done."""

from __future__ import annotations

import sys

import typer

from twinrow.app.signals import asking
from twinrow.errors import StartRefused


def agreed(where: str) -> bool:
    """Ask whether to do what was just shown. Raises StartRefused where nobody is there to be asked."""
    try:
        with asking():
            return typer.confirm("Do it?", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise StartRefused("nobody is there to be asked", where=where, remedy="say --yes") from None
