"""The rows that no scanned item had, at the end of a whole-table pass: counted before the first of them is deleted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from twinrow import clock
from twinrow.budget import BUDGET_WAIT_S
from twinrow.change import Item
from twinrow.compare import mass_delete
from twinrow.compare.items import Comparer, Difference
from twinrow.compare.seen import SeenRows
from twinrow.dynamodb import GET_ITEMS_MAX
from twinrow.errors import Throttled
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint
from twinrow.state import lease
from twinrow.table import identity
from twinrow.table.context import TableContext

Stage = Literal["count", "ask", "suspect", "through"]
Suspect = Callable[[list[tuple[bytes, Item]]], None]


class LonelyRows:
    """A walk over the rows up to a moment. `step` handles a part of it, until `through`.

    First they are counted. A few are sent to recheck at once. Where they are most of the copy, each of their items is
    read consistently, since they may have come after the scan had passed; if most are gone, the walk ends with Broken,
    unless a person has accepted that many deletes. Else a second walk sends them to recheck. `decided`: that was
    decided before an interruption. `on_decided` makes it durable, before the first delete.
    """

    def __init__(
        self,
        context: TableContext,
        seen: SeenRows,
        until: int,
        suspect: Suspect,
        on_decided: Callable[[], None],
        *,
        decided: bool,
    ) -> None:
        self._context = context
        self._seen = seen
        self._until = until
        self._suspect = suspect
        self._on_decided = on_decided
        self._decided = decided
        self._stage: Stage = "count"
        self._after = 0
        self._count = self._gone = 0
        self._few: list[int] = []
        self._unread: deque[Difference] = deque()
        self._asked_after = 0.0
        self._throttles = 0
        self.trouble = ""

    @property
    def through(self) -> bool:
        """Whether every row that is to be looked at is in recheck."""
        return self._stage == "through"

    def step(self, comparer: Comparer) -> bool:
        """Handle a slice of rows, or read some items; whether there was anything to do. Raises Broken."""
        if self._stage == "ask" and self._unread:
            return self._read_some(comparer)
        ids = next(comparer.row_ids(self._after), None) if self._after < self._until else None
        if ids is None:
            self._end_of_walk(comparer)
            return True
        self._after = ids.last
        lonely = [row_id for row_id in ids.live if row_id <= self._until and row_id not in self._seen]
        if self._stage == "count":
            self._count += len(lonely)
            self._few += lonely[: mass_delete.UNASKED_MAX + 1 - len(self._few)]
        elif self._stage == "ask":
            self._unread += [comparer.extra(row) for row in comparer.rows_of(lonely)]
        else:
            self._send(comparer, lonely)
        return True

    def _end_of_walk(self, comparer: Comparer) -> None:
        if self._stage == "suspect":
            self._stage = "through"
            return
        if self._stage == "ask":
            self._decide(self._gone)
        elif self._count:
            identity.look(
                self._context.tenure.open_writer(), self._context.table
            )  # the table may have been exchanged while it was read
            if self._count <= mass_delete.UNASKED_MAX:
                self._send(comparer, self._few)
                self._stage = "through"
                self._context.consent.pass_is_over()
                return
            if not self._decided and mass_delete.must_ask(self._count, self._rows()):
                self._stage, self._after = "ask", 0
                return
        self._context.consent.pass_is_over()
        self._stage, self._after = ("suspect", 0) if self._count else ("through", 0)

    def _decide(self, gone: int) -> None:
        context, rows = self._context, self._rows()
        accepted = context.consent.deletes
        if mass_delete.must_ask(gone, rows) and gone > (accepted or 0):
            raise mass_delete.refusal(context.name, gone, rows, accepted, f"twinrow sync {context.name}")
        self._on_decided()

    def _rows(self) -> int:
        return lease.row_count(self._context.tenure.open_writer(), self._context.name)

    def _send(self, comparer: Comparer, row_ids: list[int]) -> None:
        extra = [comparer.extra(row) for row in comparer.rows_of(row_ids)]
        self._suspect([(difference.hash, {} if difference.orphan else difference.key) for difference in extra])

    def _read_some(self, comparer: Comparer) -> bool:
        """Which of the next rows have no item. An orphan's item cannot be read: nothing can be its item."""
        context = self._context
        if clock.monotonic() < self._asked_after or not context.table.read_budget.ready(
            context.table.stop, BUDGET_WAIT_S
        ):
            return False
        part = [self._unread[number] for number in range(min(GET_ITEMS_MAX, len(self._unread)))]
        keys = [difference.key for difference in part if not difference.orphan]
        try:
            items, left = (
                context.table.dynamodb.get_some_items(context.name, keys, context.table.read_budget, context.table.stop)
                if keys
                else ([], [])
            )
        except Throttled as trouble:
            self._throttles += 1
            self._asked_after, self.trouble = clock.monotonic() + back_off_s(self._throttles), str(trouble)
            return False
        answered = {fingerprint(comparer.schema.keys, item) for item in items}
        unanswered = {fingerprint(comparer.schema.keys, key) for key in left}
        for _ in part:
            self._unread.popleft()
        self._unread += [difference for difference in part if difference.hash in unanswered]
        self._gone += sum(difference.hash not in answered and difference.hash not in unanswered for difference in part)
        self._throttles, self.trouble = (self._throttles + 1, self.trouble) if left else (0, "")
        self._asked_after = clock.monotonic() + back_off_s(self._throttles) if left else 0.0
        return True
