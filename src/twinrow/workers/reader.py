"""A process that reads parts of a table for another one. It makes rows of them, and writes nothing but its answers.

Started by `workers.readers`, which alone writes to MySQL. This process ends with
its input, which ends when that process is gone.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import IO

from twinrow.capture.pages import Page, PageSource
from twinrow.capture.read_ahead import ReadAhead
from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.garbage import collect_seldom
from twinrow.schema.load_text import LoadText
from twinrow.workers import messages
from twinrow.workers.messages import (
    Ask,
    Failed,
    FromReader,
    Go,
    Job,
    PageRead,
    Paid,
    RowPlanMessage,
    Waits,
    WasThrottled,
)
from twinrow.write.load import ReadPage, TextMaker

TAKE_S = 0.5
GO_WAIT_S = 0.5


class Line:
    """The way to the process that holds the copy; any thread may speak."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._lock = threading.Lock()

    def say(self, message: FromReader) -> None:
        """Send a message; when nobody listens any more, this process ends."""
        with self._lock:
            try:
                messages.write(self._out, message)
            except OSError:
                os._exit(1)


class AskedBudget:
    """The budget of all readers, which the other process holds: every request is asked for and paid there."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._allowed = threading.Semaphore(0)

    def wait(self, stop: Stop) -> None:
        """Block until the other process lets one request through, or until `stop`."""
        self._line.say(Ask())
        while not stop and not self._allowed.acquire(timeout=GO_WAIT_S):
            continue

    def go(self) -> None:
        """The other process lets one request through."""
        self._allowed.release()

    def pay(self, units: float) -> None:
        """Tell what an answer has cost."""
        self._line.say(Paid(units))

    def throttled(self) -> None:
        """Tell that DynamoDB throttles."""
        self._line.say(WasThrottled())


class Reading:
    """One job: the pages of some parts and their rows, to the last."""

    def __init__(self, job: Job, line: Line) -> None:
        self._line = line
        self.budget = AskedBudget(line)
        self._maker = TextMaker(messages.row_plan_of(job.row_plan))
        source: PageSource = importlib.import_module(job.source.module).opened(job.source.text, self.budget)
        self._pages = ReadAhead(source, job.positions, Stop(), self._read)

    def _read(self, page: Page) -> ReadPage:
        return ReadPage(page, self._maker.make(page.raw))

    def learn(self, row_plan: RowPlanMessage) -> None:
        """Make rows by this row plan from now on."""
        self._maker = TextMaker(messages.row_plan_of(row_plan))

    def run(self) -> None:
        """Read all there is. Raises TwinrowError."""
        trouble = ""
        while not self._pages.done:
            read = self._pages.take(TAKE_S)
            if self._pages.trouble != trouble:
                trouble = self._pages.trouble
                self._line.say(Waits(trouble))
            if read is not None:
                # the rows of a split are made by the process that loads them
                self._line.say(PageRead(read.page, read.text if isinstance(read.text, LoadText) else None))


def listen(source: IO[bytes], reading: Reading) -> None:
    """Hear the other process; its end is the end of this process, whatever it does."""
    while (body := messages.read(source)) is not None:
        message = messages.decode_to_reader(body)
        if isinstance(message, Go):
            reading.budget.go()
        elif isinstance(message, RowPlanMessage):
            reading.learn(message)
    os._exit(0)


def main() -> None:
    """Do the job that comes first on stdin."""
    collect_seldom()
    line = Line(os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    source = sys.stdin.buffer
    body = messages.read(source)
    job = messages.decode_to_reader(body) if body is not None else None
    if not isinstance(job, Job):
        return
    try:
        reading = Reading(job, line)
        threading.Thread(target=listen, args=(source, reading), name="listen", daemon=True).start()
        reading.run()
    except TwinrowError as error:
        line.say(messages.failure_of(error))
    except Exception as error:  # noqa: BLE001 - sent to the process that holds the copy, which raises it
        line.say(Failed(f"fault in a reading process: {error!r}", f"table {job.table}", "please report it"))
    os._exit(0)  # a thread may still hold stdin's lock, over which the interpreter would stumble


if __name__ == "__main__":
    main()
