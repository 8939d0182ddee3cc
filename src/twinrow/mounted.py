"""A secret in a mounted file, as Docker and Kubernetes give it to a process."""

from __future__ import annotations

from pathlib import Path

from twinrow.errors import ConfigError

FILE_BYTES_MAX = 65_536
"""A secret is short: a larger file is another file than was meant."""


def mounted(path: str, where: str) -> str:
    """The text of a mounted file, without the end of its last line. Raises ConfigError."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"the file {path} cannot be read: {error.strerror}", where=where) from error
    if len(found) > FILE_BYTES_MAX:
        raise ConfigError(f"the file {path} has more than {FILE_BYTES_MAX:,} bytes: it holds no secret", where=where)
    text = found.decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").removesuffix("\r")
