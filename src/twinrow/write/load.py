"""The fast way of a first copy: a page of items that fit the schema becomes loaded rows, no item looked at by itself.

It is taken only where nothing but the rows is at stake: no link or mark is owed, no key of it has a tombstone or is
parked, and the load itself proves that every row was absent. Whatever does not hold leaves the page to `apply`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from twinrow.capture.pages import Page
from twinrow.capture_kind import SCANNED
from twinrow.change import Item
from twinrow.decode.by_column import ColumnDecoder, Form
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.errors import SchemaMoved, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.flavour import Flavour
from twinrow.mysql import Connection
from twinrow.schema.column_text import loaded_texts
from twinrow.schema.load_text import LoadText, cell_text, joined, lines
from twinrow.schema.table import TableSchema
from twinrow.sink import bulk
from twinrow.sink.writer import Written
from twinrow.state import checkpoint, dead_letter, lease
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.lease import Locked
from twinrow.table.context import TableContext
from twinrow.table.settings import Settings
from twinrow.write import loss
from twinrow.write.batch import Applied
from twinrow.write.look import tombstones

if TYPE_CHECKING:
    from twinrow.entities.row_filter import RowFilter
    from twinrow.write.spread_load import SpreadText

    Text: TypeAlias = LoadText | SpreadText

LOADED = Form(loaded_texts, lambda _column: cell_text)


def passed_over(settings: Settings) -> frozenset[str]:
    """Twinrow's own attributes that say nothing of what becomes of an item; the mark is for `apply`."""
    follows_marks = settings.pending is not None and settings.traits.carries_marks
    return settings.own - {settings.pending.attribute} if settings.pending and follows_marks else settings.own


@dataclass(frozen=True, slots=True)
class RowPlan:
    """All that it takes to make rows of pages, in this process or another: see `PageDecoder`."""

    schema: TableSchema
    flavour: Flavour
    ignored: frozenset[str]
    spare: frozenset[str]
    deleted: str | None = None
    row_filter: RowFilter | None = None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page, and its rows ready to be loaded where they were made beside the reading."""

    page: Page
    text: Text | None = None


class TextMaker:
    """Makes pages into rows ready to be loaded, by one row plan."""

    def __init__(self, row_plan: RowPlan) -> None:
        self.row_plan = row_plan
        decoder = PageDecoder(
            row_plan.schema, row_plan.flavour, row_plan.ignored, row_plan.spare, deleted=row_plan.deleted
        )
        self._decoder = ColumnDecoder(decoder, LOADED)

    def make(self, raw: bytes) -> LoadText | None:
        """The rows of a page; None when it does not fit the schema."""
        found = self._decoder.page(self._wanted(raw))
        if found is None:
            return None
        schema = self.row_plan.schema
        text = "".join(lines(found.keys, list(zip(schema.columns, found.columns, strict=True)), found.extras))
        in_extra = sum(extra is not None for extra in found.extras or ())
        return LoadText(schema.version, bytes.fromhex("".join(found.keys)), text.encode(), in_extra)

    def _wanted(self, raw: bytes) -> bytes:
        """The page without the items that `where` leaves out."""
        row_filter = self.row_plan.row_filter
        try:
            return raw if row_filter is None else row_filter.of_page(raw)[0]
        except ValueError:
            return raw  # not a page of items: it does not fit either


class Loader:
    """Loads pages of one first copy; the row plan is made anew when the schema moves on.

    `make` may be called by the threads that read pages. `by_processes`: whether other processes may make the rows.
    """

    by_processes = True

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._flavour = context.tenure.flavour()
        self._ignored = passed_over(context.settings)
        self._maker = self._new_maker(frozenset())

    def _new_maker(self, spare: frozenset[str]) -> TextMaker:
        settings = self._context.settings
        return TextMaker(
            RowPlan(
                self._context.live.rest, self._flavour, self._ignored, spare, settings.deleted_attribute,
                settings.row_filter,
            )
        )  # fmt: skip

    @property
    def wanted(self) -> bool:
        """Whether pages of this copy may be loaded at all."""
        return self._context.state.first_copy and not self._context.settings.linked

    @property
    def row_plan(self) -> RowPlan:
        """How rows are made now."""
        return self._current().row_plan

    def _current(self) -> TextMaker:
        maker = self._maker
        if maker.row_plan.schema is not self._context.live.rest:
            maker = self._maker = self._new_maker(maker.row_plan.spare)
        return maker

    def make(self, page: Page) -> ReadPage:
        """A page and its rows, ready to be loaded; without them where it is not to be, or does not fit."""
        return ReadPage(page, self._current().make(page.raw) if self.wanted else None)

    def text_of(self, read: ReadPage) -> Text | None:
        """The page's rows by the schema as it is now; None when it is a page for `apply`."""
        if not (self.wanted and self._context.tenure.open_writer().local_infile):
            return None
        text = read.text
        if text is None or text.schema_version != self._context.live.version:
            text = self.make(read.page).text
        return text

    def load(self, texts: Sequence[Text], parts: Mapping[str, Checkpoint]) -> Applied | None:
        """Make pages durable with their positions; None, and nothing is written, when a page is for `apply`."""
        context, text = self._context, self._joined(texts)
        if not bulk.can_load(context.tenure.open_writer(), text.rows):
            return None
        fail_point("before-transaction")
        try:
            with context.tenure.row_transaction(context.live.version) as (tx, locked):
                generation = self._insert(tx, locked, text, parts)
                if generation is None:
                    return None
        except (SchemaMoved, TransactionRetry):
            return None  # `apply` takes the new schema, and knows how often to try
        context.tenure.committed(generation)
        context.counters.add_applied({("PUT", SCANNED): text.rows}, in_extra=text.in_extra)
        return Applied([], Written(inserted=text.rows, rows_delta=text.rows), 0)

    def _insert(self, tx: Connection, locked: Locked, text: Text, parts: Mapping[str, Checkpoint]) -> int | None:
        """The transaction's generation; None, and nothing is written, when the text is for `apply`."""
        context = self._context
        loss.record_if_gone_back(tx, context.name, locked.generation - 1, context.tenure.generation)
        fail_point("after-lock")
        hashes = text.fingerprints()
        if tombstones(tx, context.name, hashes, first_copy=context.state.first_copy) or not dead_letter.parked(
            tx, context.name
        ).isdisjoint(hashes):
            return None
        if not self._put(tx, text):
            return None
        fail_point("after-rows")
        checkpoint.save(tx, context.name, parts)
        lease.leave(tx, context.tenure.lease, locked, rows_delta=text.rows)
        return locked.generation

    def _joined(self, texts: Sequence[Text]) -> Text:
        return joined([text for text in texts if isinstance(text, LoadText)])

    def _put(self, tx: Connection, text: Text) -> bool:
        """Write the rows; whether the server takes them all as they are."""
        return isinstance(text, LoadText) and bulk.load_text(tx, self._context.live.rest, text.data, text.rows)

    def taught(self, items: Sequence[Item]) -> None:
        """`apply` took a page of these: attributes that it knows as NULL only are no reason to refuse the next page."""
        spare = self._maker.row_plan.spare
        found = null_only(self._context.live.rest, items)
        if not found <= spare:
            self._maker = self._new_maker(spare | found)


def loader_of(context: TableContext) -> Loader:
    """The loader of a first copy that begins or goes on."""
    if context.settings.split is None:
        return Loader(context)
    from twinrow.write.spread_load import SpreadLoader

    return SpreadLoader(context, context.settings.split)
