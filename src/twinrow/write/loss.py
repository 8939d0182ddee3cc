"""A MySQL that went back (a restore, a failover): committed transactions that are not there any more."""

from __future__ import annotations

from typing import Final

from twinrow.mysql import Connection
from twinrow.state import foreign_link, gap
from twinrow.write.foreign_ids import WENT_BACK

FOREIGN_IDS_COUNT_S: Final = 7 * 86_400.0
"""After so long a restored MySQL is history: its items' ids, met once each, count no more towards a second writer."""


def record_if_gone_back(connection: Connection, table: str, there: int, known: int) -> None:
    """Record the gap when MySQL is at a lower generation than this process knows as committed.

    After a failover or a restore a stream's position went back with the rows. A pending index shows no more what was
    linked and cleared since.
    """
    if there < known:
        gap.record(connection, table, WENT_BACK, at=connection.now())


def forget_foreign_ids(connection: Connection, table: str, *, broken: bool) -> None:
    """At the start: count anew where a person starts a BROKEN table again, or where MySQL went back long ago.

    Otherwise the count goes on: two copies that write ids one after the other, as from cron, meet each id once a run.
    """
    last = gap.last_found(connection, table, WENT_BACK)
    if broken or (last is not None and connection.now() - last > FOREIGN_IDS_COUNT_S):
        foreign_link.clear(connection, table)
