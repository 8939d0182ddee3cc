"""The token without which the page shows no raw item: made for one run, or kept in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from twinrow.errors import ConfigError

TOKEN_BYTES = 24
TOKEN_CHARACTERS_MIN = 16
"""A shorter token could be guessed: whoever reaches the page may try as often as he likes."""
TOKEN_CHARACTERS_MAX = 1024
MODE = 0o600


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_of(path: Path) -> str:
    """The token in a file; where there is none, a new token is written into it, for its owner alone.

    Raises ConfigError when the file cannot be read or written, or holds no token.
    """
    try:
        return _written(path)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise _refused(path, f"cannot be written: {error.strerror}", "name another file") from error


def others_can_read(path: Path) -> bool:
    """Whether every user of this machine can read the file."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def _written(path: Path) -> str:
    token = new_token()
    # with O_EXCL no link that somebody has put there is followed; the mode holds from the first byte on
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            token = file.read(TOKEN_CHARACTERS_MAX + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds more than ASCII characters"
        raise _refused(path, f"cannot be read: {why}", "name another file") from error
    if not TOKEN_CHARACTERS_MIN <= len(token) <= TOKEN_CHARACTERS_MAX or not token.isprintable() or " " in token:
        raise _refused(
            path, f"holds no token: {TOKEN_CHARACTERS_MIN} to {TOKEN_CHARACTERS_MAX} characters in one line",
            "remove the file, then a token is written into it",
        )  # fmt: skip
    return token


def _refused(path: Path, what: str, remedy: str) -> ConfigError:
    return ConfigError(what, where=f"--serve-token-file {path}", remedy=remedy)
