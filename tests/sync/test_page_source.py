"""A first copy whose pages come from elsewhere than a scan, read by threads and by processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.page_files import PageFiles, write_files

from twinrow.capture.pages import Page
from twinrow.sync import page_source

ITEMS = 40
FILES = 4
READERS = 2
ROOT = Path(__file__).resolve().parent.parent.parent


def from_files(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> PageFiles:
    """The items of the table as they are now, in files from which its first copy is read."""
    write_files(copying.folder / "pages", copying.items(), FILES)
    source = PageFiles(copying.folder / "pages")
    for chosen in ("new", "of_copy"):
        monkeypatch.setattr(page_source, chosen, lambda *_: source)
    return source


@pytest.mark.either_server
@pytest.mark.parametrize("workers", [1, READERS], ids=["threads", "processes"])
def test_a_first_copy_is_read_from_files(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    copying = make_copying(capture="scan", reconcile_every="1h")
    copying.workers = workers
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS)])
    from_files(copying, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    ran = copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert ran.applied() == {("PUT", "SCAN"): ITEMS}


@pytest.mark.either_server
def test_positions_of_any_source_are_durable_with_their_rows(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy stops in the middle of the files, and goes on there: no page comes twice."""
    copying = make_copying(capture="scan", reconcile_every="1h", link=True)
    copying.workers = 1
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS)])
    source = from_files(copying, monkeypatch)
    pages, asked = source.pages, []

    def stopped(part: str, position: str | None, stop: object) -> object:
        for page in pages(part, position, stop):  # type: ignore[arg-type]
            asked.append((part, page.position))
            if len(asked) == FILES + 3:  # the first page of each was read to learn from
                raise RuntimeError("the disk is gone")
            yield page

    monkeypatch.setattr(source, "pages", stopped)
    assert copying.once().outcomes[copying.table].error is not None
    known = copying.database.query("SELECT part, position, done FROM _twinrow_checkpoint WHERE part LIKE 'segment:%%'")
    monkeypatch.setattr(source, "pages", pages)
    begun: dict[str, str | None] = {}

    def noted(part: str, position: str | None, stop: object) -> object:
        begun.setdefault(part, position)
        return pages(part, position, stop)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "pages", noted)
    copying.once_well()
    assert known
    assert begun == {part.removeprefix("segment:"): position for part, position, done in known if not done}
    copying.assert_equal(items=ITEMS)


def test_positions_are_those_of_parts_that_are_not_through() -> None:
    pages = [Page("a", b"[]", "1", 5.0), Page("a", b"[]", "2", 6.0), Page("b", b"[]", None, 7.0)]
    known = page_source.checkpoints("pages:", pages)
    assert page_source.positions(known, "pages:", ["a", "b", "c"]) == {"a": "2", "c": None}
