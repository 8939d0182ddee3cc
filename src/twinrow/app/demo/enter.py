"""Waiting for the person at the terminal: the demo's page stays up until Enter is pressed."""

from __future__ import annotations

import select
import sys


def somebody_is_there() -> bool:
    """Whether a person sees what is said and can answer; elsewhere the demo ends by itself."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_pressed(wait_s: float) -> bool:
    """Whether Enter is pressed within so many seconds; the end of the input (Ctrl-D) is taken for it."""
    if not select.select([sys.stdin], [], [], wait_s)[0]:
        return False
    sys.stdin.readline()
    return True
