"""A full export as a source of pages: its files in S3, read line by line in a few lanes.

The export may still be under way when the source is made: then a lane waits, and says so. Lanes and not files are the
parts, because the files are known only when the export is complete; their order is that of their names, so a position
(number of the file within its lane, lines of it that are through) means the same in every process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from twinrow import clock
from twinrow.budget import Spending
from twinrow.capture.pages import Page, SourceSpec
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_access import Access
from twinrow.dynamodb_wire import decoded_items
from twinrow.errors import Broken, Transient
from twinrow.exports import manifest
from twinrow.exports.damaged import UnfitExport
from twinrow.exports.lines import change_of, items_array
from twinrow.exports.manifest import CHECKSUM_ENDINGS, DataFile, Summary
from twinrow.exports.reading import read_lines
from twinrow.s3 import S3, S3Spec, door_of

LANES = 8
"""Files that can be read side by side; as many as a first copy of a small table has threads for, twice."""
PAGE_BYTES = 1_000_000
"""A page ends with the line that brings it here, as a page of a scan does."""
DESCRIBE_EVERY_S = 5.0
"""DescribeExport is asked so often while an export is under way."""


@dataclass(frozen=True, slots=True)
class WantedExport:
    """An export of a table, written into `bucket`: full, as of `at` (epoch seconds), or the changes since `from_at`."""

    arn: str
    table_arn: str
    table_id: str
    bucket: str
    at: float
    from_at: float | None = None
    manifest: str = ""


class _ExportText(msgspec.Struct):
    """An export as another process is told of it."""

    region: str
    endpoint_url: str | None
    access: Access
    s3: S3Spec
    wanted: WantedExport
    plan: str


class ExportPages:
    """The pages of an export; see `capture.pages.PageSource`. Those of a window hold lines in place of items."""

    def __init__(
        self, dynamodb: DynamoDB, s3: S3, wanted: WantedExport, plan: str, page_bytes: int | None = None
    ) -> None:
        self.plan = plan
        self._page_bytes = page_bytes or PAGE_BYTES
        self._dynamodb = dynamodb
        self._s3 = s3
        self._wanted = wanted
        self._lock = threading.Lock()
        self._files: tuple[DataFile, ...] | None = None
        self._looked_at: float | None = None
        self._bucket = wanted.bucket

    @property
    def parts(self) -> Sequence[str]:
        """The lanes. The export's id is in their names: positions of another export mean nothing here."""
        name = self._wanted.arn.rpartition("/")[2]
        return [f"export/{name}/{lane}" for lane in range(LANES)]

    @property
    def spec(self) -> SourceSpec | None:
        """The same files for another process, which has doors of its own.

        None for a window, whose lines are no items, and where items are protected: the secret stays in this process.
        """
        here = self._dynamodb
        if self._wanted.from_at is not None or not here.may_be_shared:
            return None
        text = _ExportText(here.region, here.endpoint_url, here.access, self._s3.spec, self._wanted, self.plan)
        return SourceSpec(__name__, msgspec.json.encode(text).decode())

    def first(self, stop: Stop) -> list[Page]:  # noqa: ARG002 - of the protocol
        """Nothing: the export may take hours, and the stream is followed meanwhile. Columns come with the pages."""
        return []

    def pages(self, part: str, position: str | None, stop: Stop) -> Iterator[Page]:
        """The pages of a lane. Raises Transient while the export is under way, DamagedExport, UnfitExport, S3Error."""
        files = self.files()[int(part.rpartition("/")[2]) :: LANES]
        number, through = _position(position)
        if not files:
            yield Page(part, b"[]", None, self._wanted.at)
        for file in files[number:]:
            number += 1
            after = None if number == len(files) else f"{number}:0"
            for lines, count in self._groups(file, through, stop):
                is_proved = count is None
                where = after if is_proved else f"{number - 1}:{count}"
                yield Page(part, self._array(lines, file), where, self._wanted.at)
            through = 0

    def _array(self, lines: list[bytes], file: DataFile) -> bytes:
        """Items as rows have them, or the lines of a window as they are: `filling` makes their keys and images so."""
        if self._wanted.from_at is None:
            return self._dynamodb.seen_page(items_array(lines, file))
        return b"[%b]" % b",".join(lines)

    def _groups(self, file: DataFile, through: int, stop: Stop) -> Iterator[tuple[list[bytes], int | None]]:
        """Lines behind the first `through`, and how many are read by then.

        The last group has None for it: all of the file was read and proved before it is given.
        """
        group, size, counted = list[bytes](), 0, 0
        for lines in read_lines(file, self._s3.pieces(self._bucket, file.key, file.etag, stop)):
            if stop:
                raise Transient("stopped", where=f"export file {file.key}")
            new = lines[max(0, through - counted) :]
            if size >= self._page_bytes and new:
                yield group, counted
                group, size = [], 0
            counted += len(lines)
            group += new
            size += sum(map(len, new))
        yield group, None

    def keys_read(self, part: str, position: str | None, names: Sequence[str], stop: Stop) -> Iterator[Item]:
        """The keys of the lines before a position in a file that is not proved, as far as they can be read."""
        number, through = _position(position)
        files = self.files()[int(part.rpartition("/")[2]) :: LANES]
        if not through or number >= len(files):
            return
        file, counted = files[number], 0
        for lines in read_lines(file, self._s3.pieces(self._bucket, file.key, file.etag, stop)):
            for line in lines[: through - counted]:
                if self._wanted.from_at is None:
                    (item,) = decoded_items(items_array([line], file))
                else:
                    item = change_of(line, names, file.key).key
                yield self._dynamodb.seen_key({name: item[name] for name in names})
            counted += len(lines)
            if counted >= through:
                return

    def files(self) -> tuple[DataFile, ...]:
        """The files, once the export is complete. Raises Transient while it is under way, and what refuses it."""
        with self._lock:
            if self._files is None:
                self._files = self._look()
            return self._files

    def _look(self) -> tuple[DataFile, ...]:
        now, where = clock.monotonic(), f"export {self._wanted.arn}"
        waiting = Transient("the export is under way; the copy is loaded when it is complete", where=where)
        if self._looked_at is not None and now - self._looked_at < DESCRIBE_EVERY_S:
            raise waiting
        self._looked_at = now
        summary = self._described(where, waiting)
        manifest.check_table(summary, self._wanted.table_arn, self._wanted.table_id)
        if summary.from_at != self._wanted.from_at:
            is_full = self._wanted.from_at is None
            raise UnfitExport(
                "holds the changes of a window, not a table" if is_full else "is not of the window that was asked for",
                where=where, remedy="name a full export" if is_full else "let Twinrow ask for the window",
            )  # fmt: skip
        if self._wanted.from_at is not None and not (summary.has_old_images and summary.to_at == self._wanted.at):
            raise UnfitExport("has no old images, or another end", where=where, remedy="let Twinrow ask for the window")
        return read_files(self._s3, summary)

    def _described(self, where: str, waiting: Transient) -> Summary:
        """The summary of the export, once DescribeExport says that it is complete; `manifest` was looked at before."""
        if self._wanted.manifest:
            return read_summary(self._s3, self._bucket, self._wanted.manifest)
        described = self._dynamodb.call("describe_export", where=where, ExportArn=self._wanted.arn)["ExportDescription"]
        if described["ExportStatus"] == "IN_PROGRESS":
            raise waiting
        if described["ExportStatus"] == "FAILED":
            raise Broken(
                f"the export failed ({described.get('FailureCode')}: {described.get('FailureMessage')})", where=where,
                remedy="mend what it names; the next `twinrow sync` asks for another export",
                commands=("twinrow sync",),
            )  # fmt: skip
        manifest.check_description(described, where)
        self._bucket = str(described.get("S3Bucket", self._bucket))  # the setting may name another by now
        return read_summary(self._s3, self._bucket, str(described["ExportManifest"]))


def opened(text: str, budget: Spending) -> ExportPages:  # noqa: ARG001 - of the protocol: files take no units
    """The export of a `SourceSpec`."""
    spec = msgspec.json.decode(text, type=_ExportText)
    dynamodb = DynamoDB(spec.region, spec.endpoint_url, spec.access)
    return ExportPages(dynamodb, door_of(spec.s3), spec.wanted, spec.plan)


def read_summary(s3: S3, bucket: str, key: str) -> Summary:
    """The summary of an export, proved. Raises DamagedExport, UnfitExport, S3Error, Transient."""
    place = f"s3://{bucket}/{key}"
    data = s3.read(bucket, key)
    manifest.check_md5(data, _checksum(s3, bucket, key), place)
    summary = manifest.read_summary(data, place)
    manifest.check_place(summary, bucket, key)
    return summary


def read_files(s3: S3, summary: Summary) -> tuple[DataFile, ...]:
    """The data files of an export, proved. Raises DamagedExport, S3Error, Transient."""
    place = f"s3://{summary.bucket}/{summary.files_key}"
    data = s3.read(summary.bucket, summary.files_key)
    manifest.check_md5(data, _checksum(s3, summary.bucket, summary.files_key), place)
    return manifest.read_files(data, summary, place)


def _checksum(s3: S3, bucket: str, key: str) -> bytes | None:
    for ending in CHECKSUM_ENDINGS:
        found = s3.read_if_there(bucket, key.removesuffix(".json") + ending)
        if found is not None:
            return found
    return None


def _position(text: str | None) -> tuple[int, int]:
    number, _, lines = (text or "0:0").partition(":")
    return int(number), int(lines)
