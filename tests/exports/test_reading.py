"""Files of an export: lines as AWS writes them, and every damage found before a file counts as read."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.export_model import md5

from twinrow.exports.damaged import DamagedExport
from twinrow.exports.lines import change_of, items_array
from twinrow.exports.manifest import DataFile
from twinrow.exports.reading import LINE_BYTES_MAX, PIECE_BYTES_MAX, read_lines

EMPTY_MD5 = "FjvgqIxwymKf1RbbqtrZag=="
"""Of the gzip of nothing, as a real export has it for an empty partition."""


def _cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at, turn = 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        yield body[at : at + size]
        at, turn = at + size, turn + 1


def _file(body: bytes, items: int) -> DataFile:
    return DataFile("AWSDynamoDB/data/x.json.gz", items, md5(body), "etag-1")


def _read(body: bytes, items: int, sizes: Sequence[int] = (1000,)) -> list[bytes]:
    return [line for some in read_lines(_file(body, items), _cut(body, sizes)) for line in some]


texts = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=40))


@given(texts, st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 50), st.booleans())
def test_lines_are_the_same_however_bytes_are_cut_and_members_lie(
    lines: list[str], sizes: list[int], middle: int, ends: bool
) -> None:
    wanted = [line.encode() for line in lines if line]
    text = b"\n".join(wanted) + (b"\n" if ends and wanted else b"")
    cut = min(middle, len(text))
    body = gzip.compress(text[:cut], mtime=0) + gzip.compress(text[cut:], mtime=0)
    assert _read(body, len(wanted), sizes) == wanted


def test_only_a_line_feed_ends_a_line() -> None:
    line = json.dumps({"Item": {"pk": {"S": "a\u2028b\x85c\x0b"}}}, ensure_ascii=False).encode()
    assert _read(gzip.compress(line + b"\n"), 1) == [line]


def test_an_empty_partition_is_a_gzip_of_nothing() -> None:
    body = bytes.fromhex("1f8b080000000000 00ff 0300 00000000 00000000".replace(" ", ""))
    assert (len(body), md5(body)) == (20, EMPTY_MD5)
    assert _read(body, 0) == []


def test_memory_does_not_grow_with_what_is_inflated() -> None:
    body = gzip.compress(b'{"a":1}\n' * 2_000_000, 9)
    assert len(body) < 100_000
    pieces = [sum(map(len, some)) for some in read_lines(_file(body, 2_000_000), [body])]
    assert max(pieces) <= PIECE_BYTES_MAX
    assert sum(pieces) == 14_000_000


def test_a_line_of_seven_megabytes_is_read() -> None:
    line = b'{"Item":{"pk":{"S":"' + b"x" * 7 * 1024 * 1024 + b'"}}}'
    assert _read(gzip.compress(line + b"\n", 1), 1, (256 * 1024,)) == [line]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(DamagedExport, match="a line of more than 8388608 bytes"):
        _read(gzip.compress(b"x" * (LINE_BYTES_MAX + 2 * PIECE_BYTES_MAX), 1), 1, (256 * 1024,))


@pytest.mark.parametrize("left", [0, 1, 9, 10, 20, -9, -8, -1])
def test_a_file_that_ends_too_early_is_refused(left: int) -> None:
    whole = gzip.compress(b"{}\n" * 40)
    body = whole[:left]
    with pytest.raises(DamagedExport, match="ends before the end of its gzip data"):
        _read(body, 40)


def test_a_second_member_that_ends_too_early_is_refused() -> None:
    body = gzip.compress(b"{}\n") + gzip.compress(b"{}\n")[:-8]  # every line is there, and the checksum fits
    with pytest.raises(DamagedExport, match="ends before the end of its gzip data"):
        _read(body, 2)


def test_zlib_itself_says_nothing_of_a_file_that_ends_too_early() -> None:
    inflater = zlib.decompressobj(wbits=31)
    inflater.decompress(gzip.compress(b"{}\n" * 40)[:-1])
    assert not inflater.eof


@pytest.mark.parametrize(
    ("change", "items", "why"),
    [
        (lambda body: body[:-8] + b"12345678", 2, "is no whole gzip file"),
        (lambda body: body + b"rest", 2, "is no whole gzip file|ends before"),
        (lambda body: b"not gzip at all", 2, "is no whole gzip file"),
        (lambda body: body, 3, "holds 2 lines, its manifest says 3"),
        (lambda body: body, 1, r"holds more lines than its manifest says \(1\)"),
    ],
)
def test_damage_is_found(change: object, items: int, why: str) -> None:
    body = change(gzip.compress(b"{}\n{}\n"))  # type: ignore[operator]
    with pytest.raises(DamagedExport, match=why) as found:
        _read(body, items)
    assert found.value.where == "export file AWSDynamoDB/data/x.json.gz"


def test_a_wrong_checksum_is_found_when_all_lines_are_given() -> None:
    body = gzip.compress(b"{}\n{}\n")
    given = read_lines(DataFile("k", 2, EMPTY_MD5, "e"), [body])
    assert next(given) == [b"{}", b"{}"], "so what was made of them must be read again"
    with pytest.raises(DamagedExport, match="does not fit the checksum"):
        next(given)


FILE = DataFile("AWSDynamoDB/data/x.json.gz", 1, "", "")
KEYS = '"Keys":{"pk":{"S":"2"},"sk":{"N":"1"}}'
NEW = '"NewImage":{"pk":{"S":"2"},"sk":{"N":"1"},"t":{"B":"aGk="}}'
OLD = '"OldImage":{"pk":{"S":"2"},"sk":{"N":"1"}}'


@pytest.mark.parametrize("written", ['{"N":"1768386096366933"}', '"1768386096366933"'])
@pytest.mark.parametrize(
    ("rest", "has"),
    [
        (f"{KEYS},{NEW}", (False, True)),
        (f"{KEYS},{OLD},{NEW}", (True, True)),
        (f"{KEYS},{OLD}", (True, False)),
        (KEYS, (False, False)),
        (NEW, (False, True)),
        (f'{KEYS},{NEW},"Later":[1]', (False, True)),
    ],
)
def test_every_kind_of_change_is_understood(written: str, rest: str, has: tuple[bool, bool]) -> None:
    line = f'{{"Metadata":{{"WriteTimestampMicros":{written},"More":1}},{rest}}}'
    change = change_of(line.encode(), ("pk", "sk"), FILE.key)
    assert change.key == {"pk": {"S": "2"}, "sk": {"N": "1"}}
    assert (change.old is not None, change.new is not None) == has
    assert change.at == 1768386096.366933
    if change.new is not None:
        assert change.new["t"] == {"B": "aGk="}, "binary stays base64 text"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"Item":{"pk":{"S":"2"}}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"soon"}},"Keys":{"pk":{"S":"2"},"sk":{"N":"1"}}}',
        b"$ion_1_0 {Record:{}}",
    ],
)
def test_a_line_that_is_no_change_is_damage_and_no_delete(line: bytes) -> None:
    with pytest.raises(DamagedExport, match="a line that is none"):
        change_of(line, ("pk", "sk"), FILE.key)


def test_items_keep_their_bytes() -> None:
    lines = [b'{"Item":{"n":{"N":"1.00"}}}', b'{ "Item" : {"s":{"S":"\\ud800"}}, "x": 1 }']  # a lone surrogate
    assert items_array(lines, FILE) == b'[{"n":{"N":"1.00"}},{"s":{"S":"\\ud800"}}]'


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"Keys":{}}', b'{"Item":{"a":{"S":"x"}'])
def test_a_line_that_is_no_item_is_damage(line: bytes) -> None:
    with pytest.raises(DamagedExport, match="a line that is none"):
        items_array([line], FILE)
