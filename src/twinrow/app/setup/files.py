"""A configuration file is written as a whole: a reader meets the old text or the new, never a half."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twinrow.errors import StartRefused, TwinrowError


def read(path: Path) -> bytes:
    """The bytes of a file. Raises TwinrowError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TwinrowError(f"cannot be read: {error.strerror}", where=str(path)) from error


def write(path: Path, text: str, expected: bytes | None = None) -> None:
    """Put the text in the place of a file, which keeps its mode; a link stays, and its target is written.

    `expected` is what the file holds. Raises StartRefused when it holds something else, TwinrowError when it cannot be
    written.
    """
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")  # a terminal or a pipe, which no file may take the place of
            return
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or 0o666), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)  # what the umask took away
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if expected is not None and read(target) != expected:
            raise StartRefused("was changed meanwhile; nothing was written", where=str(path), remedy="try again")
        beside.replace(target)
    except OSError as error:
        raise TwinrowError(
            f"cannot be written: {error.strerror}", where=str(path), remedy="name another with -c FILE"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
