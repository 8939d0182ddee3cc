"""A poll of the pending index, whose queries, links and transaction are stand-ins. Without servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from tests.fixtures.waiting import wait_until

from twinrow import clock
from twinrow.app.wiring import settings_of
from twinrow.change import AttributeValue, Item
from twinrow.clock import Stop
from twinrow.config import PendingIndexConfig, TableConfig
from twinrow.decode.attribute import digest
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_wire import ItemsPage
from twinrow.errors import Throttled, Transient
from twinrow.kinds.pending_index import poll as poll_module
from twinrow.kinds.pending_index.poll import MARKS_WAITING_MAX, Poll
from twinrow.link.queue import Cleared, LinkView
from twinrow.link.threads import Linker
from twinrow.mysql import MySQL
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute, empty_schema
from twinrow.sink.writer import Written
from twinrow.table.context import context_of
from twinrow.table.table import Table
from twinrow.write.batch import Applied, Batch

KEYS = (KeyAttribute("username", "S"),)
PENDING, AGAIN = {"S": "false"}, {"S": "again"}


def item(name: str, mark: AttributeValue = PENDING) -> Item:
    return {"username": {"S": name}, "migrated": mark}


def hash_of(name: str) -> bytes:
    return fingerprint(KEYS, item(name))


@dataclass
class Index:
    """Answers queries with pages of two items, as `DynamoDB.query_page` does; `refuses`: raised instead."""

    items: list[Item] = field(default_factory=list)
    refuses: dict[str, Exception] = field(default_factory=dict)
    queries: list[tuple[str, str | None]] = field(default_factory=list)
    clock: Any = field(default_factory=lambda: type("Clock", (), {"now": staticmethod(lambda: 1_000.0)}))

    def query_page(
        self, _table: str, _index: str, attribute: str, mark: AttributeValue, start: Item | None, _limit: int | None
    ) -> ItemsPage:
        after = start["username"]["S"] if start is not None else ""
        self.queries.append((mark["S"], after or None))
        if mark["S"] in self.refuses:
            raise self.refuses[mark["S"]]
        found = sorted(
            (found for found in self.items if found.get(attribute) == mark and found["username"]["S"] > after),
            key=lambda found: str(found["username"]["S"]),
        )
        return ItemsPage(found[:2], {"username": found[1]["username"]} if len(found) > 2 else None, 0.5)


@dataclass
class Links:
    """How the links stand, as `Linker.view` says it."""

    in_flight: frozenset[bytes] = frozenset()
    cleared: dict[bytes, Cleared] = field(default_factory=dict)
    marks_by_view: list[int] = field(default_factory=list)

    def view(self, _asked_at: float, _marks_max: int, _wait_s: float) -> LinkView:
        marks = self.marks_by_view.pop(0) if self.marks_by_view else 0
        return LinkView(self.in_flight, self.cleared, marks, False, frozenset())


@dataclass
class Polling:
    """A poll, and the names of the items that it has handed to the transaction, a batch each."""

    poll: Poll
    index: Index
    links: Links
    batches: list[list[str]]

    def round(self) -> None:
        """A whole round, from its first query to its end."""
        before = len(self.index.queries)
        wait_until(lambda: self._is_through(before), 30, what="the end of a round")

    def _is_through(self, queries_before: int) -> bool:
        self.poll.step()
        return len(self.index.queries) > queries_before and not self.poll._rounds.under_way


@pytest.fixture
def polling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Polling]:
    pending = PendingIndexConfig(index="migrated-index", attribute="migrated", pending=["false", "again"])
    config = TableConfig(name="reviews", capture="pending-index", pending_index=pending)
    settings = settings_of(config, "twinrow.toml")
    index, links, batches = Index(), Links(), list[list[str]]()
    context = context_of(Table(settings, cast(DynamoDB, index), cast(MySQL, None), Stop()))
    context.table.read_budget.limit(None)
    context.live.take(empty_schema("reviews", "reviews", KEYS, settings.own, (), soft_deletes=False))

    def applied(_context: object, batch: Batch) -> Applied:
        names = [str(change.key["username"]["S"]) for change in batch.changes]
        batches.append(names)
        return Applied([], Written(inserted=len(names)), 0)

    monkeypatch.setattr(poll_module, "apply", applied)
    assert settings.pending is not None
    with closing(Poll(context, cast(Linker, links), settings.pending, whole_items=True, once=False)) as poll:
        yield Polling(poll, index, links, batches)


def test_every_pending_value_is_read_to_its_last_page(polling: Polling) -> None:
    polling.index.items = [item(name) for name in "abcde"] + [item("x", AGAIN), item("done", {"S": "true"})]
    polling.round()
    assert sorted(name for batch in polling.batches for name in batch) == ["a", "b", "c", "d", "e", "x"]
    assert sorted(polling.index.queries, key=str) == [
        ("again", None), ("false", "b"), ("false", "d"), ("false", None),
    ]  # fmt: skip
    assert polling.poll.caught_up_at == 1_000.0


def test_an_item_whose_link_is_under_way_is_left_out_and_not_proved(polling: Polling) -> None:
    polling.index.items = [item("a"), item("b")]
    polling.links.in_flight = frozenset({hash_of("a")})
    polling.round()
    assert polling.batches == [["b"]]
    assert (polling.poll.backlog, polling.poll.caught_up_at) == (1, 0.0)


def test_an_image_whose_mark_was_just_cleared_is_stale_and_another_image_is_not(polling: Polling) -> None:
    polling.index.items = [item("a"), item("b") | {"rating": {"N": "5"}}]
    own = polling.poll._context.settings.own
    before_the_query = clock.monotonic()
    polling.links.cleared = {hash_of(name): Cleared(before_the_query, digest(item(name), own)) for name in "ab"}
    polling.round()
    assert polling.batches == [["b"]], "b was written again since"


def test_a_throttled_value_does_not_keep_the_others_and_the_round_proves_nothing(polling: Polling) -> None:
    polling.index.items = [item("a"), item("x", AGAIN)]
    polling.index.refuses = {"false": Throttled("DynamoDB throttles")}
    polling.round()
    assert polling.batches == [["x"]]
    assert (polling.poll.caught_up_at, polling.poll.trouble) == (0.0, "DynamoDB throttles")


def test_a_failed_query_ends_the_round_and_the_next_begins_anew(polling: Polling) -> None:
    polling.index.items = [item("a")]
    polling.index.refuses = {"again": Transient("no network")}

    def fails() -> bool:
        try:
            polling.poll.step()
        except Transient:
            return True
        return False

    wait_until(fails, 30, what="the failure")
    assert polling.poll.caught_up_at == 0.0
    polling.index.refuses, polling.index.queries = {}, []

    def proved() -> bool:
        polling.poll.step()
        return polling.poll.caught_up_at > 0

    wait_until(proved, 30, what="a proof")
    assert polling.index.queries, "a round of which a query failed counts as a proof"


def test_no_page_is_taken_while_too_many_marks_wait_to_be_cleared(polling: Polling) -> None:
    polling.index.items = [item("a")]
    polling.links.marks_by_view = [0, *[MARKS_WAITING_MAX + 1] * 3]  # none when the round begins, too many later
    wait_until(lambda: not polling.poll.step()[0] and not polling.links.marks_by_view, 30, what="three looks")
    assert polling.batches == []
    polling.round()
    assert ["a"] in polling.batches
