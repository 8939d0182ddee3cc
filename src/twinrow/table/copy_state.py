"""The standing of the copy as this run knows it: is it the first copy, and which questions to MySQL are spared?"""

from __future__ import annotations


class CopyState:
    """Facts about the copy that the start finds, and that later steps change by name.

    A fact that is wrongly true costs a query. None may be wrongly false, so each begins as true, or as not known.
    """

    def __init__(self) -> None:
        self._first_copy = False
        self._rows_unproved = False
        self._owes_cells = True
        self._has_mixed = True
        self._sets_apart: bool | None = None
        self._may_have_gap = True
        self._leaves_hole = False

    def begin(self, *, first_copy: bool, rows_unproved: bool = False) -> None:
        """A run begins: another process may have changed everything that was known."""
        self._first_copy = first_copy
        self._rows_unproved = rows_unproved
        self._owes_cells = self._has_mixed = True
        self._sets_apart = None
        self._may_have_gap = True
        self._leaves_hole = False

    @property
    def first_copy(self) -> bool:
        """Whether the first copy is under way: scanned images are inserted where no row is, tombstones are kept."""
        return self._first_copy

    def first_copy_is_through(self) -> None:
        """All that was there before is copied, and the source is past it."""
        self._first_copy = False

    @property
    def rows_unproved(self) -> bool:
        """Whether no UNIQUE index keeps a second row of an item out: see `duplicates`."""
        return self._rows_unproved

    @property
    def owes_cells(self) -> bool:
        """Whether cells of rows may be put off (`state.deferred`)."""
        return self._owes_cells

    def note_cells(self, *, owed: bool) -> None:
        """Cells were put off now, or a look has found that none are."""
        self._owes_cells = owed

    @property
    def has_mixed(self) -> bool:
        """Whether values may be of another type than their column (`state.mixed`)."""
        return self._has_mixed

    def note_mixed(self, *, found: bool) -> None:
        """Such values were written now, or a look has found none."""
        self._has_mixed = found

    @property
    def may_have_gap(self) -> bool:
        """Whether a gap may be open, so that exports that fill it must know which keys were written since."""
        return self._may_have_gap

    def note_gap(self, *, is_open: bool) -> None:
        """A gap is noticed now, or a look has found none."""
        self._may_have_gap = is_open

    @property
    def leaves_hole(self) -> bool:
        """Whether the first copy is made from an export behind which a hole is filled by windows of changes."""
        return self._leaves_hole

    def note_hole(self) -> None:
        """The first copy is made from such an export."""
        self._leaves_hole = True

    @property
    def sets_apart(self) -> bool | None:
        """Whether any row has values in extra for want of room (`state.set_apart`); None: MySQL was not asked yet."""
        return self._sets_apart

    def note_sets_apart(self, *, found: bool) -> None:
        """Such a row was written now, or MySQL was asked."""
        self._sets_apart = found
