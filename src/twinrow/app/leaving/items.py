"""The pass over a table's items that takes row ids and marks off them, within the budgets, resumed where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Final, TypeVar

from twinrow import clock
from twinrow.app.leaving.removal import Removal, removal_of
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import budgeted
from twinrow.dynamodb_error import REMEDIES, DynamoDBError
from twinrow.dynamodb_wire import ItemsPage
from twinrow.errors import LeaseLost, NotSent, Throttled, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.link.settle import CONDITION_FAILED
from twinrow.link.update import update_item
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint, key_of
from twinrow.schema.table import KeyAttribute
from twinrow.sink.writer import Existing, existing_rows
from twinrow.state import checkpoint
from twinrow.state.checkpoint import Checkpoint
from twinrow.table.context import TableContext

PART: Final = "leaving"
"""The checkpoint of the pass. It holds good only under the fence after its own: else a sync has given ids meanwhile."""
WRITES_AT_ONCE_MAX = 8
"""Each waits for an answer of DynamoDB: in turn they would use a tenth of the default write budget."""
TRIES_MAX = 8
"""A request that DynamoDB throttles or does not answer is sent again so often, over about a minute."""
LOOKS_MAX = 5
"""An item that is written between the look and the removal is looked at again so often; then it counts as moving."""
PAGE_ITEMS_MAX = 1_000
"""A killed run does at most so many items again, and a page is through within seconds under the default budget."""
SAY_EVERY_S = 10.0

Result = TypeVar("Result")


@dataclass(slots=True)
class TakenOff:
    """The result of a pass, also over several runs: ids and marks taken off, ids of no row, items that kept moving."""

    items: int = 0
    ids: int = 0
    marks: int = 0
    other_ids: int = 0
    moving: int = 0


def leaving_fence(noted_parts: dict[str, Checkpoint]) -> int | None:
    """The fence under which an earlier uninstall has worked, as its checkpoint tells; None where there was none."""
    noted = noted_parts.get(PART)
    return int(json.loads(noted.info)["fence"]) if noted is not None and noted.info else None


class Pass:
    """A pass over a held table, whose key attributes are `keys`.

    `ids`, `marks`: what it takes off. `on_progress` is given what was done so far.
    """

    def __init__(
        self,
        context: TableContext,
        keys: tuple[KeyAttribute, ...],
        *,
        ids: bool,
        marks: bool,
        on_progress: Callable[[TakenOff], None],
    ) -> None:
        self._context = context
        self._keys = keys
        self._ids = ids
        self._marks = marks
        self._on_progress = on_progress
        self._said_at = clock.monotonic()

    def run(self) -> TakenOff:
        """To the end of the table. Raises Transient when stopped, LeaseLost when a sync takes the table."""
        taken, start, done = self._begin()
        while not done:
            page = self._page(start)
            self._take_off(page.items, taken)
            start, done = page.next_key, page.next_key is None
            self._note(taken, start, done=done)
            fail_point("after-leaving-page")
            if clock.monotonic() - self._said_at >= SAY_EVERY_S:
                self._said_at = clock.monotonic()
                self._on_progress(taken)
        return taken

    def _begin(self) -> tuple[TakenOff, Item | None, bool]:
        """Where an earlier run has stopped, if nobody has held the table since, and it took off the same."""
        context = self._context
        noted = checkpoint.load(context.tenure.open_writer(), context.name, PART).get(PART)
        if noted is not None and noted.info:
            info = json.loads(noted.info)
            if info["fence"] + 1 == context.tenure.lease.fence and info["asked"] == self._asked:
                start = json.loads(noted.position) if noted.position else None
                taken = TakenOff(**info["taken"])
                self._note(taken, start, done=noted.done)
                return taken, start, noted.done
        self._note(TakenOff(), None, done=False)
        return TakenOff(), None, False

    @property
    def _asked(self) -> list[bool]:
        return [self._ids, self._marks]

    def _note(self, taken: TakenOff, start: Item | None, *, done: bool) -> None:
        self._patiently(partial(self._save, taken, start, done=done))

    def _save(self, taken: TakenOff, start: Item | None, *, done: bool) -> None:
        context = self._context
        info = json.dumps({"fence": context.tenure.lease.fence, "asked": self._asked, "taken": asdict(taken)})
        position = json.dumps(start) if start is not None else None
        with context.tenure.transaction() as tx:
            checkpoint.save(tx, context.name, {PART: Checkpoint(position, done, info=info)})

    def _page(self, start: Item | None) -> ItemsPage:
        """A page, read consistently: an id that a sync wrote a moment ago must not be missed."""
        context = self._context
        read = partial(
            context.table.dynamodb.scan_page, context.name, 0, 1, start, limit=PAGE_ITEMS_MAX, consistent=True
        )
        return self._patiently(lambda: budgeted(read, context.table.read_budget, context.table.stop))

    def _take_off(self, items: Sequence[Item], taken: TakenOff) -> None:
        """Take off what a page's items carry; those that change meanwhile are looked at again."""
        taken.items += len(items)
        looked_at, looks = list(items), 0
        while looked_at:
            looks += 1
            removals = self._patiently(partial(self._removals, looked_at))
            taken.other_ids += sum(removal.other_id for removal in removals)
            moved = self._write([removal for removal in removals if removal.update is not None], taken)
            if moved and looks >= LOOKS_MAX:
                taken.moving += len(moved)
                return
            looked_at = self._look_again(moved) if moved else []

    def _removals(self, items: Sequence[Item]) -> list[Removal]:
        context, keys = self._context, self._keys
        hashes = [fingerprint(keys, item) for item in items]
        wanted = [
            known for known, item in zip(hashes, items, strict=True) if context.settings.link_of(item) is not None
        ]
        rows = self._rows(wanted) if self._ids else {}
        return [
            removal_of(
                context.settings, key_of(keys, item), item, rows[key_hash].row_id if key_hash in rows else None,
                ids=self._ids, marks=self._marks,
            )
            for key_hash, item in zip(hashes, items, strict=True)
        ]  # fmt: skip

    def _rows(self, hashes: Sequence[bytes]) -> dict[bytes, Existing]:
        """The rows of these keys; in a split a key may have a deleted row beside its live row, with the same id."""
        found: dict[bytes, Existing] = {}
        for schema in self._context.live.catalogue.tables:
            found |= existing_rows(self._context.tenure.open_writer(), schema, hashes)
        return found

    def _look_again(self, moved: Sequence[Removal]) -> list[Item]:
        context = self._context
        keys = [removal.update.key for removal in moved if removal.update is not None]
        return self._patiently(
            lambda: context.table.dynamodb.get_items(context.name, keys, context.table.read_budget, context.table.stop)
        )

    def _write(self, removals: Sequence[Removal], taken: TakenOff) -> list[Removal]:
        """Send the updates; those whose item has changed since it was read."""
        moved = []
        with ThreadPoolExecutor(WRITES_AT_ONCE_MAX, thread_name_prefix="leaving") as pool:
            for removal, applied in zip(removals, pool.map(self._send, removals), strict=True):
                if applied:
                    taken.ids += removal.takes_id
                    taken.marks += removal.takes_mark
                else:
                    moved.append(removal)
        return moved

    def _send(self, removal: Removal) -> bool:
        """Whether the update was applied; False where its condition failed. Raises DynamoDBError for a refusal."""
        context, update = self._context, removal.update
        if update is None:
            return True

        def send() -> bool:
            context.table.write_budget.wait(context.table.stop)
            if context.table.stop:
                raise Transient("stopping")
            try:
                real = replace(update, key=context.table.dynamodb.real_key(update.key))
                answer, units = context.table.dynamodb.update_item(
                    context.name, real.key, context.tenure.may_call, **update_item(real)
                )
            except NotSent as late:
                raise LeaseLost("another process may hold the table by now", where=f"table {context.name}") from late
            except Throttled:
                context.table.write_budget.throttled()
                raise
            context.table.write_budget.pay(units)
            if answer.code is None:
                return True
            if answer.code in CONDITION_FAILED:
                return False
            raise DynamoDBError(
                answer.code, answer.message, where=f"table {context.name}", remedy=REMEDIES.get(answer.code, "")
            )

        return self._patiently(send)

    def _patiently(self, work: Callable[[], Result]) -> Result:
        """Again after a trouble that passes, TRIES_MAX times in all, unless stopped."""
        return patiently(work, self._context.table.stop)


def patiently(work: Callable[[], Result], stop: Stop) -> Result:
    """Run `work`, again after a trouble that passes, TRIES_MAX times in all. Raises TwinrowError when stopped."""
    tried = 0
    while True:
        tried += 1
        try:
            return work()
        except Transient:
            if not stop and tried >= TRIES_MAX:
                raise
        if stop.wait(back_off_s(tried)):
            raise TwinrowError("stopped before the end", remedy="run it again: it goes on where it was")
