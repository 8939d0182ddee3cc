"""Pages read ahead by threads: each comes once and in its part's order, whatever passes meanwhile."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.page_files import ITEMS_A_PAGE, PageFiles, write_files

from twinrow.capture import read_ahead
from twinrow.capture.pages import Page, PageSource
from twinrow.capture.read_ahead import ReadAhead
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.errors import Broken, Transient

WAIT_S = 30.0


def item(number: int) -> Item:
    return {"key": {"N": str(number)}}


def taken(source: PageSource, positions: dict[str, str | None]) -> list[Page]:
    reading: ReadAhead[Page] = ReadAhead(source, positions, Stop(), lambda page: page)
    pages = []
    try:
        while not reading.done:
            page = reading.take(WAIT_S)
            assert page is not None
            pages.append(page)
        assert reading.take(0.0) is None
    finally:
        reading.close()
    return pages


@settings(deadline=None, max_examples=40)
@given(items=st.integers(0, 40), files=st.integers(1, 6), trouble=st.lists(st.booleans(), max_size=12))
def test_every_page_comes_once_and_in_order_though_reading_fails_now_and_then(
    items: int, files: int, trouble: list[bool]
) -> None:
    left, lock = iter(trouble), threading.Lock()

    def fails() -> None:
        with lock:
            if next(left, False):
                raise Transient("the network is away")

    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_ahead, "back_off_s", lambda _attempt: 0.0)
        write_files(Path(name), [item(number) for number in range(items)], files)
        source = PageFiles(Path(name), 7.0, fails)
        pages = taken(source, dict.fromkeys(source.parts))
    for number, part in enumerate(source_parts(files)):
        mine = [page for page in pages if page.part == part]
        read = list(itertools.chain.from_iterable(page.items for page in mine))
        assert read == [item(one) for one in range(items)][number::files]
        assert [page.position is None for page in mine] == [False] * (len(mine) - 1) + [True]
        assert {page.image_at for page in mine} == {7.0}


def source_parts(files: int) -> list[str]:
    return [f"{number}.jsonl" for number in range(files)]


@given(read=st.integers(0, 30))
@settings(deadline=None, max_examples=15)
def test_a_part_goes_on_from_any_position_that_its_source_gave(read: int) -> None:
    with TemporaryDirectory() as name:
        write_files(Path(name), [item(number) for number in range(30)], 1)
        source = PageFiles(Path(name))
        pages = taken(source, dict.fromkeys(source.parts))
        at = pages[read % len(pages)]
        if at.position is None:
            return
        rest = taken(source, {at.part: at.position})
    assert rest == pages[pages.index(at) + 1 :]


def test_what_does_not_pass_reaches_whoever_takes_pages(tmp_path: Path) -> None:
    def fails() -> None:
        raise Broken("the file is damaged")

    write_files(tmp_path, [item(0)], 1)
    source = PageFiles(tmp_path, fails=fails)
    with pytest.raises(Broken, match="damaged"):
        taken(source, dict.fromkeys(source.parts))


def test_what_passes_is_shown_as_trouble_until_it_has_passed(tmp_path: Path) -> None:
    mended = threading.Event()

    def fails() -> None:
        if not mended.is_set():
            raise Transient("the network is away")

    write_files(tmp_path, [item(number) for number in range(ITEMS_A_PAGE)], 1)
    source = PageFiles(tmp_path, fails=fails)
    reading: ReadAhead[Page] = ReadAhead(source, dict.fromkeys(source.parts), Stop(), lambda page: page)
    try:
        while not reading.trouble:
            assert reading.take(0.01) is None
        assert "the network is away" in reading.trouble
        mended.set()
        assert reading.take(WAIT_S) is not None
        assert reading.trouble == ""
    finally:
        reading.close()


def test_nothing_to_read_is_done_at_once(tmp_path: Path) -> None:
    assert taken(PageFiles(tmp_path), {}) == []
