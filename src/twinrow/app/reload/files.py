"""Whether a file of the configuration was written, added or removed."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path

Stamp = Mapping[str, tuple[int, int, int]]
"""Time of the last change, size and number of each file, by path."""


def stamp_of(watched: Iterable[str]) -> Stamp:
    """How the files stand that a configuration was read from; `watched` are paths and patterns (`Config.watched`).

    A file that is a link counts as what it leads to: Kubernetes exchanges the link of a mounted file.
    """
    found = {}
    for entry in watched:
        # a folder's name may look like a pattern; and absolute patterns are none for Path.glob
        paths = [entry] if Path(entry).exists() else glob.glob(entry, recursive=True)  # noqa: PTH207
        for path in paths:
            try:
                about = Path(path).stat()
            except OSError:  # not there at this moment: an editor exchanges it, or it was removed
                continue
            found[path] = about.st_mtime_ns, about.st_size, about.st_ino
    return found


class FileWatcher:
    """Says that files are others than those that were read, once they have stood still for a look.

    Half a file is not read. Until `follow` says that they were read, all of them are a change.
    """

    def __init__(self, watched: Iterable[str]) -> None:
        self._watched = tuple(watched)
        self._read: Stamp | None = None
        self._last: Stamp | None = None

    def stamp(self) -> Stamp:
        """How the files stand now."""
        return stamp_of(self._watched)

    def follow(self, watched: Iterable[str], before: Stamp) -> None:
        """The files were read, which stood as `before` just then; from now on these count."""
        self._watched = tuple(watched)
        now = self.stamp()
        self._read = {path: before.get(path, stamp) for path, stamp in now.items()}
        self._last = now

    def changed(self) -> bool:
        """Whether there is a change to be read now."""
        now, last = self.stamp(), self._last
        self._last = now
        return now != self._read and now == last
