"""A capture that is a folder and a line of the registry follows a table, though it tells all twice and in any order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import MakeCopying
from tests.fixtures.copying import put_all, review, with_settings
from tests.fixtures.waiting import wait_until
from tests.kinds import toy

from twinrow.capture_kind import KINDS, traits_of
from twinrow.change import Change, Item
from twinrow.schema.table import KeyAttribute, TableSchema, empty_schema
from twinrow.table.context import TableContext
from twinrow.write.batch import Batch, without_disorder

WAIT_S = 60.0
SCHEMA: TableSchema = empty_schema("t", "t", (KeyAttribute("k", "S"),), frozenset(), (), False)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(KINDS, "toy", toy.__name__)
    toy.JOURNAL.clear()
    yield
    toy.JOURNAL.clear()


def _by_journal(context: TableContext) -> TableContext:
    return with_settings(context, capture="toy", reconcile_s=None)


def _key(item: Item) -> Item:
    return {name: item[name] for name in ("username", "reviewed_at")}


def test_a_toy_follows_a_table(make_copying: MakeCopying) -> None:
    """Old images come last and again, and a delete before the put of an item that is gone since."""
    copying = make_copying(capture="scan", link=True)
    put_all(copying.client, copying.table, [review(n) for n in range(6)])
    assert copying.once_well(prepare=_by_journal).counts.rechecked == 0
    old, new = review(1), {**review(1), "helpful": {"N": "77"}}
    put_all(copying.client, copying.table, [new, review(7)])
    copying.client.delete_item(TableName=copying.table, Key=_key(review(2)))
    told: list[tuple[Item, Item | None]] = [
        (_key(review(2)), None), (_key(review(2)), review(2)), (_key(new), new), (_key(old), old),
        (_key(review(7)), review(7)), (_key(old), None),
    ]  # fmt: skip
    toy.JOURNAL.extend([*told, *reversed(told)])
    ran = copying.once_well(prepare=_by_journal)
    assert {origin for _, origin in ran.applied()} == {"RECHECK"}, "no image of the journal is written"
    assert copying.rows("helpful", "reviewed_at LIKE '%%1'") == [(77,)]
    assert copying.verify().in_step


def test_a_toy_that_runs_shows_a_write_and_links_it(make_copying: MakeCopying) -> None:
    copying = make_copying(capture="scan", link=True)
    put_all(copying.client, copying.table, [review(0)])
    copying.once_well(prepare=_by_journal)
    with copying.running(_by_journal):
        put_all(copying.client, copying.table, [review(1)])
        toy.JOURNAL.append((_key(review(1)), review(1)))
        linked = lambda: "mysql_id" in copying.client.get_item(TableName=copying.table, Key=_key(review(1)))["Item"]  # noqa: E731
        wait_until(linked, WAIT_S, what="the link of the item that the journal has told")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["SCAN", "RECHECK", "JOURNAL", "STREAM"])), max_size=8),
    st.sampled_from(["toy", "stream", "pending-index", "scan"]),
)
def test_only_what_comes_in_order_is_written_as_it_comes(told: list[tuple[str, str]], name: str) -> None:
    batch = Batch([Change("PUT", origin, {"k": {"S": key}}, {"k": {"S": key}}) for key, origin in told])
    made = without_disorder(batch, traits_of(name), SCHEMA.keys)
    kept = [one for one in batch.changes if name != "toy" or one.origin != "JOURNAL"]
    assert list(made.changes) == kept
    assert [key for _, key in made.suspects] == [one.key for one in batch.changes if one not in kept]
    assert name == "toy" or made is batch
