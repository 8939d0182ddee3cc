"""The threads that read a stream's shards side by side: a thin shell round StreamReader.

One idle thread waits for the time at which the next reading is due, the others wait to take its place. A
reading that falls due therefore wakes a single thread, not all.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from twinrow.capture.stream import Job, StreamReader


class ReaderThreads:
    """Runs a reader's jobs from `with` to its end, in as many threads as are needed, at most `threads_max`."""

    def __init__(self, reader: StreamReader[Any], threads_max: int) -> None:
        self._reader = reader
        self._threads_max = threads_max
        self._pool = ThreadPoolExecutor(threads_max, thread_name_prefix="shard")
        self._threads = 0
        self._followers = threading.Condition(reader.lock)
        self._following = 0
        self._led = False
        self._stopping = False

    def __enter__(self) -> Self:
        with self._reader.lock:
            self._one_more()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._reader.lock:
            self._stopping = True
            self._reader.work.notify_all()
            self._followers.notify_all()
        self._pool.shutdown()

    def _one_more(self) -> None:
        self._threads += 1
        self._pool.submit(self._run).add_done_callback(self._ended)

    def _ended(self, thread: Future[None]) -> None:
        error = thread.exception()
        if error is not None:
            self._reader.fail(error)

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            self._reader.run(job)

    def _next_job(self) -> Job | None:
        with self._reader.lock:
            while not self._stopping:
                job = self._reader.next_job()
                if job is not None:
                    self._call_another()
                    return job
                if self._led:
                    self._following += 1
                    self._followers.wait()
                    self._following -= 1
                else:
                    self._led = True
                    self._reader.work.wait(self._reader.due_in_s())
                    self._led = False
        return None

    def _call_another(self) -> None:
        """Somebody has to wait for the next job while this thread works."""
        if self._led:
            return
        if self._following:
            self._followers.notify()
        elif self._threads < self._threads_max:
            self._one_more()
