"""Laws of what becomes of rows: which change counts, which id is taken, and what is never removed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given
from tests.fixtures.decisions import KEYS, Case, case_of, cases, change_of, settings_of

from twinrow.errors import StartRefused
from twinrow.sink.writer import Existing
from twinrow.table.id_memory import IdMemory, IdsLearned, RowGone
from twinrow.write.batch import Batch
from twinrow.write.decide_rows import RowDecision, is_echo
from twinrow.write.row_ids import ROW_ID_MAX, ROW_IDS_AHEAD_MAX, IdsInUse
from twinrow.write.rules import WriteRules

FIRST, SECOND = KEYS[:2]
STREAM = WriteRules(settings_of("stream"))
TRUTH = Batch(truth=True)


def decided(case: Case) -> RowDecision:
    """The decision, for cases in which the start is not refused."""
    try:
        return case.rows()
    except StartRefused:
        assume(False)
        raise


@given(cases())
def test_each_change_that_counts_has_one_end(case: Case) -> None:
    decision = decided(case)
    ends = Counter(
        [
            *(row.key for row in decision.rows), *decision.soft, *decision.hard,
            *(change.key_hash for change in (*decision.doubted, *decision.waiting)),
            *(change.key_hash for change in decision.changes if change.unfit),
            *(
                change.key_hash for change in decision.changes
                if change.row is not None and is_echo(change, case.view.existing)
            ),
        ]
    )  # fmt: skip
    assert ends == Counter(change.key_hash for change in case.view.counting)


@given(cases())
def test_a_scanned_image_beats_no_row_no_tombstone_and_no_letter(case: Case) -> None:
    known = case.view.existing.keys() | case.view.tombstones.keys() | case.view.letters.keys()
    counting = {change.key_hash for change in case.view.counting}
    every = {change.key_hash for change in case.prepared.changes}
    assert counting == (every - known if case.batch.if_absent else every)


@given(cases())
def test_what_is_not_understood_removes_no_row_unless_it_was_read_consistently(case: Case) -> None:
    decision = decided(case)
    if not case.batch.truth:
        assert {change.key_hash for change in decision.doubted} == {
            change.key_hash for change in case.view.counting if change.unfit
        }
        assert not any(change.unfit for change in decision.changes)
    else:
        assert not decision.doubted, "nothing can tell more than what was read under the lock"


@given(cases())
def test_no_row_takes_an_id_that_another_row_has_or_that_is_kept(case: Case) -> None:
    taken = decided(case).taken
    assert len(set(taken.ids.values())) == len(taken.ids), "two rows take the same id"
    for key_hash, row_id in taken.ids.items():
        assert row_id not in case.view.in_use.owners
        assert key_hash not in case.view.existing
        if key_hash in taken.by_item:
            assert row_id not in case.view.in_use.kept, "it is kept for a parked item"
            assert row_id <= case.view.in_use.highest + ROW_IDS_AHEAD_MAX


@given(cases())
def test_a_row_comes_back_under_the_id_that_a_tombstone_tells(case: Case) -> None:
    decision = decided(case)
    asked = Counter(case.view.tombstones.values())
    for row in decision.rows:
        row_id = case.view.tombstones.get(row.key)
        if row.key not in case.view.existing and row_id and row_id not in case.view.in_use.owners:
            others = [key for key, other in case.view.letters.items() if other == row_id and key != row.key]
            if asked[row_id] == 1 and not others:
                assert decision.taken.ids[row.key] == row_id


@given(cases())
def test_while_ids_are_adopted_a_new_row_without_an_id_waits_for_the_end_of_the_scan(case: Case) -> None:
    decision = decided(case)
    for change in decision.waiting:
        assert case.rules.adopts
        assert not case.batch.truth
        assert change.key_hash not in case.view.existing
        assert change.key_hash not in decision.taken.ids
    if case.rules.adopts and not case.batch.truth:
        assert all(row.key in case.view.existing or row.key in decision.taken.ids for row in decision.rows)


@given(cases())
def test_rows_of_deleted_items_are_kept_as_the_settings_say(case: Case) -> None:
    decision, settings = decided(case), case.rules.settings
    for change in decision.changes:
        if change.row is None and not change.unfit:
            soft = settings.soft_ttl_deletes if change.ttl else settings.soft_deletes
            assert (change.key_hash in decision.soft, change.key_hash in decision.hard) == (soft, not soft)


@pytest.mark.parametrize("capture", ["scan", "pending-index"])
def test_a_first_copy_of_items_that_carry_ids_is_refused_unless_ids_are_adopted(capture: str) -> None:
    linked = [change_of(FIRST, link={"N": "7"}, origin="SCAN")]
    with pytest.raises(StartRefused, match="--adopt-links"):
        case_of(WriteRules(settings_of(capture), first_copy=True), linked).rows()
    adopting = WriteRules(settings_of(capture, adopt_links=True), first_copy=True)
    assert case_of(adopting, linked).rows().taken.ids == {FIRST: 7}
    assert case_of(WriteRules(settings_of(capture)), linked).rows().taken.by_item == {FIRST}


def test_an_id_far_above_all_rows_or_beyond_every_row_id_is_not_taken() -> None:
    far = ROW_IDS_AHEAD_MAX + 11
    for row_id, is_taken in ((far, False), (far - 1, True), (ROW_ID_MAX + 1, False)):
        changes = [change_of(FIRST, link={"N": str(row_id)})]
        assert bool(case_of(STREAM, changes, in_use=IdsInUse(highest=10)).rows().taken.ids) is is_taken


def test_of_two_items_that_ask_for_the_same_id_the_first_gets_it() -> None:
    changes = [change_of(key, link={"N": "5"}) for key in (SECOND, FIRST)]
    assert case_of(STREAM, changes).rows().taken.ids == {SECOND: 5}
    known = [change_of(SECOND), change_of(FIRST)]
    assert case_of(STREAM, known, letters={FIRST: 5, SECOND: 5}).rows().taken.ids == {SECOND: 5}


def test_an_id_is_given_back_to_an_item_that_lives_before_any_id_that_another_item_tells() -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(ahead_of_stream=(FIRST,)))
    ids.remember(IdsLearned(gone=(RowGone(FIRST, 3, by_stream=True),)))
    taken = case_of(STREAM, [change_of(SECOND, link={"N": "3"}), change_of(FIRST)], ids=ids).rows().taken
    assert (taken.ids, taken.by_item) == ({FIRST: 3}, frozenset())


def test_an_echo_writes_no_row_unless_its_row_is_gone_or_marked_as_deleted() -> None:
    echo = [change_of(FIRST, link={"N": "1"}, echo=True)]
    assert not case_of(STREAM, echo, {FIRST: Existing(1, deleted=False)}).rows().rows
    assert case_of(STREAM, echo, {FIRST: Existing(1, deleted=True)}).rows().rows
    assert case_of(STREAM, echo).rows().rows


def test_what_was_read_under_the_lock_is_parked_at_once() -> None:
    decision = case_of(STREAM, [change_of(FIRST, "unfit", origin="RECHECK")], batch=TRUTH).rows()
    assert [change.key_hash for change in decision.changes] == [FIRST]
    assert not decision.doubted
