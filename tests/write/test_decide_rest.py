"""Laws of what a batch leaves besides its rows: links, letters, tombstones, and what is learned."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.fixtures.decisions import (
    GENERATION,
    KEYS,
    MARK,
    Case,
    case_of,
    cases,
    change_of,
    settings_of,
    written_as,
)

from twinrow.errors import StartRefused
from twinrow.schema.column_type import BIGINT
from twinrow.schema.evolve import Wanted
from twinrow.schema.row import Row
from twinrow.sink.writer import Existing
from twinrow.state import recheck
from twinrow.state.outbox import PendingLink
from twinrow.state.recheck import Suspect
from twinrow.table.catalogue import REST
from twinrow.write.batch import Batch
from twinrow.write.decide_rest import Rest
from twinrow.write.decide_rows import RowDecision, is_echo
from twinrow.write.rules import WriteRules
from twinrow.write.written import WrittenRows

FIRST, SECOND = KEYS[:2]
some_keys = st.frozensets(st.sampled_from(KEYS), max_size=2)


def ended(
    case: Case, refused: frozenset[bytes] = frozenset(), put_off: frozenset[bytes] = frozenset()
) -> tuple[RowDecision, WrittenRows, Rest]:
    """Both decisions around a write in which the server refuses some rows, for cases that are not refused."""
    try:
        decision = case.rows()
    except StartRefused:
        assume(False)
        raise
    done = written_as(case, decision, refused=refused, put_off=put_off)
    return decision, done, case.rest(decision, done)


@given(cases(), some_keys, some_keys)
def test_a_link_is_owed_where_a_mark_stands_or_the_item_lacks_its_rows_id(
    case: Case, refused: frozenset[bytes], put_off: frozenset[bytes]
) -> None:
    decision, done, rest = ended(case, refused, put_off)
    owed = {link.key_hash: link for link in rest.owed}
    assert len(owed) == len(rest.owed)
    for change in decision.changes:
        stays = change.key_hash in done.parked or change.key_hash in done.put_off
        has_row = case.rules.settings.linked and change.row is not None and not stays
        row_id = done.written.ids[change.key_hash] if has_row else None
        if change.mark is None and change.link == {"N": str(row_id)}:
            row_id = None
        link = owed.get(change.key_hash)
        assert (link is not None) == (change.mark is not None or row_id is not None)
        if link is not None:
            assert (link.row_id, link.mark, link.generation) == (row_id, change.mark, GENERATION)


@given(cases())
def test_a_pending_link_is_settled_only_by_the_newest_image_there_is(case: Case) -> None:
    decision, _, rest = ended(case)
    if case.batch.truth or case.rules.traits.tells_every_change:
        owing = {link.key_hash for link in rest.owed}
        assert set(rest.settled) == {change.key_hash for change in decision.changes} - owing
    else:
        assert not rest.settled, "an image of an index or a scan may be older than the link that stands"


@given(cases(), some_keys, some_keys)
def test_what_no_row_can_hold_is_parked_under_the_id_of_its_row_and_its_row_goes(
    case: Case, refused: frozenset[bytes], put_off: frozenset[bytes]
) -> None:
    _, done, rest = ended(case, refused, put_off)
    letters = {letter.change.key_hash: letter for letter in rest.letters}
    assert letters.keys() == done.parked.keys()
    for key_hash, letter in letters.items():
        known = case.view.existing.get(key_hash)
        if known is not None:
            assert letter.row_id == known.row_id
            assert key_hash in done.removed
        assert key_hash not in rest.resolved


@given(cases(), some_keys)
def test_what_is_put_off_is_not_parked_not_removed_and_tried_again(case: Case, put_off: frozenset[bytes]) -> None:
    decision, done, rest = ended(case, put_off=put_off)
    wanted = {row.key for row in decision.rows} & put_off
    assert {change.key_hash for change, _ in rest.put_off} == wanted == done.put_off.keys()
    assert not wanted & {letter.change.key_hash for letter in rest.letters}
    assert not wanted & {*rest.resolved, *rest.whole_again}
    assert not wanted & {change.key_hash for change in rest.applied.became}
    assert not wanted & {link.key_hash for link in rest.owed if link.row_id is not None}
    assert rest.applied.not_taken == (frozenset({3819}) if wanted else frozenset())


@given(cases(), some_keys)
def test_tombstones_are_left_during_a_first_copy_alone_and_lifted_where_an_item_lives(
    case: Case, refused: frozenset[bytes]
) -> None:
    decision, done, rest = ended(case, refused)
    gone = {*decision.soft, *decision.hard} | {key for key in done.parked if key in case.view.existing}
    assert rest.buried.keys() == (gone if case.rules.first_copy else set())
    for key_hash, row_id in rest.buried.items():
        known = case.view.existing.get(key_hash)
        assert row_id == (known.row_id if known is not None else None)
    alive = {change.key_hash for change in decision.changes if change.row is not None}
    assert set(rest.lifted) == alive & case.view.tombstones.keys()


@given(cases(), some_keys, some_keys)
def test_what_became_rows_is_counted_once_and_nothing_else(
    case: Case, refused: frozenset[bytes], put_off: frozenset[bytes]
) -> None:
    decision, done, rest = ended(case, refused, put_off)
    became = {change.key_hash for change in rest.applied.became}
    assert len(became) == len(rest.applied.became)
    for change in decision.changes:
        acts = change.key_hash in case.view.existing if change.row is None else not is_echo(change, case.view.existing)
        stays = change.key_hash in done.parked or change.key_hash in done.put_off
        assert (change.key_hash in became) == (acts and not stays)
    assert rest.applied.parked == len(done.parked)


@given(cases(), some_keys)
def test_what_is_learned_of_ids_is_of_rows_that_are_gone_or_were_read_ahead_of_a_stream(
    case: Case, refused: frozenset[bytes]
) -> None:
    decision, done, rest = ended(case, refused)
    ids, traits = rest.learned.ids, case.rules.traits
    assert {row.key_hash: row.row_id for row in ids.gone} == {
        key_hash: case.view.existing[key_hash].row_id for key_hash in done.removed
    }
    origins = {change.key_hash: change.origin for change in decision.changes}
    assert all(row.by_stream == traits.is_record(origins[row.key_hash]) for row in ids.gone)
    alive = {change.key_hash for change in decision.changes if change.row is not None}
    assert set(ids.ahead_of_stream) == (alive if case.batch.truth and traits.tells_deletes else set())
    assert ids.mysql_went_back == rest.foreign.went_back


@given(cases(), some_keys)
def test_nothing_of_a_decision_is_remembered_before_the_commit(case: Case, refused: frozenset[bytes]) -> None:
    first, again = ended(case, refused), ended(case, refused)
    assert first[0] == again[0]
    assert replace(first[2], applied=again[2].applied) == again[2], "a transaction that is run again decides alike"


def test_a_mark_is_cleared_together_with_the_id_that_the_item_carries_already() -> None:
    """Else a mark that the app sets between the two would keep the item without its id."""
    rules, row = WriteRules(settings_of("pending-index")), {FIRST: Existing(1, deleted=False)}
    for mark, expected in ((MARK, [(1, MARK)]), (None, [])):
        found = change_of(FIRST, mark=mark, link={"N": "1"}, origin="PENDING")
        assert [(link.row_id, link.mark) for link in ended(case_of(rules, [found], row))[2].owed] == expected


def test_a_link_that_stands_for_the_same_image_id_and_mark_is_under_way() -> None:
    rules = WriteRules(settings_of("pending-index"))
    case = case_of(rules, [change_of(FIRST, mark=MARK, origin="PENDING")], {FIRST: Existing(1, deleted=False)})
    (link,) = ended(case)[2].owed
    for other, is_new in (
        (link, False),
        (replace(link, generation=1, attempts=3), False),
        (replace(link, digest=b"1" * 16), True),
        (replace(link, row_id=2), True),
        (replace(link, mark=None), True),
        (replace(link, key_hash=SECOND), True),
    ):
        standing: dict[bytes, PendingLink] = {other.key_hash: other}
        seen = replace(case, view=replace(case.view, standing=standing))
        assert bool(ended(seen)[2].owed) is is_new, other


def test_a_row_whose_column_could_not_be_had_waits_for_it() -> None:
    wanted: Wanted = {"visits": ("N", BIGINT), "stars": ("N", BIGINT)}
    apart = change_of(FIRST)
    apart = type(apart)(
        **{name: getattr(apart, name) for name in apart.__struct_fields__}
        | {"row": Row(FIRST, (), '{"visits":{"N":"0.5"},"other":{"N":"1"}}', ("other",))}
    )
    case = case_of(WriteRules(settings_of("stream")), [apart, change_of(SECOND)])
    case = replace(case, prepared=replace(case.prepared, put_off={REST: wanted}))
    _, _, rest = ended(case)
    assert (dict(rest.waits_for_cells), dict(rest.unshown)) == ({REST: {"visits": 1}}, {"other": 1})
    assert (rest.learned.owes_cells, rest.learned.has_mixed) == (True, True)
    _, _, rest = ended(case, refused=frozenset({FIRST}))
    assert not rest.waits_for_cells, "a row that is not there waits for nothing"
    assert (rest.learned.owes_cells, rest.learned.has_mixed) == (False, False)


def test_rows_written_whole_again_are_forgotten_as_set_apart_and_echoes_are_not() -> None:
    changes = [change_of(FIRST), change_of(SECOND, echo=True), change_of(KEYS[2])]
    existing = {SECOND: Existing(1, deleted=False)}
    case = case_of(WriteRules(settings_of("stream")), changes, existing)
    case = replace(case, view=replace(case.view, any_set_apart=True))
    _, _, rest = ended(case, put_off=frozenset({KEYS[2]}))
    assert list(rest.whole_again) == [FIRST]
    assert rest.learned.sets_apart


def test_rows_that_orphans_had_are_counted_with_those_of_the_batch() -> None:
    case = case_of(WriteRules(settings_of("stream")), [], batch=Batch(truth=True, rows_gone=2))
    assert ended(case)[2].rows_delta == -2


def test_a_key_whose_missing_row_is_accounted_for_is_no_loss() -> None:
    """An item that carries a free id, read by a recheck: MySQL went back, unless the reason is known."""
    found = change_of(FIRST, link={"N": "5"}, origin="RECHECK")
    for cause, went_back in (("gap", True), *((cause, False) for cause in recheck.KNOWN_LOSSES)):
        batch = Batch(truth=True, rechecked=[Suspect(FIRST, found.key, cause, 1, late=False)])
        assert ended(case_of(WriteRules(settings_of("stream")), [found], batch=batch))[2].foreign.went_back is went_back
