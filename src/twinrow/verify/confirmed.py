"""Differences that verify has confirmed, kept on disk until repair has brought them to their end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import TracebackType

from twinrow.change import Item
from twinrow.compare.items import Difference
from twinrow.errors import TwinrowError


class Confirmed:
    """Fingerprints and keys (none: the row is an orphan), a line each: a lost table would not fit into memory.

    `gone` counts the rows whose items were not found.
    """

    def __init__(self) -> None:
        self.gone = 0
        self._file = tempfile.TemporaryFile("w+", encoding="ascii", prefix="twinrow-")  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Confirmed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _room():
            self._file.close()

    def add(self, difference: Difference) -> None:
        """Keep a difference. Raises TwinrowError when there is no room for it."""
        key = {} if difference.orphan else difference.key
        self.gone += difference.gone
        with _room():
            self._file.write(json.dumps([difference.hash.hex(), key]) + "\n")

    def slices(self, keys_max: int) -> Iterator[list[tuple[bytes, Item]]]:
        """All of them in their order, at most `keys_max` at a time. Raises TwinrowError as `add` does."""
        with _room():  # what is still buffered is written now
            self._file.seek(0)
        while lines := list(islice(self._file, keys_max)):
            found = map(json.loads, lines)
            yield [(bytes.fromhex(key_hash), key) for key_hash, key in found]


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TwinrowError(
            f"the keys to be mended cannot be kept: {error.strerror}", where=tempfile.gettempdir(),
            remedy="make room there, or set TMPDIR; nothing was changed",
        ) from error  # fmt: skip
