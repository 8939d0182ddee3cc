"""The command `twinrow`, also as `python -m twinrow`."""

import errno
import os
import sys

from twinrow.app.signals import keep_early
from twinrow.garbage import collect_seldom

READER_IS_GONE = frozenset({errno.EIO, errno.EPIPE})
"""How a write fails once the terminal was closed, or the reader of a pipe has ended."""


def main() -> None:
    """Run the command line."""
    keep_early()
    collect_seldom()
    from twinrow.app.cli import main as command_line

    try:
        command_line()
    finally:
        _forget_unread_output()


def _forget_unread_output() -> None:
    """Drop what nobody is there to read, so that the exit code stays the command's own.

    The interpreter writes what is buffered when it ends, and turns a failure into exit code 120. Another failure (a
    full disk) is left to it: there, output that somebody wants is lost.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed descriptor is no stream at all
        try:
            stream.flush()
        except OSError as error:
            if error.errno in READER_IS_GONE:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
