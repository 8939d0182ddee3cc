"""The links that a batch owes to DynamoDB: which items lack their row's id, or still carry a mark (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from twinrow.sink.writer import Existing
from twinrow.state.outbox import PendingLink
from twinrow.write.prepare import PreparedChange
from twinrow.write.rules import WriteRules


def may_owe(rules: WriteRules, change: PreparedChange, existing: Mapping[bytes, Existing]) -> bool:
    """Whether a change may owe a link, as far as that is known before its row is written."""
    if change.mark is not None:
        return True
    if not rules.settings.linked or change.row is None:
        return False
    known = existing.get(change.key_hash)
    return known is None or change.link != {"N": str(known.row_id)}


def owed_links(
    rules: WriteRules,
    changes: Sequence[PreparedChange],
    row_ids: Mapping[bytes, int],
    not_written: Collection[bytes],
    generation: int,
) -> list[PendingLink]:
    """A mark to clear, a link to write, or both, for each change that asks for it.

    A mark is cleared together with the link, so that an item whose mark is set gets its row's id again.
    """
    found = []
    for change in changes:
        row_id = None
        if rules.settings.linked and change.row is not None and change.key_hash not in not_written:
            row_id = row_ids[change.key_hash]
            if change.mark is None and change.link == {"N": str(row_id)}:
                row_id = None
        if change.mark is not None or row_id is not None:
            found.append(PendingLink(change.key_hash, change.key, generation, change.digest, row_id, change.mark))
    return found


def new_links(owed: Sequence[PendingLink], standing: Mapping[bytes, PendingLink]) -> list[PendingLink]:
    """The links that do not stand already for the very same image, id and mark: those are under way.

    A row write raises the generation; an image that the index shows again, unchanged, is no row write.
    """
    return [link for link in owed if not _is_same(link, standing.get(link.key_hash))]


def _is_same(link: PendingLink, other: PendingLink | None) -> bool:
    return other is not None and (other.digest, other.row_id, other.mark) == (link.digest, link.row_id, link.mark)


def settled_keys(
    rules: WriteRules, changes: Sequence[PreparedChange], owed: Sequence[PendingLink], *, truth: bool
) -> list[bytes]:
    """Keys whose pending link is settled: the image shows that nothing is owed, and it is the newest image there is.

    That is so of a consistent read, and of a capture that tells every change: it shows each image once.
    """
    if not (truth or rules.traits.tells_every_change):
        return []
    owing = {link.key_hash for link in owed}
    return [change.key_hash for change in changes if change.key_hash not in owing]
