"""Snapshot: the items that were there before, page by page, each page's position durable with its rows."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from twinrow.capture.scan import PageSource, ParallelScan, ScannedPage
from twinrow.change import Change, Item
from twinrow.errors import Reason
from twinrow.failpoint import fail_point
from twinrow.schema.load_text import LoadText
from twinrow.schema.row import key_of
from twinrow.sink import row_keys
from twinrow.state import checkpoint, recheck, tables, tombstone
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch
from twinrow.write.load import Loader

PART = "segment:"
COMMIT_BYTES_MAX = 4_000_000
"""Pages that wait are loaded together up to so many bytes of rows: a commit takes as long as loading a thousand."""


def part(segment: int, segments: int) -> str:
    """The checkpoint's name of one segment."""
    return f"{PART}{segment}/{segments}"


PagesOf = Callable[[Loader, int, Mapping[int, Item | None]], PageSource]
"""Who reads: from loader, number of segments and the positions of those that are not through."""


def read_here(table: Table, loader: Loader, segments: int, positions: Mapping[int, Item | None]) -> PageSource:
    """Read by threads of this process.

    Beside a stream the read is consistent: records that are older than the scan are left out, so each of them must be
    in what the scan reads.
    """
    return ParallelScan(
        table.dynamodb, table.name, segments, positions, table.read_budget, table.stop, loader.make,
        consistent=table.settings.traits.consistent_scan,
    )  # fmt: skip


class Snapshot:
    """A first copy under way, resumed at the positions that are durable; `step` applies a page, or loads some."""

    def __init__(
        self, context: TableContext, segments: int, first: Sequence[ScannedPage] = (), pages_of: PagesOf | None = None
    ) -> None:
        self._context = context
        self.segments = segments
        self.started_at = min((page.at for page in first), default=context.table.dynamodb.clock.now())
        self._held = deque(first)
        self._singly = 0
        self._loader = Loader(context)
        known = checkpoint.load(context.tenure.open_writer(), context.name, PART)
        self.fresh = not known
        read_ahead = {page.segment: page for page in first}
        positions: dict[int, Item | None] = {}
        for segment in range(segments):
            found = known.get(part(segment, segments))
            if found is not None and found.done:
                continue
            if segment in read_ahead:
                if read_ahead[segment].next_key is not None:
                    positions[segment] = read_ahead[segment].next_key
                continue
            positions[segment] = json.loads(found.position) if found is not None and found.position else None
        self._scan = (pages_of or partial(read_here, context.table))(self._loader, segments, positions)

    @property
    def done(self) -> bool:
        """Whether every page of every segment is applied."""
        return not self._held and self._scan.done

    @property
    def trouble(self) -> str:
        """Why it waits, when it does."""
        return self._scan.trouble

    def step(self, wait_s: float) -> Applied | None:
        """Apply a page, and load those that are ready with it; None when there was none in time."""
        page = self._next(wait_s)
        if page is None:
            return None
        return self._load(page) or self._apply(page)

    def _next(self, wait_s: float) -> ScannedPage | None:
        return self._held.popleft() if self._held else self._scan.take(wait_s)

    def _load(self, page: ScannedPage) -> Applied | None:
        """Load the page, and what is ready behind it, in one commit; None when the page is for `apply`.

        A load of several that is not taken says not which of them it was: each is then tried by itself, once.
        """
        text = self._loader.text_of(page)
        if text is None:
            return None
        pages, texts = self._ready_behind(page, text)
        applied = self._loader.load(texts, self._parts(pages))
        if applied is None and len(pages) > 1:
            self._held.extendleft(reversed(pages[1:]))
            self._singly = len(pages)
            applied = self._loader.load([text], self._parts([page]))
        self._singly = max(0, self._singly - 1)
        return applied

    def _ready_behind(self, page: ScannedPage, text: LoadText) -> tuple[list[ScannedPage], list[LoadText]]:
        """The page, and those to be loaded with it; a page that is for `apply` is held."""
        pages, texts, size = [page], [text], len(text.data)
        while not self._singly and size < COMMIT_BYTES_MAX and (another := self._next(0.0)) is not None:
            found = self._loader.text_of(another)
            if found is None:
                self._held.appendleft(another)
                break
            pages.append(another)
            texts.append(found)
            size += len(found.data)
        return pages, texts

    def _apply(self, page: ScannedPage) -> Applied:
        keys, items = self._context.live.keys, page.items
        changes = [Change("PUT", "SCAN", key_of(keys, item), item, at=page.at) for item in items]
        applied = apply(self._context, Batch(changes, self._parts([page]), if_absent=True))
        self._loader.taught(items)
        return applied

    def _parts(self, pages: Sequence[ScannedPage]) -> dict[str, Checkpoint]:
        """The positions after these pages; of one segment's, which are in order, the last."""
        return {
            part(page.segment, self.segments): Checkpoint(
                json.dumps(page.next_key) if page.next_key is not None else None, page.next_key is None, page.at
            )
            for page in pages
        }

    def close(self) -> None:
        """Stop reading ahead."""
        self._scan.close()


def finish(context: TableContext) -> None:
    """The first copy is through: the analysts' index is owed, tombstones go, the phase moves on."""
    # loads prove by this index alone that their rows were absent: if it stands now, there are no two rows of an item
    row_keys.stop_unproved(context.tenure.open_writer(), context.settings.into, context.name)
    context.live.owe_key_index()
    context.live.build_key_index()
    fail_point("before-snapshot-done")
    with context.tenure.transaction() as tx:
        tombstone.clear(tx, context.name)
        recheck.make_due(tx, context.name, recheck.NO_ID_YET)
        tables.update(tx, context.name, snapshot_done_at=tx.now(), phase="LIVE", **tables.because(Reason()))
    context.state.first_copy_is_through()
