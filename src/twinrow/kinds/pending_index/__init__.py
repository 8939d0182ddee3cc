"""Pending-index capture: the app marks each write, an index shows what is marked, the copy clears the mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture_kind import Traits
from twinrow.errors import StartRefused

if TYPE_CHECKING:
    from twinrow.sync.copy import Copy
    from twinrow.sync.kind import Source, SourceNeeds
    from twinrow.sync.settings import PendingIndex, Settings
    from twinrow.table_description import TableDescription


class MarkedItems:
    """The kind `pending-index`."""

    traits: Final = Traits(
        origin="PENDING", carries_marks=True, waits_for_adoption=True, links_by_default=True, part="pending_index",
        unseen="writes without the mark and hard deletes",
    )  # fmt: skip

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused where the index is not there, is not ready, or cannot be asked for the marks."""
        if settings.pending is not None:
            check_index(settings.pending, description, f"table {settings.table}")

    def begin(self, copy: Copy, description: TableDescription) -> None:
        """The index itself is the position."""

    def source(self, needs: SourceNeeds) -> Source | None:
        """Rounds over the index."""
        from twinrow.sync.poll import Poll

        pending = needs.copy.settings.pending
        if pending is None:
            return None
        index = needs.description.index(pending.index)
        whole = index is not None and index.projection == "ALL"
        return Poll(needs.copy, needs.linker, pending, whole, once=needs.once)


def check_index(pending: PendingIndex, description: TableDescription, where: str) -> None:
    """Raise StartRefused where the index is not there, is not ready, or cannot be asked for the marks."""
    index = description.index(pending.index)
    if index is None:
        raise StartRefused(f"has no index {pending.index!r}", where=where, remedy="twinrow check --fix adds it")
    if index.status == "DELETING":
        raise StartRefused(
            f"index {pending.index!r} is being deleted",
            where=where,
            remedy="once it is gone, twinrow check --fix adds it",
        )
    if index.hashes > 1:
        names = ", ".join(repr(name) for name, _ in index.keys[: index.hashes])
        raise StartRefused(
            f"index {pending.index!r} has several hash attributes ({names}): no query for a mark alone can read it",
            where=where, remedy=f"set `index` to one whose only hash attribute is {pending.attribute!r}",
        )  # fmt: skip
    name, kind = index.keys[0]
    if name != pending.attribute:
        raise StartRefused(
            f"index {pending.index!r} has the hash key {name!r}, not {pending.attribute!r}", where=where,
            remedy="set `attribute` to it, or another `index`",
        )  # fmt: skip
    if any(kind not in mark for mark in (*pending.marks, *([pending.done] if pending.done else []))):
        raise StartRefused(
            f"index {pending.index!r} wants marks of type {kind}, the configuration has another", where=where,
            remedy='write pending = ["false"] for S, pending = [0] for N',
        )  # fmt: skip
    if index.status not in ("ACTIVE", "UPDATING", ""):  # UPDATING: its capacity changes, it can be read
        raise StartRefused(f"index {pending.index!r} is {index.status}", where=where, remedy="wait until it is ACTIVE")


KIND: Final = MarkedItems()
