"""The decision about each key of an incremental export (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twinrow.exports.lines import ExportedChange

Act = Literal["LEAVE", "PUT", "DELETE", "RECHECK"]


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """How a key stands in MySQL. `written_since`: the source wrote its row or tombstone since the loss was noticed.

    `is_old` and `is_new`: it stands as before the window, or as at its end (no row stands for no image). `doubtful`: it
    is known that it may stand wrong, and no read will mend it, because exports alone are the source.
    """

    written_since: bool
    is_old: bool
    is_new: bool
    doubtful: bool = False


def decide(change: ExportedChange, stands: KeyStanding, *, has_old: bool, tells_every_change: bool) -> Act:
    """LEAVE it, PUT the new image, DELETE the row, or RECHECK: read the item consistently.

    A key that the source has written since is the source's: all later changes of it come that way, and the export's
    image may be older. Where the source does not tell every change, only a read can say. `has_old`: the export holds
    old images, which prove that the row stands as it should; where it does not, the key goes to recheck. A doubtful key
    takes the image of the next window that names it.
    """
    if stands.written_since:
        return "LEAVE" if tells_every_change else "RECHECK"
    if stands.is_new:
        return "LEAVE"
    if has_old and not stands.is_old and not stands.doubtful:
        return "RECHECK"
    return "DELETE" if change.new is None else "PUT"
