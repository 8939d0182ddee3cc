"""Snapshot: the items that were there before, page by page, each page's position durable with its rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from twinrow.capture.pages import Page, Pages, PageSource
from twinrow.capture.read_ahead import ReadAhead
from twinrow.clock import Stop
from twinrow.errors import Reason
from twinrow.failpoint import fail_point
from twinrow.sink import row_keys
from twinrow.state import checkpoint, recheck, tables, tombstone
from twinrow.sync import page_source
from twinrow.sync.landing import Landing, OlderThanCapture
from twinrow.table.context import TableContext
from twinrow.write.batch import Applied
from twinrow.write.load import Loader, ReadPage, loader_of

if TYPE_CHECKING:
    from twinrow.write.load import Text

PART = "segment:"
COMMIT_BYTES_MAX = 4_000_000
"""Pages that wait are loaded together up to so many bytes of rows: a commit takes as long as loading a thousand."""


class ReadBy(Protocol):
    """Who reads: threads of this process, other processes."""

    def __call__(
        self, source: PageSource, positions: Mapping[str, str | None], loader: Loader, stop: Stop
    ) -> Pages[ReadPage]:
        """Begin to read the parts from these positions, and to make rows of them with the loader."""


def read_here(
    source: PageSource, positions: Mapping[str, str | None], loader: Loader, stop: Stop
) -> ReadAhead[ReadPage]:
    """Read by threads of this process."""
    return ReadAhead(source, positions, stop, loader.make)


class Snapshot:
    """A first copy under way, resumed at the positions that are durable; `step` applies a page, or loads some.

    `first`: what was read of each part already, for a copy that begins now.
    """

    def __init__(
        self, context: TableContext, source: PageSource, first: Sequence[Page] = (), read_by: ReadBy = read_here
    ) -> None:
        self._context = context
        self.started_at = min((page.image_at for page in first), default=context.table.dynamodb.clock.now())
        self._held = deque(ReadPage(page) for page in first)
        self._singly = 0
        loader = loader_of(context)
        self._landing: Landing = OlderThanCapture(context, loader)
        known = checkpoint.load(context.tenure.open_writer(), context.name, PART)
        self.fresh = not known
        known |= page_source.checkpoints(PART, first)
        self._pages = read_by(source, page_source.positions(known, PART, source.parts), loader, context.table.stop)

    @property
    def done(self) -> bool:
        """Whether every page of every part is applied."""
        return not self._held and self._pages.done

    @property
    def trouble(self) -> str:
        """Why it waits, when it does."""
        return self._pages.trouble

    def step(self, wait_s: float) -> Applied | None:
        """Apply a page, and load those that are ready with it; None when there was none in time."""
        read = self._next(wait_s)
        if read is None:
            return None
        return self._load(read) or self._landing.apply(read.page, page_source.checkpoints(PART, [read.page]))

    def _next(self, wait_s: float) -> ReadPage | None:
        return self._held.popleft() if self._held else self._pages.take(wait_s)

    def _load(self, read: ReadPage) -> Applied | None:
        """Load the page, and the pages that are ready behind it, in a commit; None when the page is for `apply`.

        A load of several that is not taken says not which of them it was: each is then tried by itself, once.
        """
        text = self._landing.rows_of(read)
        if text is None:
            return None
        ready, texts = self._ready_behind(read, text)
        applied = self._landing.load(texts, page_source.checkpoints(PART, [each.page for each in ready]))
        if applied is None and len(ready) > 1:
            self._held.extendleft(reversed(ready[1:]))
            self._singly = len(ready)
            applied = self._landing.load([text], page_source.checkpoints(PART, [read.page]))
        self._singly = max(0, self._singly - 1)
        return applied

    def _ready_behind(self, read: ReadPage, text: Text) -> tuple[list[ReadPage], list[Text]]:
        """The page, and those to be loaded with it; a page that is for `apply` is held."""
        ready, texts, size = [read], [text], text.size
        while not self._singly and size < COMMIT_BYTES_MAX and (another := self._next(0.0)) is not None:
            found = self._landing.rows_of(another)
            if found is None:
                self._held.appendleft(another)
                break
            ready.append(another)
            texts.append(found)
            size += found.size
        return ready, texts

    def close(self) -> None:
        """Stop reading ahead."""
        self._pages.close()


def finish(context: TableContext) -> None:
    """The first copy is through: the analysts' index is owed, tombstones go, the phase moves on."""
    # loads prove by this index alone that their rows were absent: if it stands now, there are no two rows of an item
    for schema in context.live.catalogue.tables:
        row_keys.stop_unproved(context.tenure.open_writer(), schema.into, context.name)
    context.live.owe_key_index()
    context.live.build_key_index()
    fail_point("before-snapshot-done")
    with context.tenure.transaction() as tx:
        tombstone.clear(tx, context.name)
        page_source.note_hole(tx, context.table)
        recheck.make_due(tx, context.name, recheck.NO_ID_YET)
        tables.update(tx, context.name, snapshot_done_at=tx.now(), phase="LIVE", **tables.because(Reason()))
    context.state.first_copy_is_through()
