"""Differences that verify has confirmed, kept on disk until repair has brought them to their end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from types import TracebackType

from twinrow.change import Item
from twinrow.sync.compare import Difference


class Confirmed:
    """Fingerprints and keys (none: the row is an orphan), a line each: a lost table would not fit into memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="ascii", prefix="twinrow-")  # noqa: SIM115 - see __exit__
        self.count = 0

    def __enter__(self) -> Confirmed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, difference: Difference) -> None:
        """Keep one. Raises OSError when the disk for temporary files is full."""
        key = {} if difference.orphan else difference.key
        self._file.write(json.dumps([difference.hash.hex(), key]) + "\n")
        self.count += 1

    def slices(self, keys_max: int) -> Iterator[list[tuple[bytes, Item]]]:
        """All of them in their order, at most `keys_max` at a time."""
        self._file.seek(0)
        while lines := list(islice(self._file, keys_max)):
            found = map(json.loads, lines)
            yield [(bytes.fromhex(key_hash), key) for key_hash, key in found]
