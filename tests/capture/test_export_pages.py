"""A full export as pages: whole at any cut, resumed at any position, and never through before each file is proved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.fixtures.export_model import Item, Shape, objects

from twinrow.capture import export_pages
from twinrow.capture.export_pages import LANES, ExportPages, WantedExport
from twinrow.capture.pages import Page
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Broken, Transient
from twinrow.exports.damaged import DamagedExport, UnfitExport
from twinrow.s3 import S3

TABLE = "arn:aws:dynamodb:eu-north-1:123456789012:table/reviews"
ARN = f"{TABLE}/export/01768385930622-efd1a093"
AT = 1_768_385_930.0
ITEMS: list[Item] = [{"pk": {"S": f"item {number}"}, "n": {"N": str(number)}} for number in range(40)]


class FakeS3:
    """Objects in memory, given in small pieces; `reads` counts the data files that were asked for."""

    def __init__(self, written: dict[str, bytes]) -> None:
        self.written = written
        self.reads = 0

    def read(self, _bucket: str, key: str) -> bytes:
        return self.written[key]

    def read_if_there(self, _bucket: str, key: str) -> bytes | None:
        return self.written.get(key)

    def pieces(self, _bucket: str, key: str, _etag: str, _stop: Stop) -> Iterator[bytes]:
        self.reads += 1
        body = self.written[key]
        yield from (body[at : at + 64] for at in range(0, len(body), 64))


class FakeDynamoDB:
    """DescribeExport, with an answer that a test sets."""

    def __init__(self, **described: Any) -> None:
        self.described = {"ExportStatus": "COMPLETED", "ExportFormat": "DYNAMODB_JSON"} | described
        self.looks = 0

    def call(self, operation: str, **_parameters: Any) -> dict[str, Any]:
        assert operation == "describe_export"
        self.looks += 1
        return {"ExportDescription": self.described}

    def seen_page(self, raw: bytes) -> bytes:
        return raw

    def seen_key(self, key: Item) -> Item:
        return key


def _made(*oddities: str, files: int = 11, window: bool = False, **described: Any) -> tuple[ExportPages, FakeDynamoDB]:
    shape = Shape(
        "01768385930622-efd1a093", TABLE, "id", "bucket", "p", AT - 900 if window else None, AT, files=files,
        oddities=frozenset(oddities),
    )  # fmt: skip
    written = {one.key: one.body for one in objects(shape, [{"Item": item} for item in ITEMS])}
    summary = next(key for key in written if key.endswith("manifest-summary.json"))
    dynamodb = FakeDynamoDB(ExportManifest=summary, **described)
    wanted = WantedExport(ARN, TABLE, "id", "bucket", AT)
    return ExportPages(cast(DynamoDB, dynamodb), cast(S3, FakeS3(written)), wanted, "4"), dynamodb


def _names(pages: list[Page]) -> list[str]:
    return sorted(item["pk"]["S"] for page in pages for item in page.items)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_pages, "PAGE_BYTES", 1)


@pytest.mark.parametrize("files", [1, 3, LANES, 3 * LANES])
def test_every_item_comes_once(files: int) -> None:
    source, _ = _made(files=files)
    assert len(source.parts) == LANES
    pages = [page for part in source.parts for page in source.pages(part, None, Stop())]
    assert _names(pages) == sorted(item["pk"]["S"] for item in ITEMS)
    assert {page.image_at for page in pages} == {AT}
    assert sum(page.position is None for page in pages) == LANES


def test_a_lane_goes_on_at_any_position() -> None:
    source, _ = _made(files=2 * LANES)
    part = source.parts[3]
    whole = list(source.pages(part, None, Stop()))
    assert len(whole) > 3
    for number, page in enumerate(whole[:-1]):
        rest = list(source.pages(part, page.position, Stop()))
        assert _names(rest) == _names(whole[number + 1 :])


@pytest.mark.parametrize("oddity", ["wrong md5", "truncated", "wrong count", "garbage behind"])
def test_a_lane_with_a_damaged_file_is_never_through(oddity: str) -> None:
    source, _ = _made(oddity, files=3)
    part, got = source.parts[0], list[Page]()
    with pytest.raises(DamagedExport):
        _take_all(source.pages(part, None, Stop()), got)
    assert all(page.position is not None for page in got)
    last = got[-1].position if got else None
    keys = source.keys_read(part, last, ["pk"], Stop())
    written = _names(got)
    assert sorted(key["pk"]["S"] for key in keys) == written, "what was copied from it is read again"


def _take_all(pages: Iterator[Page], got: list[Page]) -> None:
    for page in pages:
        got.append(page)  # noqa: PERF402 - what came before an error is looked at


def test_an_export_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    source, dynamodb = _made()
    dynamodb.described["ExportStatus"] = "IN_PROGRESS"
    for _ in range(3):
        with pytest.raises(Transient, match="the export is under way"):
            next(source.pages(source.parts[0], None, Stop()))
    assert dynamodb.looks == 1, "not at each try"
    dynamodb.described["ExportStatus"] = "COMPLETED"
    monkeypatch.setattr(export_pages, "DESCRIBE_EVERY_S", 0.0)
    assert list(source.pages(source.parts[0], None, Stop()))


def test_a_failed_export_says_why() -> None:
    source, _ = _made(ExportStatus="FAILED", FailureCode="S3NoSuchBucket", FailureMessage="no bucket")
    with pytest.raises(Broken, match="S3NoSuchBucket: no bucket"):
        next(source.pages(source.parts[0], None, Stop()))


@pytest.mark.parametrize(
    ("oddities", "described", "why"),
    [
        (("another table",), {}, "is of an earlier table"),
        (("ion",), {}, "has the format ION"),
        ((), {"FilterSpecification": {"FilterExpression": "a = :b"}}, "made with a filter"),
    ],
)
def test_an_export_that_is_not_the_whole_table_is_refused(
    oddities: tuple[str, ...], described: dict[str, Any], why: str
) -> None:
    source, _ = _made(*oddities, **described)
    with pytest.raises(UnfitExport, match=why):
        next(source.pages(source.parts[0], None, Stop()))


def test_a_window_is_no_first_copy() -> None:
    source, _ = _made(window=True)
    with pytest.raises(UnfitExport, match="the changes of a window"):
        next(source.pages(source.parts[0], None, Stop()))


def test_positions_of_another_export_are_none_of_this_one() -> None:
    source, _ = _made()
    assert all("01768385930622-efd1a093" in part and len(part) < 180 and part.isascii() for part in source.parts)


def test_the_items_are_as_the_export_wrote_them() -> None:
    source, _ = _made(files=1)
    page = next(source.pages(source.parts[0], None, Stop()))
    assert json.loads(page.raw)[0] == ITEMS[0]
