"""Processes that read pages and make rows for a first copy, its parts spread over them.

Only this process writes: fence, lock and positions are what they are without readers, and a reader that is killed, or
left alone by a killed parent, can do no harm. All spend of one budget, which is kept here.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Final

from twinrow.capture.pages import Pages, PageSource, SourceSpec
from twinrow.capture.read_ahead import PAGES_QUEUED_MAX, PUT_WAIT_S
from twinrow.clock import Stop
from twinrow.errors import Broken, Transient, TwinrowError, fault_of
from twinrow.sync.snapshot import ReadBy, read_here
from twinrow.table.context import TableContext
from twinrow.table_description import TableDescription
from twinrow.workers import messages
from twinrow.workers.messages import Ask, Failed, FromReader, Go, Job, PageRead, Paid, ToReader, Waits, WasThrottled
from twinrow.write.load import Loader, ReadPage, RowPlan

READERS_MAX: Final = 4
READER_BYTES_MIN: Final = 256_000_000
"""With a smaller table a reader saves less time than its start takes: see docs/decisions.md."""
END_WAIT_S: Final = 2.0
MODULE: Final = "twinrow.workers.reader"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def readers_for(asked: int | None, table_bytes: int, parts: int) -> int:
    """How many processes read: as many as asked for, else by size and cores (one is left to the writing process)."""
    if asked is None:
        asked = min(READERS_MAX, cores() - 1, table_bytes // READER_BYTES_MIN)
    return max(1, min(asked, parts))


def readers_of(context: TableContext, description: TableDescription) -> ReadBy:
    """The readers of a first copy: processes where that helps, else threads of this process."""

    def read(source: PageSource, positions: Mapping[str, str | None], loader: Loader, stop: Stop) -> Pages[ReadPage]:
        spec, count = source.spec, readers_for(context.settings.workers, description.bytes, len(positions))
        if spec is None or count == 1 or not (loader.wanted and loader.by_processes) or not sys.executable:
            return read_here(source, positions, loader, stop)
        return Readers(context, spec, positions, loader, count)

    return read


class _Reader:
    """A process, and a thread that hears it."""

    def __init__(self, table: str, number: int) -> None:
        self.name = f"reader {number} of table {table}"
        self.trouble = ""
        self.left: set[str] = set()
        # A session of its own: Ctrl-C in the terminal reaches this process, which ends its readers in order.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, table, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        self._lock = threading.Lock()

    def say(self, message: ToReader) -> None:
        """Send a message; that nobody hears it is noticed by the thread that listens."""
        with self._lock:
            try:
                messages.write(_pipe(self.process.stdin), message)
            except (OSError, ValueError):
                return

    def hear(self) -> FromReader | None:
        """The next message; None when the process has ended."""
        try:
            body = messages.read(_pipe(self.process.stdout))
        except (OSError, ValueError):
            return None
        return None if body is None else messages.decode_from_reader(body)

    def end(self) -> None:
        """Close its input, upon which it ends; it is killed when it does not."""
        with self._lock:
            try:
                _pipe(self.process.stdin).close()
            except OSError:
                self.process.kill()
        try:
            self.process.wait(END_WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ended(self) -> Transient:
        """The error for an end before the last page: positions are durable, so another start goes on from there."""
        code = self.process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return Transient(
            f"{self.name} ended early ({how})", remedy="it is started again; `[sync] workers = 1` does without"
        )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise Broken("a reading process has no pipe")
    return pipe


class Readers:
    """Takes pages from reading processes, as `ReadAhead` does from threads."""

    def __init__(
        self, context: TableContext, source: SourceSpec, positions: Mapping[str, str | None], loader: Loader, count: int
    ) -> None:
        self._context = context
        self._loader = loader
        self._over = Stop()
        self._pages: queue.Queue[ReadPage | TwinrowError] = queue.Queue(PAGES_QUEUED_MAX)
        self._left = len(positions)
        self._row_plan = loader.row_plan
        self._readers = [_Reader(context.name, number) for number in range(count)]
        parts = list(positions.items())
        for number, reader in enumerate(self._readers):
            mine = dict(parts[number::count])
            reader.left = set(mine)
            reader.say(Job(context.name, source, mine, messages.told(self._row_plan)))
        self._threads = [
            threading.Thread(target=self._listen, args=(reader,), name=f"hear-{reader.name}", daemon=True)
            for reader in self._readers
        ]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether every part's last page was taken."""
        return self._left == 0

    @property
    def trouble(self) -> str:
        """Why a reader waits, if any does."""
        return next((reader.trouble for reader in self._readers if reader.trouble), "")

    def take(self, wait_s: float) -> ReadPage | None:
        """The next page of any part, in order within a part; None when none came in `wait_s` or all is read."""
        self._teach(self._loader.row_plan)
        if self.done:
            return None
        try:
            found = self._pages.get(timeout=wait_s) if wait_s > 0 else self._pages.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, TwinrowError):
            raise found
        self._left -= found.page.position is None
        return found

    def _teach(self, row_plan: RowPlan) -> None:
        """Rows made by an older row plan are made again here, so it need not be heard at once."""
        if row_plan is self._row_plan:
            return
        self._row_plan = row_plan
        for reader in self._readers:
            reader.say(messages.told(row_plan))

    def close(self) -> None:
        """End the processes; pages not taken are dropped (their positions were never made durable)."""
        self._over.set()
        for reader in self._readers:
            reader.end()
        for thread in self._threads:
            thread.join()
        for reader in self._readers:
            _pipe(reader.process.stdout).close()

    def _listen(self, reader: _Reader) -> None:
        try:
            while not self._over and (message := reader.hear()) is not None:
                self._heed(reader, message)
            if reader.left:
                self._put(reader.ended())
        except Exception as error:  # noqa: BLE001 - handed to the thread that takes pages, which raises it
            self._put(fault_of(error, self._context.name))

    def _heed(self, reader: _Reader, message: FromReader) -> None:
        context = self._context
        match message:
            case Ask():
                context.table.read_budget.wait(self._over)
                reader.say(Go())
            case Paid(units):
                context.table.dynamodb.count("scan")
                context.table.read_budget.pay(units)
            case WasThrottled():
                context.table.dynamodb.count("scan")
                context.table.read_budget.throttled()
            case Waits(trouble):
                reader.trouble = trouble
            case Failed():
                reader.left.clear()
                self._put(messages.error_of(message))
            case PageRead(page, text):
                if page.position is None:
                    reader.left.discard(page.part)
                self._put(ReadPage(page, text))

    def _put(self, found: ReadPage | TwinrowError) -> None:
        """Wait for room; then nothing is heard from that reader, and it waits too."""
        while not self._over:
            try:
                self._pages.put(found, timeout=PUT_WAIT_S)
            except queue.Full:
                continue
            return
