"""The lines of a data file: inflated chunk by chunk, and proved when the last line is read (pure)."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator

from twinrow.exports.damaged import DamagedExport
from twinrow.exports.manifest import ASK_AGAIN, DataFile

PIECE_BYTES_MAX = 1024 * 1024
"""The most that is inflated at once: a few kilobytes of gzip can hold gigabytes."""
LINE_BYTES_MAX = 8 * 1024 * 1024
"""A line with two images of an item of 400 KB is at most 7 MiB long (lists of empty strings)."""
_GZIP = 31
"""zlib's name for "a gzip header is expected"."""


def read_lines(file: DataFile, chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of a file, some at a time, without their line ends.

    Lines end at a line feed alone: text in them may hold what Python takes for line ends. When it is exhausted without
    an error, the file is read: its gzip members are whole, and checksum and number of lines are the manifest's. Raises
    DamagedExport else.
    """
    digest = hashlib.md5(usedforsecurity=False)
    rest, counted = b"", 0
    for piece in _inflated(file, _hashed(chunks, digest)):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if max(len(rest), max(map(len, lines), default=0)) > LINE_BYTES_MAX:
            raise _damaged(file, f"holds a line of more than {LINE_BYTES_MAX} bytes")
        counted += len(lines)
        _refuse_more(file, counted)
        if lines:
            yield lines
    if rest:
        counted += 1
        _refuse_more(file, counted)
        yield [rest]
    if counted != file.items:
        raise _damaged(file, f"holds {counted} lines, its manifest says {file.items}")
    if base64.b64encode(digest.digest()).decode() != file.md5:
        raise _damaged(file, "does not fit the checksum in its manifest")


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _inflated(file: DataFile, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Every gzip member in turn. zlib is silent about a file that ends too early, so it is asked."""
    inflater, members = None, 0
    for chunk in chunks:
        data = chunk
        while data:
            if inflater is None:
                inflater = zlib.decompressobj(wbits=_GZIP)
            try:
                piece = inflater.decompress(data, PIECE_BYTES_MAX)
            except zlib.error as error:
                raise _damaged(file, f"is no whole gzip file ({error})") from error
            data = inflater.unconsumed_tail
            if inflater.eof:
                data, inflater, members = inflater.unused_data, None, members + 1
            if piece:
                yield piece
    if inflater is not None or not members:
        raise _damaged(file, "ends before the end of its gzip data")


def _refuse_more(file: DataFile, counted: int) -> None:
    if counted > file.items:
        raise _damaged(file, f"holds more lines than its manifest says ({file.items})")


def _damaged(file: DataFile, what: str) -> DamagedExport:
    return DamagedExport(what, where=f"export file {file.key}", remedy=ASK_AGAIN)
