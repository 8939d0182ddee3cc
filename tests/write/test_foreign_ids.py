"""Ids on items that are not their row's: when MySQL went back, and when something else writes the attribute."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.decisions import AT, KEYS, case_of, change_of, settings_of, written_as

from twinrow.capture.shard_tree import RECORD_TIME_GRAIN_S
from twinrow.entities.row_filter import row_filter
from twinrow.sink.writer import Existing
from twinrow.table.id_memory import IdMemory, IdsLearned, RowGone
from twinrow.write.batch import Batch
from twinrow.write.foreign_ids import ForeignIds, LossView, carriers, not_ours, of_other_rows
from twinrow.write.prepare import PreparedChange
from twinrow.write.row_ids import IdsInUse
from twinrow.write.rules import WriteRules

FIRST, SECOND = KEYS[:2]
STREAM = WriteRules(settings_of("stream"))
ROW = {FIRST: Existing(1, deleted=False)}
FOREIGN = {"N": "99"}


def told_by(
    changes: list[PreparedChange],
    *,
    rules: WriteRules = STREAM,
    existing: dict[bytes, Existing] | None = None,
    ids: IdMemory | None = None,
    loss: LossView | None = None,
    batch: Batch | None = None,
    read_at: float = 0.0,
) -> ForeignIds:
    case = case_of(rules, changes, existing, ids=ids, loss=loss, batch=batch, read_at=read_at)
    decision = case.rows()
    return case.rest(decision, written_as(case, decision)).foreign


def met(found: ForeignIds) -> list[bytes]:
    return [change.key_hash for change, _ in found.met]


def test_the_rows_own_id_no_id_and_a_former_id_are_no_news() -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(gone=(RowGone(FIRST, 99, by_stream=False),)))
    for link in (None, {"N": "1"}, FOREIGN):
        assert told_by([change_of(FIRST, link=link)], existing=ROW, ids=ids) == ForeignIds()


def test_an_id_of_no_row_or_of_another_row_tells_that_mysql_went_back() -> None:
    for link in (FOREIGN, {"N": "2"}):
        found = told_by([change_of(FIRST, link=link)], existing=ROW | {SECOND: Existing(2, deleted=False)})
        assert (found.went_back, met(found)) == (True, [FIRST])


def test_what_can_be_no_row_id_tells_nothing_of_a_loss_but_of_another_writer() -> None:
    found = told_by([change_of(FIRST, link={"S": "odd"})], existing=ROW)
    assert (found.went_back, met(found)) == (False, [FIRST])


def test_a_row_that_takes_the_id_of_its_item_tells_of_a_loss_and_of_no_other_writer() -> None:
    found = told_by([change_of(FIRST, link=FOREIGN)])
    assert (found.went_back, met(found)) == (True, [])


def test_a_loss_that_is_known_is_not_told_again() -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(mysql_went_back=True))
    changes = [change_of(FIRST, link=FOREIGN)]
    assert not told_by(changes, existing=ROW, ids=ids).went_back
    assert not told_by(changes, existing=ROW, rules=replace(STREAM, first_copy=True)).went_back


def test_what_a_recheck_meets_while_a_gap_is_open_is_no_news() -> None:
    read = [change_of(FIRST, link=FOREIGN, origin="RECHECK")]
    truth = Batch(truth=True)
    assert told_by(read, existing=ROW, batch=truth).went_back
    assert not told_by(read, existing=ROW, batch=truth, loss=LossView(is_open=True)).went_back


def test_an_image_read_before_our_link_got_through_is_no_news() -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(foreign=(FIRST,)))
    ids.foreign.link_is_through([FIRST], 10.0)
    read = [change_of(FIRST, link=FOREIGN, origin="RECHECK")]
    for read_at, expected in ((9.0, []), (10.0, [FIRST])):
        assert met(told_by(read, existing=ROW, ids=ids, batch=Batch(truth=True), read_at=read_at)) == expected


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_record_from_before_the_loss_is_no_news_of_another_writer(is_noted: bool) -> None:
    """The loss is what this batch notes now, or an earlier one whose gap is open."""
    lost_s = 100.0
    loss = LossView(is_open=is_noted, is_noted=is_noted, last_at=AT - lost_s if is_noted else None, source_now=AT + 5)
    loss_age_s = (lost_s if is_noted else 0.0) + RECORD_TIME_GRAIN_S
    for age_s, expected in ((loss_age_s + 1, []), (loss_age_s - 1, [FIRST])):
        record = change_of(FIRST, link=FOREIGN, seen_at=AT + 5 - age_s)
        assert met(told_by([record], existing=ROW, loss=loss)) == expected


@given(st.booleans(), st.booleans())
def test_where_ids_are_adopted_or_nothing_is_linked_no_id_is_foreign(linked: bool, first_copy: bool) -> None:
    rules = WriteRules(settings_of("stream", linked=linked, adopt_links=linked), first_copy)
    found = told_by([change_of(FIRST, link=FOREIGN)], existing=ROW, rules=rules)
    assert bool(found.met) == (linked and not first_copy)


def test_only_changes_that_have_a_row_are_looked_at() -> None:
    changes = [change_of(FIRST, "delete", link=FOREIGN), change_of(SECOND, "unfit", link=FOREIGN)]
    assert not_ours(changes, ROW, IdMemory()) == ()


FILTERED = WriteRules(settings_of("stream", row_filter=row_filter({"tenant": "acme"}, "#")))


def test_with_where_an_item_that_comes_back_with_its_id_tells_of_no_loss() -> None:
    changes = [change_of(FIRST, link=FOREIGN)]
    assert told_by(changes, rules=FILTERED) == ForeignIds()
    assert told_by(changes).went_back, "without `where` nothing else explains it"


def test_with_where_the_id_of_another_row_still_tells_of_a_loss() -> None:
    existing = {SECOND: Existing(99, deleted=False)}
    assert told_by([change_of(FIRST, link=FOREIGN)], rules=FILTERED, existing=existing).went_back


def test_an_item_without_a_row_is_astray_only_where_it_carries_the_id_of_another_row() -> None:
    gone = [change_of(key, "delete", link=link) for key, link in ((FIRST, FOREIGN), (SECOND, {"N": "5"}))]
    found = carriers([*gone, change_of(KEYS[2], link=FOREIGN), change_of(KEYS[3], "delete")], FILTERED.settings)
    assert found == tuple(gone)
    assert of_other_rows(found, IdsInUse({99: KEYS[4], 5: SECOND})) == (gone[0],)
    assert of_other_rows(found, IdsInUse()) == ()
    assert carriers(gone, STREAM.settings) == ()
